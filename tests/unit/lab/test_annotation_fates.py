import pytest

from worker.lab.annotation.fates import Fate, Grounding, place
from worker.lab.annotation.recipe import Recipe
from worker.moderation.boxes import Box, Size

SIZE = Size(400, 300)
BOX = Box(100, 100, 200, 200)
NEAR = Box(104, 98, 206, 201)
FAR = Box(300, 10, 380, 90)
BAND = Box(0, 0, 400, 160)  # over half of the picture


@pytest.mark.parametrize(
    ("first", "second", "fate"),
    [
        (Grounding(BOX), Grounding(NEAR), Fate.KEPT),
        (Grounding(BOX), Grounding(FAR), Fate.GROUNDINGS_DIFFER),
        (Grounding(BOX), Grounding(None), Fate.NO_BOX),
        (Grounding(None), Grounding(None), Fate.NO_BOX),
        (Grounding(BOX), Grounding(None, readable=False), Fate.GROUNDING_UNREADABLE),
        (Grounding(BAND), Grounding(BAND), Fate.TOO_LARGE),
    ],
)
def test_two_looks_decide(first: Grounding, second: Grounding, fate: Fate) -> None:
    assert place((first, second), None, (), SIZE, Recipe()).fate is fate


def test_a_kept_box_is_the_mean_of_both_in_whole_pixels() -> None:
    placed = place((Grounding(BOX), Grounding(NEAR)), None, (), SIZE, Recipe())
    assert placed.box == Box(102, 99, 203, 201)
    assert placed.iou == pytest.approx(0.88, abs=0.02)


def test_a_box_that_frames_the_subject_is_no_detail() -> None:
    looks = Grounding(BOX), Grounding(NEAR)
    framed = place(looks, Box(100, 98, 204, 202), (), SIZE, Recipe())
    assert (framed.fate, framed.box) == (Fate.FRAMES_SUBJECT, Box(102, 99, 203, 201))
    assert place(looks, Box(50, 50, 350, 290), (), SIZE, Recipe()).fate is Fate.KEPT


def test_two_clues_at_one_place_are_one() -> None:
    looks = Grounding(BOX), Grounding(NEAR)
    assert place(looks, None, [FAR], SIZE, Recipe()).fate is Fate.KEPT
    assert place(looks, None, [FAR, Box(102, 99, 203, 201)], SIZE, Recipe()).fate is Fate.REPEATED


def test_thresholds_are_settings() -> None:
    assert place((Grounding(BAND), Grounding(BAND)), None, (), SIZE, Recipe(largest_share=0.6)).fate is Fate.KEPT
    assert place((Grounding(BOX), Grounding(NEAR)), None, (), SIZE, Recipe(least_iou=0.95)).fate is Fate.GROUNDINGS_DIFFER
    subject = Box(80, 80, 204, 204)
    assert place((Grounding(BOX), Grounding(NEAR)), subject, (), SIZE, Recipe(subject_iou=0.5)).fate is Fate.FRAMES_SUBJECT


def test_why_a_clue_was_rejected_names_the_figure() -> None:
    assert "IoU 0.00, below 0.5" in place((Grounding(BOX), Grounding(FAR)), None, (), SIZE, Recipe()).detail
    assert "53% of the picture" in place((Grounding(BAND), Grounding(BAND)), None, (), SIZE, Recipe()).detail
