"""Whether PyTorch reads a checkpoint as the engine did. Where it does not, a map would explain another model. No torch."""

import math

from worker.moderation.calibration import logit, sigmoid
from worker.moderation.errors import MisconfiguredError
from worker.moderation.outcomes import Stage

# In nats, between the verdict's two log-probabilities as recorded and as read here. float32 leaves 2e-5 between the two on nano; 0.05 is
# 5 % of a probability. A logit of 16 to 32 in bfloat16 is known to 0.125 only, so both sides together can be two such steps apart.
TOLERANCES = {"float32": 0.05, "float16": 0.1, "bfloat16": 0.25}
COARSEST = max(TOLERANCES.values())


class DisagreementError(MisconfiguredError):
    """PyTorch reads the checkpoint otherwise than the engine did."""

    def __init__(self, code: str, message: str, gap: float = math.nan) -> None:
        super().__init__(code, message)
        self.gap = gap  # nats, of the first stage that disagreed


def logprob_gap(recorded: float, read_logit: float) -> float:
    """The larger difference of the verdicts' two log-probabilities, renormalised over the two: recorded as raw P(generated), read as logit.

    Both are limited to where a score saturates.
    """
    own = logit(sigmoid(read_logit))
    return max(abs(_log_sigmoid(sign * own) - _log_sigmoid(sign * logit(recorded))) for sign in (1, -1))


def tolerance(*dtypes: str) -> float:
    """The widest gap that the types of both sides excuse."""
    return max(TOLERANCES.get(dtype, COARSEST) for dtype in dtypes)


def refuse_disagreement(stage: Stage, gap: float, allowed: float) -> None:
    """Returns when the gap is within what is allowed. Raises DisagreementError."""
    if not gap <= allowed:  # a gap that is no number is refused, too
        raise DisagreementError(
            "attention_disagrees",
            f"PyTorch reads this checkpoint otherwise than the engine did: the {stage}'s verdict has log-probabilities {gap:.3f} nats "
            f"apart, and {allowed:g} is allowed. No map is drawn, since it would explain another model. Compare the versions of torch, "
            "transformers and vllm with those of the release, and its quantisation.",
            gap,
        )


def _log_sigmoid(z: float) -> float:
    return min(z, 0.0) - math.log1p(math.exp(-abs(z)))
