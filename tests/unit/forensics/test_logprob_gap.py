import math

import pytest

from worker.forensics.agreement import TOLERANCES, logprob_gap, refuse_disagreement, tolerance
from worker.moderation.errors import MisconfiguredError
from worker.moderation.outcomes import Stage


def test_the_gap_is_the_larger_of_the_two_log_probabilities() -> None:
    recorded, read = 0.9, 0.95
    gap = logprob_gap(recorded, math.log(read / (1 - read)))
    assert gap == pytest.approx(math.log(0.1 / 0.05))
    assert logprob_gap(0.5, 0.0) == 0


@pytest.mark.parametrize("recorded", [0.0, 1.0])
def test_saturated_scores_agree_with_what_saturates_alike(recorded: float) -> None:
    assert logprob_gap(recorded, math.copysign(50.0, recorded - 0.5)) < 1e-9
    assert logprob_gap(recorded, math.copysign(2.0, recorded - 0.5)) > 1


def test_the_coarser_side_sets_the_tolerance() -> None:
    assert tolerance("float32", "float32") == 0.05
    assert tolerance("float32", "bfloat16") == TOLERANCES["bfloat16"]
    assert tolerance("float32", "fp8_e4m3") == max(TOLERANCES.values())


@pytest.mark.parametrize("gap", [0.051, math.nan])
def test_a_gap_beyond_it_is_refused_in_words(gap: float) -> None:
    refuse_disagreement(Stage.SCAN, 0.05, 0.05)
    with pytest.raises(MisconfiguredError, match="the scan's verdict") as refused:
        refuse_disagreement(Stage.SCAN, gap, 0.05)
    assert refused.value.code == "attention_disagrees"
