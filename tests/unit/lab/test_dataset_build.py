import errno
import io
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from tests.unit.lab.photographs import draw_photograph, save_photograph
from worker.lab.dataset.build import Plan, build
from worker.lab.dataset.photographs import find_photographs
from worker.lab.dataset.progress import BuildProgress
from worker.lab.dataset.selection import Reason, Split
from worker.lab.labels import Label, check_labels, read_labels
from worker.lab.layers import read_layers
from worker.lab.networks import Network, Regenerator
from worker.lab.regenerate import FACTOR, Enlarger
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.settings import Settings

SETS = (*Split, "large")


class Blocks:
    """Stands for the slow network: its pictures are told apart from the quick one's, in no time."""

    def enlarge(self, image: Image.Image) -> Image.Image:
        return image.resize((image.width * FACTOR, image.height * FACTOR), Image.Resampling.NEAREST)


class FullDisk(Blocks):
    """A disk that is full when the third region is drawn."""

    drawn = 0

    def enlarge(self, image: Image.Image) -> Image.Image:
        self.drawn += 1
        if self.drawn > 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return super().enlarge(image)


NETWORKS: Mapping[str, Enlarger] = {Network.ANIMEVIDEO_V3: Regenerator(Network.ANIMEVIDEO_V3), Network.X4PLUS: Blocks()}


def plan_of(folder: Path, out: Path) -> Plan:
    collections, photographs = find_photographs([str(folder)], ["CC0"], Settings(), None)
    return Plan(
        collections=collections,
        photographs=photographs,
        out=out,
        seed=7,
        max_sources=None,
        split=None,
        made=tuple(Split),
        megapixels=(1.0, 2.0),
        networks=NETWORKS,
        threads=2,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def unseen(progress: BuildProgress) -> None:
    assert progress.done <= progress.total


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photograph for each split, a large one for the test, and six that cannot be used."""
    folder = tmp_path_factory.mktemp("data") / "holiday"
    for split in Split:
        save_photograph(folder, split, after=100)
    save_photograph(folder, Split.TEST, after=200, size=(1250, 1000))
    (folder / "notes.txt").write_text("not a photograph")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    Image.new("RGB", (240, 240), (90, 160, 220)).save(folder / "sky.png")
    draw_photograph(3).convert("L").save(folder / "grey.png")
    draw_photograph(4, (400, 120)).save(folder / "tiny.png")
    save_photograph(folder, Split.TEST, after=100).rename(folder / "test-again.png")
    save_photograph(folder, Split.TEST, after=100)
    with Image.open(Path(__file__).parents[3] / "worker" / "local" / "samples" / "coffee.jpg") as coffee:
        coffee.resize((300, 200)).save(folder / "cup.webp")
    return folder


@pytest.fixture(scope="module")
def out(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data built of it."""
    out = tmp_path_factory.mktemp("built") / "out"
    build(plan_of(folder, out), unseen)
    return out


def labels_of(out: Path, name: str) -> tuple[Label, ...]:
    return read_labels(out / name / "labels.jsonl")


def test_every_split_has_its_photographs_and_every_label_its_picture(out: Path) -> None:
    for name, sources in zip(SETS, (1, 1, 2, 1), strict=True):
        labels = labels_of(out, name)
        check_labels(labels, out / name)
        assert len({label.source for label in labels}) == sources
        assert len(labels) == 4 * sources
        assert sorted(label.file for label in labels) == sorted(f"images/{path.name}" for path in (out / name / "images").iterdir())


def test_a_source_lies_in_one_split_only(out: Path) -> None:
    sources = [{label.source for label in labels_of(out, split)} for split in Split]
    assert sum(map(len, sources)) == len(set[str]().union(*sources))


def test_clean_control_and_generated_pictures_are_matched(out: Path) -> None:
    for name in SETS:
        by_source: dict[str, list[Label]] = {}
        for label in labels_of(out, name):
            by_source.setdefault(label.source, []).append(label)
        for clean, control, *generated in by_source.values():
            assert (clean.label, clean.control, clean.regions, clean.generator) == (Verdict.REAL, False, (), None)
            assert (control.label, control.control, control.generator) == (Verdict.REAL, True, None)
            assert [(each.label, each.control, each.generator) for each in generated] == [
                (Verdict.GENERATED, False, network) for network in NETWORKS
            ]
            assert len({each.regions for each in (control, *generated)}) == 1
            assert control.regions


def test_size_codec_and_quality_tell_nothing_of_the_label(out: Path) -> None:
    for name in SETS:
        formats = set()
        for label in labels_of(out, name):
            with Image.open(out / name / label.file) as image:
                assert isinstance(image, JpegImageFile)
                assert not image.getexif()
                formats.add((label.source, image.size, repr(image.quantization), repr(image.layer), repr(image.info)))
        assert len(formats) == len({label.source for label in labels_of(out, name)})


def test_large_pictures_have_a_size_asked_for_and_larger_regions(out: Path) -> None:
    for label in labels_of(out, "large"):
        with Image.open(out / "large" / label.file) as image:
            assert image.size == (1118, 894)  # 1 MP of 1250×1000
        assert all(box.x1 - box.x0 >= 0.155 * 894 for box in label.regions)


def test_training_alone_has_layers(out: Path) -> None:
    (folder,) = (out / "layers").glob("*/*")
    assert folder.parent.name == Split.TRAIN
    layers = read_layers(folder)
    assert len({layer.shape for layer in layers.values()}) == 1
    (clean, *_) = labels_of(out, Split.TRAIN)
    assert clean.file == f"images/{folder.name}-clean.jpg"
    with Image.open(out / Split.TRAIN / clean.file) as image:
        saved = np.asarray(image.convert("RGB"), dtype=int)
    assert np.abs(saved - layers["photograph"]).mean() < 3  # one JPEG apart


def test_a_folder_with_layers_of_validation_as_they_once_were_is_still_the_same_builds(folder: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "out")
    (tmp_path / "out" / "layers" / "validation" / "some").mkdir(parents=True)
    (tmp_path / "out" / "layers" / "validation" / "some" / "photograph.png").write_bytes(b"drawn by an earlier zoomin")
    before = files(tmp_path / "out")
    build(plan_of(folder, tmp_path / "out"), unseen)
    assert files(tmp_path / "out") == before


def test_the_card_counts_what_is_there_and_says_why_the_rest_is_not(out: Path) -> None:
    card = json.loads((out / "card.json").read_text())
    assert {name: (facts["sources"], facts["pictures"]) for name, facts in card["sets"].items()} == {
        "train": (1, 4),
        "validation": (1, 4),
        "test": (2, 8),
        "large": (1, 4),
    }
    reasons = {each["name"]: each["reason"] for each in card["left_out"]}
    assert reasons == {
        "holiday/broken.jpg": Reason.UNREADABLE,
        "holiday/sky.png": Reason.NOTHING_VISIBLE,
        "holiday/grey.png": Reason.GREY,
        "holiday/tiny.png": Reason.TINY,
        "holiday/test-again.png": Reason.REPEATED,
        "holiday/cup.webp": Reason.OF_THE_DEMO,
    }
    assert card["licences"] == {"holiday": "CC0"}
    text = (out / "card.md").read_text()
    for words in ("holiday: CC0", "broken.jpg (The image is truncated", "realesr-animevideov3", "seed 7", "numpy"):
        assert words in text


def test_coco_holds_the_same_boxes(out: Path) -> None:
    for name in SETS:
        coco = json.loads((out / name / "coco.json").read_text())
        files = {image["id"]: image["file_name"] for image in coco["images"]}
        found = [(files[each["image_id"]], each["bbox"], each["category_id"]) for each in coco["annotations"]]
        assert found == [
            (label.file, [x0, y0, x1 - x0, y1 - y0], 2 if label.control else 1)
            for label in labels_of(out, name)
            for x0, y0, x1, y1 in (box.corners() for box in label.regions)
        ]


def test_the_contact_sheet_shows_four_photographs_in_four_states(out: Path) -> None:
    with Image.open(out / "contact-sheet.jpg") as sheet:
        assert sheet.width > 4 * 420
        assert sheet.height > 3 * 300


def test_one_thread_and_other_company_give_the_same_bytes(folder: Path, out: Path, tmp_path: Path) -> None:
    plan = plan_of(folder, tmp_path / "again")
    build(replace(plan, threads=1, photographs=plan.photographs[::-1]), unseen)
    assert files(tmp_path / "again") == files(out)


def test_another_seed_places_other_regions(folder: Path, out: Path, tmp_path: Path) -> None:
    build(replace(plan_of(folder, tmp_path / "other"), seed=8), unseen)
    assert [label.regions for label in labels_of(tmp_path / "other", "test")] != [label.regions for label in labels_of(out, "test")]
    assert [label.source for label in labels_of(tmp_path / "other", "test")] == [label.source for label in labels_of(out, "test")]


def test_a_build_of_the_test_alone_leaves_out_what_training_uses(folder: Path, out: Path, tmp_path: Path) -> None:
    card = build(replace(plan_of(folder, tmp_path / "alone"), made=(Split.TEST,)), unseen)
    assert {name: facts.sources for name, facts in card.sets.items()} == {"train": 0, "validation": 0, "test": 2, "large": 1}
    assert {each.detail for each in card.left_out if each.reason is Reason.OTHER_SPLIT} == {Split.TRAIN, Split.VALIDATION}
    assert files(tmp_path / "alone" / "test") == files(out / "test")


def test_all_photographs_may_be_for_the_test(folder: Path, tmp_path: Path) -> None:
    card = build(replace(plan_of(folder, tmp_path / "all"), split=Split.TEST), unseen)
    assert {name: facts.sources for name, facts in card.sets.items()} == {"train": 0, "validation": 0, "test": 4, "large": 1}
    assert not list((tmp_path / "all" / "layers").rglob("*.png"))


def interrupt(progress: BuildProgress) -> None:
    if progress.doing == "drawing regions" and progress.done == 2:
        raise KeyboardInterrupt


def test_an_interrupted_build_goes_on_to_the_same_bytes(folder: Path, out: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        build(plan_of(folder, tmp_path / "out"), interrupt)
    assert not (tmp_path / "out" / ".build" / "unfinished").exists()
    assert not (tmp_path / "out" / "card.md").exists()
    assert 2 <= len(list((tmp_path / "out" / ".build" / "sources").iterdir())) < 5
    build(plan_of(folder, tmp_path / "out"), unseen)
    assert files(tmp_path / "out") == files(out)


def test_a_finished_build_makes_again_only_what_is_gone(folder: Path, out: Path, tmp_path: Path) -> None:
    before = files(out)
    next((out / "test" / "images").glob("*-control.jpg")).unlink()
    seen: list[BuildProgress] = []
    build(plan_of(folder, out), seen.append)
    assert [each.done for each in seen if each.doing == "drawing regions"] == [4, 5]
    assert files(out) == before


def test_a_full_disk_is_an_error_and_leaves_nothing_half_written(folder: Path, out: Path, tmp_path: Path) -> None:
    plan = plan_of(folder, tmp_path / "out")
    with pytest.raises(OSError, match="No space left"):
        build(replace(plan, networks={**NETWORKS, Network.X4PLUS: FullDisk()}), unseen)
    left = files(tmp_path / "out")
    assert not [name for name in left if "unfinished" in name or Path(name).name.startswith(".")]
    build(plan, unseen)
    assert files(tmp_path / "out") == files(out)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, seed=9),
        lambda plan: replace(plan, megapixels=(1.0,)),
        lambda plan: replace(plan, photographs=plan.photographs[:-1]),
        lambda plan: replace(plan, networks={Network.X4PLUS: Blocks()}),
    ],
)
def test_another_build_does_not_go_on_in_the_same_folder(folder: Path, out: Path, change: Callable[[Plan], Plan]) -> None:
    before = files(out)
    with pytest.raises(RejectedError, match="other photographs or options"):
        build(change(plan_of(folder, out)), unseen)
    assert files(out) == before


def test_a_folder_that_holds_something_else_is_refused_untouched(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(RejectedError, match="holds something else"):
        build(plan_of(folder, tmp_path), unseen)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_no_usable_photograph_is_an_error_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 and no more")
    with pytest.raises(RejectedError, match=r"None of 1 photographs can be used: in/broken\.jpg cannot be read"):
        build(plan_of(tmp_path / "in", tmp_path / "out"), unseen)
    assert not (tmp_path / "out").exists()


def test_photographs_in_which_nothing_visible_changes_are_an_error_without_labels(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Image.new("RGB", (240, 240), (90, 160, 220)).save(tmp_path / "in" / "sky.png")
    with pytest.raises(RejectedError, match=r"None of 1 photographs can be used: in/sky\.png regenerating changes nothing visible"):
        build(plan_of(tmp_path / "in", tmp_path / "out"), unseen)
    assert not list((tmp_path / "out").rglob("labels.jsonl"))


def test_what_builds_made_below_a_source_is_no_photograph(folder: Path, out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "photos" / "deep" / "DATA")
    taken = save_photograph(tmp_path / "photos", Split.TEST)
    _, photographs = find_photographs([str(tmp_path / "photos")], ["CC0"], Settings(), None)
    assert [photograph.name for photograph in photographs] == [f"photos/{taken.name}"]
    with pytest.raises(RejectedError, match="data sets that were built there"):
        find_photographs([str(tmp_path / "photos" / "deep")], ["CC0"], Settings(), None)


def test_an_empty_folder_and_a_missing_one_are_errors(tmp_path: Path) -> None:
    for name, code in ((str(tmp_path), "folder_empty"), (str(tmp_path / "no"), "folder_missing")):
        with pytest.raises(RejectedError) as caught:
            find_photographs([name], ["CC0"], Settings(), None)
        assert caught.value.code == code


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for parent in "ab":
        (tmp_path / parent / "photos").mkdir(parents=True)
        draw_photograph(1).save(tmp_path / parent / "photos" / "x.png")
    folders = [str(tmp_path / parent / "photos") for parent in "ab"]
    collections, photographs = find_photographs(folders, ["CC0", "CC BY"], Settings(), None)
    assert [(each.name, each.licence) for each in collections] == [("photos", "CC0"), ("photos-2", "CC BY")]
    assert [each.name for each in photographs] == ["photos/x.png", "photos-2/x.png"]


def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    body = io.BytesIO()
    draw_photograph(1).save(body, format="PNG")
    (tmp_path / "x.png").write_bytes(body.getvalue())
    _, (photograph,) = find_photographs([str(tmp_path)], ["CC0"], Settings(fetch_max_bytes=1_000), None)
    with pytest.raises(RejectedError, match="the limit is 1,000"):
        photograph.read()
