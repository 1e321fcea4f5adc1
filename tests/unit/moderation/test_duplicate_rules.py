from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.duplicates import (
    BAND_BITS,
    BANDS,
    MEANING,
    NEAR,
    Likeness,
    Standing,
    TogetherResult,
    bands_nearby,
    distance,
    obstacle,
)
from worker.moderation.review import TaskKind, TaskState

SIGNED = st.integers(-(2**63), 2**63 - 1)
FREE = Standing(
    likeness=Likeness(exact=True, distance=0),
    kind=TaskKind.ROUTING,
    state=TaskState.OPEN,
    slots=1,
    changed=False,
    contested=False,
    same_verdict=True,
    same_clauses=True,
    barred=False,
    taken=False,
)


def bands(value: int) -> set[int]:
    return {band << BAND_BITS | (value >> (band * BAND_BITS)) & 0xFFFF for band in range(BANDS)}


@given(SIGNED, st.sets(st.integers(0, 63), max_size=NEAR))
def test_whatever_is_near_shares_a_band_that_is_looked_up(value: int, flipped: set[int]) -> None:
    other = value ^ sum(1 << place for place in flipped)
    assert distance(value, other) == len(flipped)
    assert bands(other) & set(bands_nearby(value))


def test_sixty_eight_bands_are_looked_up() -> None:
    assert len(set(bands_nearby(-5))) == BANDS * (1 + BAND_BITS)


def test_the_same_bytes_in_an_open_task_of_one_slot_are_free() -> None:
    assert obstacle(FREE, lead=False) is None


@pytest.mark.parametrize(
    ("change", "kept"),
    [
        ({"likeness": Likeness(exact=False, distance=None)}, TogetherResult.NOT_A_DUPLICATE),
        ({"likeness": Likeness(exact=False, distance=NEAR + 1)}, TogetherResult.NOT_A_DUPLICATE),
        ({"state": TaskState.DONE}, TogetherResult.FINISHED),
        ({"state": TaskState.WITHDRAWN}, TogetherResult.FINISHED),
        ({"changed": True}, TogetherResult.CHANGED),
        ({"kind": TaskKind.APPEAL}, TogetherResult.OTHER_KIND),
        ({"contested": True}, TogetherResult.CONTESTED),
        ({"same_verdict": False}, TogetherResult.OTHER_VERDICT),
        ({"same_clauses": False}, TogetherResult.OTHER_POLICY),
        ({"state": TaskState.ESCALATED, "slots": 2}, TogetherResult.ESCALATED),
        ({"state": TaskState.HELD}, TogetherResult.HELD),
        ({"slots": 2}, TogetherResult.NEEDS_SECOND_REVIEWER),
        ({"barred": True}, TogetherResult.BARRED),
        ({"taken": True}, TogetherResult.CLAIMED_BY_OTHER),
    ],
)
def test_each_obstacle_is_named_for_leads_too(change: dict[str, Any], kept: TogetherResult) -> None:
    assert {obstacle(replace(FREE, **change), lead=lead) for lead in (False, True)} == {kept}


def test_what_merely_looks_alike_needs_a_lead() -> None:
    alike = replace(FREE, likeness=Likeness(exact=False, distance=NEAR))
    assert obstacle(alike, lead=False) is TogetherResult.NEEDS_LEAD
    assert obstacle(alike, lead=True) is None


def test_every_result_has_words_for_people() -> None:
    assert set(MEANING) == set(TogetherResult)
