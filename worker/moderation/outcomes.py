"""What becomes of an item: closed sets as enums, results as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from uuid import UUID

from worker.moderation.boxes import Box, Size
from worker.moderation.degradation import Degradation, DegradationBand
from worker.moderation.faithfulness import Faithfulness


class Verdict(StrEnum):
    """The only two things the model may say of an image."""

    REAL = "real"
    GENERATED = "generated"


class OutcomeKind(StrEnum):
    """The terminal states of an item. An error is never a verdict."""

    VERDICT = "verdict"
    UNREADABLE = "unreadable"  # the model answered, twice, in a way that could not be read
    FAILED = "failed"  # the image or its fetch failed for good
    CANCELLED = "cancelled"


class ZoomPath(StrEnum):
    """How the verdict was reached."""

    ZOOMED = "zoomed"  # the crops of the scan's regions were looked at
    SECOND_LOOK = "second_look"  # no usable regions: the whole image was judged again, without crops


class Stage(StrEnum):
    """The model's two queries."""

    SCAN = "scan"
    ZOOM = "zoom"


class RetentionClass(StrEnum):
    """How long evidence is kept; ordered by rank, and evidence only ever rises."""

    ROUTINE = "routine"  # of images that passed
    CASE = "case"  # of images that went to review or were flagged


@dataclass(frozen=True, slots=True)
class ItemReference:
    """One image reference of a batch: where the bytes are, never a credential."""

    batch_id: UUID
    ordinal: int
    custom_id: str
    bucket: str
    key: str
    version_id: str | None = None

    @property
    def source(self) -> str:
        """The reference as people write it; a path where there is no bucket, as in an evaluation."""
        return f"s3://{self.bucket}/{self.key}" if self.bucket else self.key


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """Which bytes were judged. `size` is that of the original after EXIF orientation."""

    sha256: str
    etag: str | None = None
    version_id: str | None = None
    byte_count: int = 0
    media_type: str | None = None
    size: Size | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceFacts:
    """An object in the evidence bucket, named by the sha256 of its bytes."""

    sha256: str
    media_type: str
    byte_count: int

    @property
    def key(self) -> str:
        """Its key in the bucket; the two leading digits spread listings."""
        return f"{self.sha256[:2]}/{self.sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A part worth a closer look. `box` and `crop_box` are in original, oriented pixels."""

    box: Box
    reason: str
    finding: str | None = None  # what the zoom saw; None when it said nothing of this region
    crop_box: Box | None = None  # the padded rectangle that was cut
    crop_sha256: str | None = None  # of the evidence object with the pixels the model was sent
    scale: float | None = None  # sent pixels per original pixel


@dataclass(frozen=True, slots=True, kw_only=True)
class StageTrace:
    """One request and its reply: enough to replay. Images appear in `request` by sha256."""

    stage: Stage
    attempt: int
    request: Mapping[str, Any]
    reply: str
    finish_reason: str
    prompt_tokens: int
    cached_tokens: int | None  # None where the engine does not tell
    attainable_tokens: int | None  # most that whole-block prefix reuse could have given; None where unknown
    completion_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSeconds:
    """Wall-clock seconds per stage; None for stages not reached."""

    fetch: float | None = None
    decode: float | None = None
    scan: float | None = None
    zoom: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The one terminal record of an item and revision."""

    ordinal: int
    kind: OutcomeKind
    release_id: str | None = None
    verdict: Verdict | None = None
    p_generated: float | None = None  # calibrated when the release has a calibration
    p_generated_raw: float | None = None
    scan_verdict: Verdict | None = None
    scan_p_generated: float | None = None
    explanation: str | None = None
    scan_explanation: str | None = None
    path: ZoomPath | None = None
    regions: tuple[Region, ...] = ()
    traces: tuple[StageTrace, ...] = ()
    evidence: tuple[EvidenceFacts, ...] = ()
    sent_sha256: str | None = None  # evidence of the shrunken whole image
    sent_size: Size | None = None  # its size; in the trace's request too, but traces end sooner
    perceptual_hash: int | None = None  # of the same, signed 64 bits: a hint that images are alike
    degradation: Degradation | None = None  # of the original, estimated
    degradation_band: DegradationBand | None = None  # that follows from it, and by which the score is calibrated; None: not estimated
    source: SourceFacts | None = None
    error_code: str | None = None
    error_message: str | None = None
    seconds: StageSeconds = field(default_factory=StageSeconds)
    faithfulness: Faithfulness | None = None  # whether its explanation moves its score; None: not checked
