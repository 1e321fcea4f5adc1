"""What a check hides, and where its control hides as much."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.forensics.controls import patches, place_controls
from worker.images.mask import Patch
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError

SIZE = Size(500, 375)
APART = (Box(0, 0, 116, 117), Box(231, 146, 347, 263))
OVERLAPPING = (Box(40, 40, 140, 140), Box(40, 65, 140, 165), Box(90, 30, 150, 100))  # the first two at an IoU of .6
CROWDED = (Box(0, 0, 190, 375), Box(300, 0, 340, 120))
OVERLAPPING_AND_CROWDED = (Box(0, 0, 190, 375), Box(100, 300, 260, 375))
CITED = [
    pytest.param(APART, id="apart"),
    pytest.param(OVERLAPPING, id="overlapping"),
    pytest.param(CROWDED, id="crowded"),
    pytest.param(OVERLAPPING_AND_CROWDED, id="overlapping_and_crowded"),
]
boxes = st.builds(
    lambda x, y, width, height: Box(x, y, x + width, y + height),
    *(st.integers(0, 60), st.integers(0, 40)),
    *(st.integers(1, 50), st.integers(1, 50)),
)


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  places boxes


def controls(cited: Sequence[Box], seed: int) -> tuple[Patch, ...]:
    return place_controls(patches(cited, SIZE), cited, SIZE, chance(seed))


def covered(where: Sequence[Box], size: Size = SIZE) -> np.ndarray:
    times = np.zeros((size.height, size.width), dtype=int)
    for box in where:
        x0, y0, x1, y1 = box.corners()
        times[y0:y1, x0:x1] += 1
    return times


@given(cited=st.lists(boxes, min_size=1, max_size=4))
def test_patches_cover_each_pixel_of_the_boxes_inside_the_image_once_and_no_other(cited: list[Box]) -> None:
    size = Size(80, 60)
    found = patches(cited, size)
    assert (covered([patch.box for patch in found], size) == (covered(cited, size) > 0)).all()
    assert all(patch.box.area > 0 for patch in found)


def test_a_box_that_overlaps_none_is_one_patch_and_the_rest_of_another_remembers_the_whole() -> None:
    assert {patch.box for patch in patches(APART, SIZE)} == set(APART)
    assert [patch.of for patch in patches(OVERLAPPING[:2], SIZE)] == [Size(100, 100), Size(100, 100)]
    assert [patch.box.area for patch in patches(OVERLAPPING[:2], SIZE)] == [100 * 100, 100 * 25]


@pytest.mark.parametrize("cited", CITED)
@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_controls_hide_as_many_pixels_once_each_inside_the_image_and_none_that_is_cited(cited: tuple[Box, ...], seed: int) -> None:
    placed = covered([patch.box for patch in controls(cited, seed)])
    assert placed.sum() == (covered(cited) > 0).sum()
    assert placed.max() == 1
    assert not placed[covered(cited) > 0].any()
    assert all(patch.box.clamped(SIZE) == patch.box for patch in controls(cited, seed))


@pytest.mark.parametrize("cited", CITED)
def test_the_same_chance_places_alike(cited: tuple[Box, ...]) -> None:
    assert controls(cited, 7) == controls(cited, 7)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_where_there_is_room_controls_have_the_cited_sides(seed: int) -> None:
    placed = controls(APART, seed)
    assert [(patch.box.x1 - patch.box.x0, patch.box.y1 - patch.box.y0) for patch in placed] == [(116, 117), (116, 117)]


def test_where_the_cited_leave_little_room_pieces_remember_the_box_that_they_are_cut_from() -> None:
    placed = controls(CROWDED, 3)
    assert len(placed) > len(CROWDED)
    assert {patch.of for patch in placed} == {Size(190, 375), Size(40, 120)}


@pytest.mark.parametrize(
    "cited",
    [
        pytest.param((Box(0, 0, 500, 188),), id="half"),
        pytest.param((Box(0, 0, 300, 375),), id="more_than_half"),
        pytest.param((Box(100, 80, 400, 300), Box(0, 0, 90, 375), Box(420, 0, 500, 375)), id="what_is_left_is_scattered"),
    ],
)
def test_without_room_for_as_much_elsewhere_there_is_no_control(cited: tuple[Box, ...]) -> None:
    with pytest.raises(RejectedError) as refused:
        controls(cited, 1)
    assert refused.value.code == "no_room_for_control"


def test_boxes_that_overlap_find_room_for_what_they_cover_together() -> None:
    cited = (Box(0, 0, 240, 240), Box(0, 40, 240, 280), Box(0, 80, 240, 320))  # 46 % of the image; 92 % if each pixel counted as often
    assert sum(patch.box.area for patch in controls(cited, 1)) == 240 * 320
