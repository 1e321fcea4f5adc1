"""What a release made of one labelled picture: as much of the outcome as figures and gallery need, and no traces."""

from dataclasses import dataclass

from worker.lab.labels import Label
from worker.moderation.boxes import Box, Size
from worker.moderation.degradation import Degradation, DegradationBand, band
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import Outcome, OutcomeKind, StageSeconds, Verdict


@dataclass(frozen=True, slots=True)
class Tokens:
    """Over all of a picture's requests. `cached` is None where the engine does not tell."""

    prompt: int
    completion: int
    cached: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A label and what was said of its picture. `found` are the outcome's boxes in original, oriented pixels, as the label's are."""

    label: Label
    kind: OutcomeKind
    verdict: Verdict | None
    p_generated: float | None
    p_generated_raw: float | None
    scan_verdict: Verdict | None
    scan_p_generated: float | None
    found: tuple[Box, ...]
    findings: tuple[str | None, ...]
    explanation: str | None
    size: Size | None
    seconds: StageSeconds
    tokens: Tokens
    error: str | None
    faithfulness: Faithfulness | None = None  # where the explanation was tested
    degradation: Degradation | None = None

    @property
    def band(self) -> DegradationBand | None:
        """By which images are told apart now, whatever they were called when it was judged."""
        return band(self.degradation) if self.degradation else None

    @property
    def generated(self) -> bool:
        """The truth."""
        return self.label.label is Verdict.GENERATED

    @property
    def right(self) -> bool:
        """Whether the final verdict is true; False without one."""
        return self.verdict is self.label.label

    @property
    def scan_right(self) -> bool:
        """Whether the scan's provisional verdict is true; False without one."""
        return self.scan_verdict is self.label.label


def judged(label: Label, outcome: Outcome) -> Judged:
    """`outcome` as the answer to `label`."""
    cached = [trace.cached_tokens for trace in outcome.traces if trace.cached_tokens is not None]
    return Judged(
        label=label,
        kind=outcome.kind,
        verdict=outcome.verdict,
        p_generated=outcome.p_generated,
        p_generated_raw=outcome.p_generated_raw,
        scan_verdict=outcome.scan_verdict,
        scan_p_generated=outcome.scan_p_generated,
        found=tuple(region.box for region in outcome.regions),
        findings=tuple(region.finding for region in outcome.regions),
        explanation=outcome.explanation,
        size=outcome.source.size if outcome.source else None,
        seconds=outcome.seconds,
        tokens=Tokens(
            prompt=sum(trace.prompt_tokens for trace in outcome.traces),
            completion=sum(trace.completion_tokens for trace in outcome.traces),
            cached=sum(cached) if cached else None,
        ),
        error=outcome.error_message,
        faithfulness=outcome.faithfulness,
        degradation=outcome.degradation,
    )
