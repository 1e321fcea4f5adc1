from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.vision.model import Coordinates
from worker.zoomin.regions import crop_box, in_model_coordinates, in_original_pixels, scan_boxes
from worker.zoomin.replies import ProposedRegion

ORIGINAL = Size(4000, 3000)
SENT = Size(1148, 840)

numbers = st.floats(-20_000, 20_000, allow_nan=False)
regions = st.builds(ProposedRegion, st.builds(Box, numbers, numbers, numbers, numbers), st.just("why"))


def proposed(*boxes: Box) -> list[ProposedRegion]:
    return [ProposedRegion(box, f"region {number}") for number, box in enumerate(boxes)]


def test_absolute_boxes_are_in_sent_pixels_and_relative_ones_in_thousandths() -> None:
    absolute = in_original_pixels(ProposedRegion(Box(574, 420, 1148, 840), ""), Coordinates.ABSOLUTE, SENT, ORIGINAL)
    relative = in_original_pixels(ProposedRegion(Box(500, 500, 1000, 1000), ""), Coordinates.RELATIVE_1000, SENT, ORIGINAL)
    assert absolute.box.corners() == relative.box.corners() == (2000, 1500, 4000, 3000)


def test_the_zoom_is_told_boxes_as_the_scan_gave_them() -> None:
    for coordinates in Coordinates:
        original = in_original_pixels(ProposedRegion(Box(100, 200, 300, 400), ""), coordinates, SENT, ORIGINAL).box
        assert in_model_coordinates(original, coordinates, SENT, ORIGINAL).corners() == (100, 200, 300, 400)


def test_reversed_corners_are_swapped_and_overshoot_is_clamped() -> None:
    (region,) = scan_boxes(proposed(Box(448, 476, 400, 300)), Size(448, 448), 4)
    assert region.box == Box(400, 300, 448, 448)


def test_empty_oversized_and_duplicate_boxes_are_dropped_in_order() -> None:
    size = Size(100, 100)
    chosen = scan_boxes(
        proposed(
            Box(5, 5, 5, 50), Box(0, 0, 100, 51), Box(10, 10, 40, 40), Box(11, 10, 40, 40), Box(200, 200, 300, 300), Box(60, 60, 90, 90)
        ),
        size,
        4,
    )
    assert [region.box for region in chosen] == [Box(10, 10, 40, 40), Box(60, 60, 90, 90)]


def test_no_more_than_the_limit_is_chosen() -> None:
    assert len(scan_boxes(proposed(*(Box(i * 20, 0, i * 20 + 10, 10) for i in range(6))), Size(200, 200), 4)) == 4


@given(st.lists(regions, max_size=6), st.integers(1, 4000), st.integers(1, 4000))
def test_chosen_boxes_are_whole_inside_and_distinct(candidates: list[ProposedRegion], width: int, height: int) -> None:
    size = Size(width, height)
    chosen = scan_boxes(candidates, size, 4)
    for region in chosen:
        assert region.box == region.box.outward().clamped(size)
        assert 0 < region.box.area <= size.pixels / 2
    pairs = [(a, b) for i, a in enumerate(chosen) for b in chosen[i + 1 :]]
    assert all(intersection_over_union(a.box, b.box) < 0.7 for a, b in pairs)


@given(st.lists(regions, max_size=6), st.integers(1, 4000), st.integers(1, 4000))
def test_a_crop_contains_its_box_and_lies_inside_the_image(candidates: list[ProposedRegion], width: int, height: int) -> None:
    size = Size(width, height)
    for region in scan_boxes(candidates, size, 4):
        crop = crop_box(region.box, size)
        assert crop == crop.outward().clamped(size)
        assert crop.x0 <= region.box.x0
        assert crop.y0 <= region.box.y0
        assert crop.x1 >= region.box.x1
        assert crop.y1 >= region.box.y1


def test_a_small_box_is_cut_with_at_least_32_pixels_a_side() -> None:
    crop = crop_box(Box(50, 50, 54, 54), Size(500, 500))
    assert crop.x1 - crop.x0 >= 32
    assert crop.y1 - crop.y0 >= 32


def test_a_thin_box_is_cut_wide_enough_for_the_image_processor() -> None:
    crop = crop_box(Box(0, 3000, 8000, 3028), Size(8000, 6000))
    assert (crop.x1 - crop.x0) / (crop.y1 - crop.y0) < 60


def test_a_crop_at_the_corner_is_moved_inside_instead_of_shrunk() -> None:
    assert crop_box(Box(0, 0, 4, 4), Size(8000, 6000)) == Box(0, 0, 32, 32)
    assert crop_box(Box(7996, 5996, 8000, 6000), Size(8000, 6000)) == Box(7968, 5968, 8000, 6000)
