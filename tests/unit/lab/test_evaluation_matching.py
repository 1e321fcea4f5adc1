from dataclasses import replace

import pytest

from tests.unit.lab.verdicts import judged_as, label
from worker.lab.evaluation.figures import Metric
from worker.lab.evaluation.localisation import box_figures, box_table, histograms
from worker.lab.evaluation.matching import covered_share, match_boxes
from worker.moderation.boxes import Box

SQUARE = Box(0, 0, 100, 100)
EAST = Box(200, 0, 300, 100)
HALF = Box(0, 0, 100, 50)


def test_the_same_box_matches_wholly() -> None:
    match = match_boxes([SQUARE], [SQUARE])
    assert (match.best_of_true, match.best_of_found, match.union_mask_iou) == ((1.0,), (1.0,), 1.0)
    assert (match.hits_at_30, match.hits_at_50) == (1, 1)


@pytest.mark.parametrize("found", [EAST, Box(100, 0, 200, 100), Box(100, 100, 200, 200)], ids=["disjoint", "sharing a side", "a corner"])
def test_boxes_that_share_no_area_match_not_at_all(found: Box) -> None:
    match = match_boxes([SQUARE], [found])
    assert (match.best_of_true, match.best_of_found, match.union_mask_iou, match.hits_at_30) == ((0.0,), (0.0,), 0.0, 0)


def test_a_nested_box_matches_by_its_share() -> None:
    match = match_boxes([SQUARE], [HALF])
    assert match.best_of_true == (0.5,)
    assert match.union_mask_iou == 0.5
    assert (match.hits_at_30, match.hits_at_50) == (1, 1)
    assert match_boxes([SQUARE], [Box(25, 25, 75, 75)]).best_of_true == (0.25,)


def test_reversed_corners_are_put_in_order() -> None:
    match = match_boxes([SQUARE], [Box(100, 100, 0, 0)])
    assert (match.best_of_true, match.union_mask_iou, match.hits_at_50) == ((1.0,), 1.0, 1)


def test_either_side_may_be_empty() -> None:
    missed, invented, nothing = match_boxes([SQUARE], []), match_boxes([], [SQUARE]), match_boxes([], [])
    assert (missed.best_of_true, missed.best_of_found, missed.union_mask_iou, missed.hits_at_30) == ((0.0,), (), 0.0, 0)
    assert (invented.best_of_true, invented.best_of_found, invented.union_mask_iou, invented.hits_at_30) == ((), (0.0,), 0.0, 0)
    assert (nothing.true, nothing.found, nothing.union_mask_iou) == (0, 0, 0.0)


def test_a_box_of_no_area_matches_nothing() -> None:
    match = match_boxes([SQUARE], [Box(50, 50, 50, 80)])
    assert (match.best_of_true, match.union_mask_iou, match.hits_at_30) == ((0.0,), 0.0, 0)


def test_matching_is_one_to_one_where_the_best_iou_is_not() -> None:
    twice = match_boxes([SQUARE], [SQUARE, SQUARE])
    assert (twice.hits_at_50, twice.best_of_found) == (1, (1.0, 1.0))
    swapped = match_boxes([SQUARE, EAST], [EAST, SQUARE])
    assert (swapped.hits_at_50, swapped.best_of_true) == (2, (1.0, 1.0))


def test_the_matching_is_the_largest_not_the_greediest() -> None:
    wide = Box(0, 0, 140, 100)  # IoU .71 with SQUARE, its better half; giving it SQUARE leaves HALF's partner alone
    assert match_boxes([SQUARE, wide], [SQUARE, HALF]).hits_at_30 == 2


def test_the_union_mask_counts_overlaps_once() -> None:
    assert match_boxes([SQUARE], [HALF, Box(0, 25, 100, 75)]).union_mask_iou == pytest.approx(0.75)


def test_a_true_box_is_covered_by_its_share_and_counts_once() -> None:
    assert covered_share([SQUARE], [HALF, Box(0, 25, 100, 75)]) == pytest.approx(0.75)
    assert covered_share([SQUARE, EAST], [SQUARE, Box(0, 0, 400, 50)]) == pytest.approx(0.75)
    assert covered_share([SQUARE], []) == covered_share([], [SQUARE]) == 0


def test_a_missed_box_counts_zero_in_ours_and_not_in_the_papers_mean() -> None:
    picture = judged_as(label("a", "net", boxes=(SQUARE, EAST)), 0.9, found=(HALF,))
    figures = box_figures([picture])
    assert figures[Metric.IOU_MEAN_BEST].value == pytest.approx(0.25)
    assert figures[Metric.IOU_MEAN_OVER_FOUND].value == pytest.approx(0.5)
    assert figures[Metric.F1_AT_50].value == pytest.approx(2 / 3)


def test_pictures_generated_whole_have_no_boxes_to_be_found() -> None:
    whole = judged_as(replace(label("a", "net"), regions=()), 0.9, found=(SQUARE,))
    assert box_table([whole]).rows == ()
    assert box_figures([])[Metric.IOU_MEAN_BEST].value is None


def test_controls_boxes_stand_apart() -> None:
    pictures = [judged_as(label("a", "net", boxes=(SQUARE,)), 0.9, found=(SQUARE,)), judged_as(label("b", control=True), 0.1)]
    rows = box_table(pictures).rows
    assert [(row.name, row.pictures, row.figures[Metric.IOU_MEAN_BEST].value) for row in rows] == [
        ("generated pictures", 1, 1.0),
        ("controls (interpolated regions)", 1, 0.0),
    ]


def test_histograms_count_boxes_and_their_shares_of_the_picture() -> None:
    count, area = histograms([judged_as(label("a", "net", boxes=(SQUARE, EAST)), 0.9, found=(SQUARE,))])  # 10,000 of 120,000 pixels
    assert (count.bins, count.true, count.found) == (("0", "1", "2"), (0, 0, 1), (0, 1, 0))
    assert dict(zip(area.bins, zip(area.true, area.found, strict=True), strict=True))["8–16"] == (2, 1)
