"""Shares and Wilson's interval, against published examples."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.shares import Share, wilson


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),  # Newcombe, Two-sided confidence intervals for the single proportion (1998), table I, method 3
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_newcombe_s(part: int, whole: int, low: float, high: float) -> None:
    found = wilson(part, whole)
    assert found.low == pytest.approx(low, abs=5e-5)
    assert found.high == pytest.approx(high, abs=5e-5)


def test_of_nothing_there_is_no_share() -> None:
    assert (Share(0, 0).value, Share(0, 0).interval) == (None, None)
    assert Share(1, 2) + Share(0, 2) == Share(1, 4)


@given(st.integers(1, 10**9).flatmap(lambda whole: st.tuples(st.integers(0, whole), st.just(whole))))
def test_the_interval_holds_the_share_and_stays_within_bounds(counts: tuple[int, int]) -> None:
    share = Share(*counts)
    assert share.interval is not None
    assert share.value is not None
    assert 0 <= share.interval.low <= share.value + 1e-12
    assert share.value - 1e-12 <= share.interval.high <= 1
