import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.outcomes import Verdict
from worker.vision.model import Answer
from worker.zoomin.score import attainable_tokens, likelier, probability_generated


def answer(prompt: list[int], reply: list[int]) -> Answer:
    return Answer(
        text="",
        finish_reason="stop",
        verdict_logprobs=None,
        prompt_tokens=len(prompt),
        completion_tokens=len(reply),
        prompt_token_ids=prompt,
        reply_token_ids=reply,
    )


@pytest.mark.parametrize(
    ("real", "generated", "expected"),
    [(math.log(0.25), math.log(0.75), 0.75), (math.log(0.01), math.log(0.03), 0.75), (-math.inf, 0.0, 1.0), (0.0, -math.inf, 0.0)],
)
def test_the_score_is_renormalised_over_the_two_verdicts(real: float, generated: float, expected: float) -> None:
    assert probability_generated({Verdict.REAL: real, Verdict.GENERATED: generated}) == pytest.approx(expected)


def test_no_log_probabilities_give_no_score() -> None:
    assert probability_generated(None) is None
    assert probability_generated({Verdict.REAL: -math.inf, Verdict.GENERATED: -math.inf}) is None


@given(st.floats(-1e6, 0), st.floats(-1e6, 0))
def test_the_score_is_a_probability(real: float, generated: float) -> None:
    p = probability_generated({Verdict.REAL: real, Verdict.GENERATED: generated})
    assert p is not None
    assert 0 <= p <= 1


def test_the_verdict_never_contradicts_its_score() -> None:
    assert likelier(0.48, Verdict.GENERATED) is Verdict.REAL
    assert likelier(0.5, Verdict.REAL) is Verdict.GENERATED
    assert likelier(None, Verdict.REAL) is Verdict.REAL


def test_only_whole_blocks_of_the_common_prefix_are_attainable() -> None:
    scan = answer([1] * 100, [2] * 30)
    zoom = answer([1] * 100 + [2] * 20 + [3] * 50, [])
    assert attainable_tokens(scan, zoom, 16) == 112  # 120 in common
    assert attainable_tokens(scan, zoom, None) is None


def test_an_image_zoomed_before_attains_what_the_cache_gave() -> None:
    zoom = replace(answer([1] * 100, []), cached_tokens=96)
    assert attainable_tokens(answer([1] * 40, []), zoom, 32) == 96


def test_the_last_token_of_reply_and_prompt_can_never_be_reused() -> None:
    assert attainable_tokens(answer([1] * 31, [1]), answer([1] * 64, []), 32) == 0
    assert attainable_tokens(answer([1] * 64, [2, 2]), answer([1] * 32, []), 32) == 0
