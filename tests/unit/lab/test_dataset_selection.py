import hashlib
import io
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.lab.photographs import draw_photograph
from worker.images.decode import decode
from worker.lab.dataset.kinship import DEMO_SOURCES, NEAR_BITS, difference_hash, is_near
from worker.lab.dataset.photographs import Photograph
from worker.lab.dataset.readings import Facts
from worker.lab.dataset.selection import Reason, Split, select, source_id, split_each, split_of, standard_size
from worker.lab.dataset.survey import Seen
from worker.moderation.boxes import Size

SAMPLES = Path(__file__).parents[3] / "worker" / "local" / "samples"
ORDINARY = Size(500, 400)
FAR_APART = [0x0F0F << 48, 0xF0F0 << 32, 0x3C3C << 16, 0xC3C3]


def name_in(split: Split, number: int = 0) -> str:
    names = (f"c/{number}-{trial}.jpg" for trial in range(1000))
    return next(name for name in names if split_of(name) is split)


def seen(
    name: str = "c/a.jpg",
    *,
    pixels: str = "ab" * 32,
    file: str = "cd" * 32,
    size: Size = ORDINARY,
    look: int = 0,
    colour: float = 30.0,
) -> Seen:
    photograph = Photograph(name=name, collection="c", read=lambda: b"")
    return Seen(photograph=photograph, file_sha256=file, facts=Facts(pixels_sha256=pixels, size=size, hash=look, colour=colour))


def test_shares_of_the_splits_are_those_promised() -> None:
    splits = [split_of(f"c/{number}.jpg") for number in range(20_000)]
    shares = {split: splits.count(split) / len(splits) for split in Split}
    assert shares == pytest.approx({Split.TRAIN: 0.74, Split.VALIDATION: 0.10, Split.TEST: 0.16}, abs=0.01)


def test_neither_seed_nor_company_moves_a_photograph_to_another_split() -> None:
    everyone = [seen(name_in(split, n), pixels=f"{n:064x}", look=FAR_APART[n]) for n, split in enumerate(Split)]
    alone = {source.id: source.split for each in everyone for source in select([each], 1, None)[0]}
    assert {source.id: source.split for source in select(reversed(everyone), 2, None)[0]} == alone
    assert set(alone.values()) == set(Split)


def test_photographs_for_the_test_alone_are_all_in_it_near_copies_too() -> None:
    everyone = [seen(name_in(split, n), pixels=f"{n:064x}") for n, split in enumerate(Split)]
    sources, left_out = select(everyone, 1, None, only=Split.TEST)
    assert [source.split for source in sources] == [Split.TEST] * len(Split)
    assert not left_out


def test_photographs_of_one_name_are_shared_out_by_their_pixels_and_move_no_others() -> None:
    pixels = [hashlib.sha256(bytes([number])).hexdigest() for number in range(100)]
    namesakes = [seen(f"c/{number}/photo.jpg", pixels=each) for number, each in enumerate(pixels)]
    others = [seen(name_in(split, n), pixels=f"{n:064x}") for n, split in enumerate(Split)]
    splits = split_each([*namesakes, *others])
    assert {each.name: splits[each.name] for each in others} == {each.name: split_of(each.name) for each in others}
    counts = Counter(splits[each.name] for each in namesakes)
    assert 64 <= counts[Split.TRAIN] <= 84
    assert 4 <= counts[Split.VALIDATION] <= 16
    assert 9 <= counts[Split.TEST] <= 23
    moved = [replace(each, photograph=replace(each.photograph, name=f"d/{each.name}")) for each in reversed(namesakes)]
    assert {name.removeprefix("d/"): split for name, split in split_each(moved).items()}.items() <= splits.items()


@pytest.mark.parametrize(
    ("photograph", "reason"),
    [
        (seen(colour=0.2), Reason.GREY),
        (seen(size=Size(159, 400)), Reason.TINY),
        (seen(size=Size(4000, 800)), Reason.TINY),  # 154 px high once shrunk
        (seen(file=min(DEMO_SOURCES)), Reason.OF_THE_DEMO),
    ],
)
def test_unfit_photographs_are_left_out_with_the_reason(photograph: Seen, reason: Reason) -> None:
    sources, left_out = select([photograph], 1, None)
    assert not sources
    assert [each.reason for each in left_out] == [reason]


def test_the_same_pixels_are_used_once_whatever_the_file_is_called() -> None:
    sources, left_out = select([seen("c/b.png", file="11" * 32), seen("c/a.jpg")], 1, None)
    assert [source.seen.name for source in sources] == ["c/a.jpg"]
    assert [(each.name, each.reason) for each in left_out] == [("c/b.png", Reason.REPEATED)]


def test_of_near_copies_the_stricter_split_keeps_its_own() -> None:
    train = seen(name_in(Split.TRAIN), pixels="1" * 64, look=0b1011)
    test = seen(name_in(Split.TEST), pixels="2" * 64, look=0b0001)
    sources, left_out = select([train, test], 1, None)
    assert [source.seen.name for source in sources] == [test.name]
    assert [(each.name, each.reason, each.detail) for each in left_out] == [(train.name, Reason.NEAR_COPY, test.name)]


def test_near_copies_within_a_split_are_both_kept() -> None:
    twins = [seen(name_in(Split.TRAIN, n), pixels=f"{n:064x}") for n in range(2)]
    assert len(select(twins, 1, None)[0]) == 2


def test_max_sources_draws_by_the_seed_and_says_what_it_left() -> None:
    everyone = [seen(name_in(Split.TRAIN, n), pixels=f"{n:064x}") for n in range(12)]
    first, left_out = select(everyone, 1, 5)
    assert len(first) == 5
    assert {each.reason for each in left_out} == {Reason.NOT_WANTED}
    assert select(everyone, 1, 5)[0] == first
    assert select(everyone, 2, 5)[0] != first


def test_max_sources_draws_from_the_splits_that_are_made() -> None:
    looks = dict(zip(Split, FAR_APART, strict=False))
    everyone = [seen(name_in(split, n), pixels=f"{split}{n}", look=looks[split]) for split in Split for n in range(4)]
    sources, left_out = select(everyone, 1, 3, made=(Split.TEST,))
    assert [source.split for source in sources] == [Split.TEST] * 3
    assert Counter(each.reason for each in left_out) == {Reason.OTHER_SPLIT: 8, Reason.NOT_WANTED: 1}


def test_a_copy_shrunk_and_saved_badly_is_near_and_another_photograph_is_not() -> None:
    with Image.open(SAMPLES / "citrus.jpg") as image:
        body = io.BytesIO()
        image.resize((image.width // 2, image.height // 2)).save(body, format="JPEG", quality=40)
        original, copy = difference_hash(image), difference_hash(decode(body.getvalue()).pixels)
    assert is_near(original, copy)
    assert not is_near(original, difference_hash(draw_photograph(1)))


def test_hashes_are_near_up_to_the_bits_stated() -> None:
    assert is_near(0, (1 << NEAR_BITS) - 1)
    assert not is_near(0, (1 << NEAR_BITS + 1) - 1)


def test_the_digests_of_the_demo_are_those_of_its_provenance() -> None:
    assert set(re.findall(r"`([0-9a-f]{64})`", (SAMPLES / "PROVENANCE.md").read_text())) == DEMO_SOURCES


def test_every_shipped_picture_of_the_demo_is_known_again() -> None:
    for path in SAMPLES.glob("*.jpg"):
        with Image.open(path) as image:
            copy = seen(look=difference_hash(image.resize((300, 200))))
        assert select([copy], 1, None)[1][0].reason is Reason.OF_THE_DEMO, path.name


def test_ids_are_file_names_that_people_recognise() -> None:
    assert source_id(seen("c/deep/Mein Foto (1).final.JPG")) == "Mein-Foto-1-final-ababababab"
    assert source_id(seen("c/照片.jpg")) == "photograph-ababababab"


def test_the_longest_side_is_shrunk_to_768_and_nothing_is_enlarged() -> None:
    assert standard_size(Size(4000, 3000)) == Size(768, 576)
    assert standard_size(Size(500, 300)) == Size(500, 300)


def test_a_reencoded_copy_in_another_folder_stays_in_its_split() -> None:
    assert split_of("photos/n01443537.jpg") is split_of("s3-copy/deep/n01443537.webp")
