"""The notebook of one image: fills up from fetch to verdict, and turns into an Outcome at whatever point the work ends."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from worker.images.prepare import ScanImage
from worker.moderation.boxes import Size
from worker.moderation.degradation import Degradation, DegradationBand, band
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import (
    EvidenceFacts,
    ItemReference,
    Outcome,
    OutcomeKind,
    Region,
    SourceFacts,
    StageSeconds,
    StageTrace,
    Verdict,
    ZoomPath,
)
from worker.vision.model import ModelCard
from worker.zoomin.replies import ScanReply, UnreadableReplyError, ZoomReply
from worker.zoomin.score import calibrated, likelier, probability_generated


@dataclass(slots=True)
class Case:
    """Mutable on purpose and seen by one coroutine only: what is known of an image so far, also when the next step fails."""

    item: ItemReference
    release_id: str
    source: SourceFacts | None = None
    sent_sha256: str | None = None
    sent_size: Size | None = None
    perceptual_hash: int | None = None
    degradation: Degradation | None = None
    evidence: tuple[EvidenceFacts, ...] = ()
    traces: list[StageTrace] = field(default_factory=list)
    regions: tuple[Region, ...] = ()
    scan: ScanReply | None = None
    scan_p_generated: float | None = None  # raw: a calibration is fitted on final verdicts and holds for them only
    seconds: StageSeconds = field(default_factory=StageSeconds)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Adds the block's wall-clock time to `stage`, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = (getattr(self.seconds, stage) or 0.0) + time.perf_counter() - start
            self.seconds = replace(self.seconds, **{stage: spent})

    def note_pixels(self, image: ScanImage) -> None:
        """The image's true format and size, and which pixels the scan is sent."""
        self.source = replace(self.source, media_type=image.media_type, size=image.original) if self.source else None
        self.sent_sha256, self.perceptual_hash = image.evidence.facts.sha256, image.perceptual_hash
        self.sent_size = image.sent
        self.degradation = image.degradation

    @property
    def degradation_band(self) -> DegradationBand | None:
        """Of what the image went through; None until it is decoded."""
        return band(self.degradation) if self.degradation else None

    def judged(self, zoom: ZoomReply, logprobs: Mapping[Verdict, float] | None, path: ZoomPath, card: ModelCard) -> Outcome:
        """The verdict, which follows the score as calibrated for images as degraded as this one; the raw one stands beside it."""
        p_raw = probability_generated(logprobs)
        p_generated = calibrated(p_raw, card.calibration, card.bands, self.degradation_band)
        return replace(
            self._outcome(OutcomeKind.VERDICT),
            verdict=likelier(p_generated, zoom.verdict),
            p_generated=p_generated,
            p_generated_raw=p_raw,
            explanation=zoom.explanation,
            path=path,
        )

    def unreadable(self, error: UnreadableReplyError) -> Outcome:
        """The model answered, twice, in a way that could not be read."""
        message = f"The model's reply could not be read, twice: {error}. The raw replies are in the item's traces."
        return replace(self._outcome(OutcomeKind.UNREADABLE), error_code="reply_unreadable", error_message=message)

    def failed(self, error: RejectedError) -> Outcome:
        """The image or its fetch failed for good."""
        return replace(self._outcome(OutcomeKind.FAILED), error_code=error.code, error_message=error.message)

    def _outcome(self, kind: OutcomeKind) -> Outcome:
        return Outcome(
            ordinal=self.item.ordinal,
            kind=kind,
            release_id=self.release_id,
            scan_verdict=likelier(self.scan_p_generated, self.scan.verdict) if self.scan and self.scan.verdict else None,
            scan_p_generated=self.scan_p_generated,
            scan_explanation=self.scan.explanation if self.scan else None,
            regions=self.regions,
            traces=tuple(self.traces),
            evidence=self.evidence,
            sent_sha256=self.sent_sha256,
            sent_size=self.sent_size,
            perceptual_hash=self.perceptual_hash,
            degradation=self.degradation,
            degradation_band=self.degradation_band,
            source=self.source,
            seconds=self.seconds,
        )
