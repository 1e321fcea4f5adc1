import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.vision.model import Coordinates
from worker.zoomin.regions import (
    crop_box,
    in_model_coordinates,
    in_original_pixels,
    largest_regions,
    no_regions,
    random_regions,
    scan_boxes,
)
from worker.zoomin.replies import ProposedRegion

ORIGINAL = Size(4000, 3000)
SENT = Size(1148, 840)
NANO = PixelLimits(28, 16 * 784, 256 * 784)

numbers = st.floats(-20_000, 20_000, allow_nan=False)
regions = st.builds(ProposedRegion, st.builds(Box, numbers, numbers, numbers, numbers), st.just("why"))
image_sizes = st.builds(Size, st.integers(1, 8000), st.integers(1, 8000))
limits = st.builds(
    lambda factor, low, more: PixelLimits(factor, low * factor**2, (low + more) * factor**2),
    st.sampled_from([28, 32]),
    st.integers(1, 200),
    st.integers(0, 300),
)


def boxes_inside(size: Size) -> st.SearchStrategy[Box]:
    """Boxes of whole pixels, not empty."""

    def side(extent: int) -> st.SearchStrategy[tuple[int, int]]:
        return st.integers(0, extent - 1).flatmap(lambda low: st.tuples(st.just(low), st.integers(low + 1, extent)))

    return st.builds(lambda x, y: Box(x[0], y[0], x[1], y[1]), side(size.width), side(size.height))


def sides(box: Box) -> tuple[int, int]:
    x0, y0, x1, y1 = box.corners()
    return x1 - x0, y1 - y0


def is_native(crop: Box) -> bool:
    return NANO.legal(Size(*sides(crop))) == Size(*sides(crop))


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


def test_without_regions_nothing_is_chosen() -> None:
    assert no_regions(proposed(Box(0, 0, 50, 50)), ORIGINAL, 4) == ()


def test_the_largest_usable_boxes_are_chosen_in_the_scans_order() -> None:
    boxes = (Box(0, 0, 40, 40), Box(1, 0, 40, 40), Box(100, 0, 180, 80), Box(0, 100, 10, 110), Box(100, 100, 150, 150), Box(0, 0, 300, 300))
    chosen = largest_regions(3)(proposed(*boxes), Size(300, 300), 4)  # the second repeats the first, the last is the whole image
    assert [region.reason for region in chosen] == ["region 0", "region 2", "region 4"]
    assert [region.reason for region in largest_regions(3)(proposed(*boxes), Size(300, 300), 2)] == ["region 2", "region 4"]


@given(st.lists(regions, max_size=6), st.integers(1, 4000), st.integers(1, 4000), st.integers(0, 9))
def test_random_boxes_have_the_number_and_sides_of_the_scans_and_lie_inside(
    candidates: list[ProposedRegion], width: int, height: int, seed: int
) -> None:
    size = Size(width, height)
    placed = random_regions(seed)(candidates, size, 4)
    for region, scanned in zip(placed, scan_boxes(candidates, size, 4), strict=True):
        assert region.box == region.box.outward().clamped(size)
        assert sides(region.box) == sides(scanned.box)


def test_random_boxes_depend_on_seed_and_image_and_on_nothing_else() -> None:
    scanned = proposed(Box(10, 10, 110, 90), Box(500, 700, 600, 800))
    placed = random_regions(1)(scanned, ORIGINAL, 4)
    assert placed == random_regions(1)([ProposedRegion(region.box, "other words") for region in scanned], ORIGINAL, 4)
    assert len({placed, random_regions(2)(scanned, ORIGINAL, 4), random_regions(1)(scanned, Size(3000, 4000), 4)}) == 3
    assert [region.box for region in placed] == [Box(3887, 2455, 3987, 2535), Box(693, 396, 793, 496)]  # in every process


@given(image_sizes, st.data(), limits)
def test_a_crop_contains_its_box_and_lies_inside_the_image(size: Size, data: st.DataObject, limits: PixelLimits) -> None:
    box = data.draw(boxes_inside(size))
    crop = crop_box(box, size, limits)
    assert crop == crop.outward().clamped(size)
    assert crop.x0 <= box.x0 < box.x1 <= crop.x1
    assert crop.y0 <= box.y0 < box.y1 <= crop.y1


@given(image_sizes, st.data(), limits)
def test_a_crops_sides_are_whole_factors_where_the_image_has_room(size: Size, data: st.DataObject, limits: PixelLimits) -> None:
    box = data.draw(boxes_inside(size))
    longest = max(sides(box))
    for side, of_box, of_image in zip(sides(crop_box(box, size, limits)), sides(box), (size.width, size.height), strict=True):
        if of_image // limits.factor * limits.factor >= max(of_box, 32, math.ceil(longest * 1.2 / 50)):
            assert side % limits.factor == 0


@given(st.integers(112, 900), st.integers(112, 900), st.data())
def test_a_crop_that_can_be_native_is(width: int, height: int, data: st.DataObject) -> None:
    size = Size(width, height)
    box = data.draw(boxes_inside(size))
    least = [max(math.ceil(side / 28) * 28, 56) for side in sides(box)]
    if math.prod(least) <= NANO.max_pixels and least[0] <= width and least[1] <= height and 1 / 20 < least[0] / least[1] < 20:
        assert is_native(crop_box(box, size, NANO))


@given(image_sizes, st.data(), limits)
def test_growing_a_crop_never_exceeds_the_limits_or_doubles_more_than_its_sides(
    size: Size, data: st.DataObject, limits: PixelLimits
) -> None:
    box = data.draw(boxes_inside(size))
    ungrown = crop_box(box, size, replace(limits, min_pixels=1))
    grown = crop_box(box, size, limits)
    if grown != ungrown:
        assert ungrown.area < limits.min_pixels <= grown.area <= limits.max_pixels
        assert all(before <= after <= 2 * before for before, after in zip(sides(ungrown), sides(grown), strict=True))


@given(image_sizes, st.data(), limits)
def test_the_image_processor_takes_every_crop(size: Size, data: st.DataObject, limits: PixelLimits) -> None:
    if max(size.width, size.height) > 200 * min(size.width, size.height):
        return  # never scanned
    width, height = sides(crop_box(data.draw(boxes_inside(size)), size, limits))
    assert limits.legal(Size(width, height)).pixels > 0


@pytest.mark.parametrize(
    ("box", "size", "cut"),
    [
        (Box(100, 100, 260, 260), Size(1000, 1000), (196, 196)),  # padded to 192, then to whole factors
        (Box(100, 100, 500, 500), Size(1000, 1000), (448, 448)),  # 480 would be shrunk: the margin gives way
        (Box(100, 100, 550, 550), Size(1000, 1000), (560, 560)),  # more than the limit: shrunk later, margin and all
        (Box(10, 10, 450, 200), Size(500, 333), (476, 252)),  # 528 does not fit in 500: the margin gives way
        (Box(0, 10, 490, 200), Size(500, 333), (500, 252)),  # nor does 504: one odd side
        (Box(50, 50, 54, 54), Size(500, 500), (112, 112)),  # 32, then 56, then twice that for the least pixels
        (Box(50, 50, 120, 120), Size(140, 140), (112, 112)),
    ],
)
def test_sides_of_crops(box: Box, size: Size, cut: tuple[int, int]) -> None:
    assert sides(crop_box(box, size, NANO)) == cut


def test_a_crop_that_twice_its_sides_would_not_bring_to_the_least_pixels_is_left_to_be_enlarged() -> None:
    large = PixelLimits(28, 150_528, 200_704)
    assert sides(crop_box(Box(500, 500, 560, 560), ORIGINAL, large)) == (84, 84)
    assert sides(crop_box(Box(500, 500, 680, 680), ORIGINAL, large)) == (392, 392)
    assert sides(crop_box(Box(40, 40, 50, 50), Size(100, 100), NANO)) == (56, 56)  # the image has no more


def test_a_thin_box_is_cut_wide_enough_for_the_image_processor() -> None:
    for box, size in ((Box(0, 3000, 8000, 3028), Size(8000, 6000)), (Box(500, 3000, 7500, 3028), Size(8000, 6000))):
        width, height = sides(crop_box(box, size, NANO))
        assert width / height < 60


def test_a_crop_at_the_corner_is_moved_inside_instead_of_shrunk() -> None:
    assert crop_box(Box(0, 0, 4, 4), Size(8000, 6000), NANO) == Box(0, 0, 112, 112)
    assert crop_box(Box(7996, 5996, 8000, 6000), Size(8000, 6000), NANO) == Box(7888, 5888, 8000, 6000)


def test_a_crop_lies_about_the_middle_of_its_box() -> None:
    assert crop_box(Box(1000, 2000, 1100, 2100), ORIGINAL, NANO) == Box(980, 1980, 1120, 2120)
