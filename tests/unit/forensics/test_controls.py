"""Where a control hides something."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.forensics.controls import place_controls
from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.moderation.errors import RejectedError

SIZE = Size(500, 375)
CITED = (Box(0, 0, 116, 117), Box(231, 146, 347, 263))


def chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311  places boxes


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32))
def test_controls_have_the_cited_sides_and_touch_neither_what_is_cited_nor_each_other(seed: int) -> None:
    controls = place_controls(CITED, CITED, SIZE, chance(seed))
    assert [(box.x1 - box.x0, box.y1 - box.y0) for box in controls] == [(116, 117), (116, 117)]
    assert all(box.clamped(SIZE) == box for box in controls)
    everything = (*CITED, *controls)
    assert all(intersection_over_union(a, b) == 0 for i, a in enumerate(everything) for b in everything[:i])


def test_the_same_chance_places_alike() -> None:
    assert place_controls(CITED, CITED, SIZE, chance(7)) == place_controls(CITED, CITED, SIZE, chance(7))


@settings(max_examples=10)
@given(seed=st.integers(0, 2**32))
def test_where_the_cited_leave_little_room_as_much_is_hidden_in_smaller_pieces(seed: int) -> None:
    cited = (Box(0, 0, 190, 375), Box(300, 0, 340, 120))
    controls = place_controls(cited, cited, SIZE, chance(seed))
    assert len(controls) > len(cited)
    assert sum(box.area for box in controls) == sum(box.area for box in cited)
    everything = (*cited, *controls)
    assert all(intersection_over_union(a, b) == 0 for i, a in enumerate(everything) for b in everything[:i])


@pytest.mark.parametrize(
    "cited", [(Box(0, 0, 500, 188),), (Box(0, 0, 300, 375),), (Box(100, 80, 400, 300), Box(0, 0, 90, 375), Box(420, 0, 500, 375))]
)
def test_without_room_for_as_much_elsewhere_there_is_no_control(cited: tuple[Box, ...]) -> None:
    with pytest.raises(RejectedError) as refused:
        place_controls(cited, cited, SIZE, chance(1))
    assert refused.value.code == "no_room_for_control"
