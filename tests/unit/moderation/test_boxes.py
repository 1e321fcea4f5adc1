import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.boxes import Box, Size, intersection_over_union

whole = st.integers(0, 100)
boxes = st.builds(Box, whole, whole, whole, whole).map(Box.ordered)


@pytest.mark.parametrize(
    ("other", "iou"),
    [
        (Box(0, 0, 10, 10), 1.0),
        (Box(20, 20, 30, 30), 0.0),  # disjoint
        (Box(10, 0, 20, 10), 0.0),  # touching
        (Box(0, 0, 5, 10), 0.5),  # nested
        (Box(5, 0, 15, 10), 1 / 3),
        (Box(3, 3, 3, 9), 0.0),  # empty
        (Box(10, 10, 0, 0), 0.0),  # reversed: an unordered box has no area
    ],
)
def test_intersection_over_union(other: Box, iou: float) -> None:
    assert intersection_over_union(Box(0, 0, 10, 10), other) == pytest.approx(iou)


def test_two_empty_boxes_do_not_overlap() -> None:
    assert intersection_over_union(Box(1, 1, 1, 1), Box(1, 1, 1, 1)) == 0.0


@given(boxes, boxes)
def test_iou_is_symmetric_and_bounded(a: Box, b: Box) -> None:
    assert intersection_over_union(a, b) == intersection_over_union(b, a)
    assert 0 <= intersection_over_union(a, b) <= 1


@given(boxes)
def test_clamping_never_leaves_the_image(box: Box) -> None:
    clamped = box.clamped(Size(40, 60))
    assert 0 <= clamped.x0 <= clamped.x1 <= 40
    assert 0 <= clamped.y0 <= clamped.y1 <= 60
