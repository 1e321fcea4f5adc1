import numpy as np
import pytest
from PIL import Image

from worker.images.lettering import font, spelled, wrap
from worker.local.picture import COLOURS, annotate
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Region

CAPTION = "generated · P(generated) 0.87\nUNTRAINED model: boxes mean nothing."
MARK = (1, 254, 3)  # a colour that neither the frame nor the palette contains


def region(*corners: float, crop: Box | None = None, reason: str = "hand", finding: str | None = "six fingers") -> Region:
    return Region(box=Box(*corners), reason=reason, finding=finding, crop_box=crop, scale=1.5)


def count(picture: Image.Image, colour: tuple[int, int, int]) -> int:
    return int(np.all(np.asarray(picture) == colour, axis=2).sum())


@pytest.mark.parametrize("size", [(1, 1), (12, 9), (300, 200), (512, 512), (200, 900), (4000, 60), (60, 4000), (4000, 3000)])
@pytest.mark.parametrize("regions", [0, 1, 4, 13])
def test_every_size_and_number_of_regions_gives_a_picture_of_sane_size(size: tuple[int, int], regions: int) -> None:
    width, height = size
    found = [region(width * i / 20, height * i / 20, width * (i + 3) / 20, height * (i + 4) / 20) for i in range(regions)]
    picture = annotate(Image.new("RGB", size, MARK), found, CAPTION)
    assert picture.mode == "RGB"
    assert 384 <= max(picture.size) <= 4000
    assert picture.width <= 1500
    assert count(picture, MARK) > 0


def test_each_region_is_outlined_in_its_own_colour_on_photograph_and_card() -> None:
    original = Image.new("RGB", (800, 500), MARK)
    found = [region(40 + 240 * i, 100, 200 + 240 * i, 300) for i in range(3)]
    picture = annotate(original, found, CAPTION)
    for colour in COLOURS[:3]:
        assert count(picture, colour) > 2 * 2 * (160 + 200) * 0.8
    assert count(picture, COLOURS[3]) == 0


def test_card_shows_the_crop_from_the_full_resolution_original() -> None:
    original = Image.new("RGB", (4000, 3000))
    original.paste(MARK, (3000, 2000, 3004, 2004))  # shrunk fourfold with the photograph it would be one pixel
    without = annotate(original, [region(100, 100, 300, 300)], CAPTION)
    with_crop = annotate(original, [region(100, 100, 300, 300, crop=Box(2990, 1990, 3014, 2014))], CAPTION)
    assert count(with_crop, MARK) > count(without, MARK) + 500


@pytest.mark.parametrize(
    "corners",
    [(90, 90, 10, 10), (-50, -50, 20, 20), (95, 95, 400, 400), (500, 500, 600, 600), (30, 30, 30, 30)],
    ids=["reversed", "over the corner", "over the far corner", "outside", "empty"],
)
def test_odd_boxes_are_drawn_inside_the_picture_and_break_nothing(corners: tuple[float, float, float, float]) -> None:
    assert count(annotate(Image.new("RGB", (100, 100), MARK), [region(*corners)], CAPTION), COLOURS[0]) > 0


def test_original_is_left_as_it_was() -> None:
    original = Image.new("RGB", (300, 200), MARK)
    annotate(original, [region(10, 10, 100, 100)], CAPTION)
    assert count(original, MARK) == 300 * 200


def test_endless_texts_leave_the_picture_its_size() -> None:
    original = Image.new("RGB", (600, 400), MARK)
    long = annotate(original, [region(10, 10, 100, 100, reason="word " * 10_000, finding="x" * 100_000)], "y" * 100_000)
    assert long.width == annotate(original, [region(10, 10, 100, 100)], CAPTION).width
    assert long.height < 1000


@pytest.mark.parametrize("text", ["", "\n", "\n\n\x00"])
def test_empty_texts_are_drawn_as_nothing(text: str) -> None:
    drawn = annotate(Image.new("RGB", (300, 200)), [region(10, 10, 100, 100, reason=text, finding=None)], text)
    assert drawn.width >= 300


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("a\tb\r\nc", "a b c"),
        ("user\u202egpj.exe\u2066", "usergpj.exe"),
        ("nul\x00 bell\x07 escape\x1b[31m", "nul bell escape[31m"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("\ud800 lone", "lone"),
        ("12 × 9, ≥ 3 – café", "12 x 9, >= 3 - cafe"),
        ("手", "?"),
    ],
)
def test_text_is_cleaned_of_what_cannot_or_must_not_be_drawn(text: str, cleaned: str) -> None:
    assert spelled(text) == cleaned


@pytest.mark.parametrize("text", ["one two three four five six seven eight nine ten", "x" * 500, "a " + "y" * 80 + " b"])
def test_wrapped_lines_fit_and_a_cut_text_ends_in_an_ellipsis(text: str) -> None:
    lines = wrap(text, 15, 120, 2)
    assert len(lines) == 2
    assert lines[-1].endswith("…")
    assert all(font(15).getlength(line) <= 120 for line in lines)


def test_words_stay_whole_where_they_fit() -> None:
    assert wrap("the segments have no fibres", 15, 120, 5) == ["the segments", "have no fibres"]
