import math

import pytest

from worker.moderation.errors import MisconfiguredError
from worker.moderation.outcomes import Verdict
from worker.vision.verdict import read_verdict_logprobs, verdict_tokens

VOCABULARY = {"r": 1, "re": 2, "real": 3, "g": 4, "gen": 5, "generated": 6, "e": 7, "a": 8, "l": 9, "n": 10, "t": 11, "d": 12}
TOKENS = {Verdict.REAL: frozenset({1, 2, 3}), Verdict.GENERATED: frozenset({4, 5, 6})}


def encode(text: str) -> list[int]:
    """Longest match first."""
    ids = []
    while text:
        length = next(size for size in range(len(text), 0, -1) if text[:size] in VOCABULARY)
        ids.append(VOCABULARY[text[:length]])
        text = text[length:]
    return ids


def test_every_token_that_can_begin_a_verdict_counts() -> None:
    assert verdict_tokens(encode) == TOKENS


def test_verdicts_that_share_their_first_token_are_refused() -> None:
    with pytest.raises(MisconfiguredError) as error:
        verdict_tokens(lambda text: [0, *map(ord, text)])
    assert error.value.code == "model_verdicts_alike"


def test_beginnings_of_a_word_are_summed() -> None:
    position = {3: math.log(0.5), 2: math.log(0.25), 6: math.log(0.2), 4: math.log(0.05)}
    logprobs = read_verdict_logprobs([position], TOKENS)
    assert logprobs is not None
    assert math.exp(logprobs[Verdict.REAL]) == pytest.approx(0.75)
    assert math.exp(logprobs[Verdict.GENERATED]) == pytest.approx(0.25)


def test_last_position_where_both_can_begin_is_read() -> None:
    free_text = {3: math.log(0.9), 6: math.log(0.09)}
    verdict = {3: math.log(0.3), 6: math.log(0.7)}
    inside_the_word = {7: 0.0, 3: -math.inf, 6: -math.inf}
    logprobs = read_verdict_logprobs([free_text, verdict, inside_the_word], TOKENS)
    assert logprobs is not None
    assert math.exp(logprobs[Verdict.GENERATED]) == pytest.approx(0.7)


def test_reply_cut_off_before_its_verdict_has_no_score() -> None:
    free_text = {3: math.log(0.01), 6: math.log(0.002), 7: math.log(0.9)}
    assert read_verdict_logprobs([free_text, free_text], TOKENS) is None


def test_reply_without_logprobs_has_no_score() -> None:
    assert read_verdict_logprobs([], TOKENS) is None
