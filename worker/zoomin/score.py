"""P(generated) from the verdict's log-probabilities, its calibration, and how much of the zoom's prompt could have come from the cache."""

import math
from collections.abc import Mapping, Sequence
from itertools import takewhile
from types import MappingProxyType

from worker.moderation.calibration import BandCalibration, Calibration
from worker.moderation.degradation import DegradationBand
from worker.moderation.outcomes import Verdict
from worker.vision.model import Answer

EVEN = 0.5


def probability_generated(logprobs: Mapping[Verdict, float] | None) -> float | None:
    """P(generated) among the two verdicts, renormalised; None without log-probabilities. Saturates near 0 and 1."""
    if logprobs is None:
        return None
    difference = logprobs[Verdict.REAL] - logprobs[Verdict.GENERATED]
    if math.isnan(difference):
        return None
    return 1 / (1 + math.exp(min(difference, 700.0)))  # exp overflows above 709; 700 is already P = 1e-304


def calibrated(
    p_raw: float | None,
    overall: Calibration | None,
    bands: Mapping[DegradationBand, BandCalibration] = MappingProxyType({}),
    band: DegradationBand | None = None,
) -> float | None:
    """The score that decides: calibrated for the image's band of degradation, else overall, else raw; None where there is no score."""
    own = bands.get(band) if band else None
    fitted = (own.calibration if own else None) or overall
    return p_raw if p_raw is None or fitted is None else fitted.apply(p_raw)


def likelier(p_generated: float | None, written: Verdict) -> Verdict:
    """The verdict that the score favours; the word that was written where there is no score.

    Greedy decoding takes the likeliest token, which may begin the less likely word when several tokens can begin each. A record whose
    verdict contradicts its score would be read as a fault; the word itself stays in the trace.
    """
    if p_generated is None:
        return written
    return Verdict.GENERATED if p_generated >= EVEN else Verdict.REAL


def attainable_tokens(scan: Answer, zoom: Answer, block_tokens: int | None) -> int | None:
    """Most tokens of the zoom's prompt that whole-block reuse could give; None where the engine tells no tokens.

    That is the prefix it shares with the scan: whose last sampled token was never computed, as a prompt's last token always is anew.
    More came from the cache where the same image was zoomed before.
    """
    if not block_tokens or not scan.prompt_token_ids or not zoom.prompt_token_ids:
        return None
    computed: Sequence[int] = [*scan.prompt_token_ids, *scan.reply_token_ids[:-1]]
    reusable = zoom.prompt_token_ids[:-1]
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(computed, reusable, strict=False)))
    return max(common // block_tokens * block_tokens, zoom.cached_tokens or 0)
