"""How fast the main run was, and what it cost in tokens."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from statistics import fmean

from worker.lab.evaluation.judged import Judged
from worker.moderation.outcomes import StageSeconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Means per picture; None where nothing was measured. Stage seconds are waited, not worked: pictures share the engine."""

    images_per_second: float | None
    fetch_seconds: float | None
    decode_seconds: float | None
    scan_seconds: float | None
    zoom_seconds: float | None
    prompt_tokens: float | None
    completion_tokens: float | None
    cached_tokens: float | None


def throughput(pictures: Sequence[Judged], images_per_second: float | None) -> Throughput:
    """The means over `pictures`, each over those that reached the stage."""
    stages = {
        f"{stage.name}_seconds": _mean([getattr(picture.seconds, stage.name) for picture in pictures]) for stage in fields(StageSeconds)
    }
    asked = [picture.tokens for picture in pictures if picture.tokens.prompt]
    return Throughput(
        images_per_second=images_per_second,
        prompt_tokens=_mean([tokens.prompt for tokens in asked]),
        completion_tokens=_mean([tokens.completion for tokens in asked]),
        cached_tokens=_mean([tokens.cached for tokens in asked]),
        **stages,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
