"""P(verdict) from the tokens that can begin it."""

import math
from collections.abc import Callable, Mapping, Sequence

from worker.moderation.errors import MisconfiguredError
from worker.moderation.outcomes import Verdict

DECIDED = 0.99  # grammar leaves all probability to the verdicts' beginnings; less means the position is another one

VerdictTokens = Mapping[Verdict, frozenset[int]]


def verdict_tokens(encode: Callable[[str], Sequence[int]]) -> VerdictTokens:
    """Per verdict, every token that can begin it: the guide allows `g`, `gen` and `generated` alike, and only their sum is P(generated).

    Raises MisconfiguredError when the two words share their first token: the score could not be read.
    """
    first = {verdict: encode(verdict.value)[0] for verdict in Verdict}
    if len(set(first.values())) < len(first):
        raise MisconfiguredError(
            "model_verdicts_alike", "The model's tokenizer gives both verdicts the same first token: no score can be read."
        )
    beginnings = {}
    for verdict in Verdict:
        prefixes = [encode(verdict.value[:length]) for length in range(1, len(verdict.value) + 1)]
        beginnings[verdict] = frozenset({first[verdict], *(ids[0] for ids in prefixes if len(ids) == 1)})
    return beginnings


def read_verdict_logprobs(positions: Sequence[Mapping[int, float]], tokens: VerdictTokens) -> dict[Verdict, float] | None:
    """Log-probabilities of the verdicts at the last position where both can begin: the schema's last field is the verdict.

    `positions` hold log-probabilities by token id, after grammar masking. None when no verdict was reached.
    """
    for position in reversed(positions):
        logprobs = {verdict: _log_sum([position.get(token, -math.inf) for token in tokens[verdict]]) for verdict in Verdict}
        if all(math.isfinite(value) for value in logprobs.values()):
            return logprobs if sum(map(math.exp, logprobs.values())) >= DECIDED else None
    return None


def _log_sum(logprobs: Sequence[float]) -> float:
    largest = max(logprobs)
    return largest if math.isinf(largest) else largest + math.log(sum(math.exp(value - largest) for value in logprobs))
