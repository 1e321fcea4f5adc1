import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.moderation.calibration import LARGEST_LOGIT, Calibration, logit, sigmoid

probabilities = st.floats(0, 1)
calibrations = st.builds(Calibration, st.floats(1e-3, 1e3), st.floats(-1e3, 1e3))


@given(probabilities, calibrations)
@example(0.0, Calibration(1e3, -1e3))
@example(1.0, Calibration(1e3, 1e3))
def test_a_calibrated_probability_is_one(p: float, calibration: Calibration) -> None:
    assert 0 <= calibration.apply(p) <= 1


@given(probabilities, probabilities, calibrations)
def test_a_calibration_never_turns_a_ranking_round(p: float, q: float, calibration: Calibration) -> None:
    low, high = sorted((p, q))
    assert calibration.apply(low) <= calibration.apply(high) or calibration.apply(low) == pytest.approx(calibration.apply(high))


@given(probabilities)
@example(0.0)
@example(1.0)
@example(1e-304)
def test_scale_1_and_offset_0_change_nothing(p: float) -> None:
    assert Calibration(1, 0).apply(p) == pytest.approx(p, rel=1e-9, abs=1e-12)


@given(probabilities, calibrations)
def test_the_inverse_finds_the_raw_logit_again(p: float, calibration: Calibration) -> None:
    z = calibration.scale * logit(p) + calibration.offset
    if abs(z) < 20:  # beyond, float64 holds too few digits of 1 - P
        assert (logit(calibration.apply(p)) - calibration.offset) / calibration.scale == pytest.approx(logit(p), rel=1e-6, abs=1e-3)


def test_a_saturated_score_can_be_made_less_sure() -> None:
    humble = Calibration(scale=0.1, offset=-0.5)
    assert humble.apply(1.0) == pytest.approx(1 / (1 + math.exp(-2.5)))
    assert humble.apply(0.0) == pytest.approx(1 / (1 + math.exp(3.5)))


def test_both_ends_saturate_alike() -> None:
    assert logit(0.0) == logit(5e-324) == -LARGEST_LOGIT
    assert logit(1.0) == logit(1 - 2**-53) == LARGEST_LOGIT
    assert logit(0.75) == pytest.approx(math.log(3))


def test_the_offset_moves_the_threshold() -> None:
    assert Calibration(1, math.log(3)).apply(0.25) == pytest.approx(0.5)


@pytest.mark.parametrize(("scale", "offset"), [(0, 0), (-1, 0), (math.nan, 0), (math.inf, 0), (1, math.nan), (1, -math.inf)])
def test_a_calibration_that_would_reverse_or_lose_scores_is_refused(scale: float, offset: float) -> None:
    with pytest.raises(ValueError, match="scale above 0"):
        Calibration(scale, offset)


@pytest.mark.parametrize("p", [-0.1, 1.1, math.inf])
def test_what_is_no_probability_is_refused(p: float) -> None:
    with pytest.raises(ValueError, match=r"domain|positive"):
        Calibration(1, 0).apply(p)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_the_sigmoid_of_any_finite_number_is_a_probability(z: float) -> None:
    assert 0 <= sigmoid(z) <= 1
