"""Items, their outcomes, regions and traces. Texts of models and submitters are data: show them escaped."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer
from api.schemas.batches import References, Terms
from worker.moderation.degradation import DegradationBand
from worker.moderation.outcomes import OutcomeKind, Stage, Verdict, ZoomPath
from worker.moderation.release import Training

ItemState = Literal["pending", "verdict", "unreadable", "failed", "cancelled"]


class ItemsSubmitted(Terms):
    """A small set of references: becomes a batch of its own."""

    items: References


class ErrorBody(Answer):
    """Why an item has no verdict."""

    code: str
    message: str

    @classmethod
    def of(cls, code: str | None, message: str | None) -> Self | None:
        """Of what is recorded; None where no error is."""
        return cls(code=code, message=message or "") if code else None


class Item(Answer):
    """One image reference and its newest outcome."""

    id: str
    batch_id: UUID
    ordinal: int
    custom_id: str
    source: str = Field(description="Empty once the image was erased")
    version_id: str | None
    line: int = Field(description="Line or listing position in the source, from 1")
    metadata: dict[str, Any] | None
    state: ItemState = Field(description="The kind of the newest outcome; pending while there is none")
    revision: int | None
    verdict: Verdict | None
    p_generated: float | None
    explanation: str | None = Field(description="Untrusted model text")
    path: ZoomPath | None
    release: str | None
    training: Training | None = Field(description="How far the release's verdicts can be trusted")
    error: ErrorBody | None
    erased_at: datetime | None = Field(
        description="When it was erased: its outcome still counts, its source, metadata, words, boxes and traces are gone"
    )


class ItemPage(Answer):
    """By ordinal. With a `state`, a page may be short or even empty before the last: go on while there is a cursor."""

    items: list[Item]
    next_cursor: str | None = Field(description="Null on the last page")


class BorderBody(Answer):
    """Widths of uniform borders, in pixels of the original after EXIF orientation."""

    left: int
    top: int
    right: int
    bottom: int


class DegradationBody(Answer):
    """What the image went through before it came, as estimated from its file and pixels."""

    band: DegradationBand = Field(
        description="The first that holds, in this order; the score is calibrated for it where the release has it"
    )
    jpeg_quality: int | None = Field(description="1 to 100 on libjpeg's scale, from the file's tables; null: not a JPEG")
    blur: float | None = Field(description="Standard deviation in pixels of the Gaussian in its sharpest edges; null: no edges")
    rescaling: float | None = Field(description="It was enlarged by this factor; 1: no trace of that; null: too small to tell")
    border: BorderBody


class OutcomeBody(Answer):
    """The terminal record of an item at a revision."""

    revision: int
    kind: OutcomeKind
    verdict: Verdict | None
    p_generated: float | None = Field(description="Calibrated when the release has a calibration")
    p_generated_raw: float | None
    scan_verdict: Verdict | None
    scan_p_generated: float | None
    explanation: str | None = Field(description="Untrusted model text")
    scan_explanation: str | None = Field(description="Untrusted model text")
    path: ZoomPath | None
    release: str | None
    image_sha256: str | None
    etag: str | None
    version_id: str | None
    byte_count: int | None
    media_type: str | None
    width: int | None = Field(description="Pixels, after EXIF orientation")
    height: int | None
    sent_sha256: str | None
    degradation: DegradationBody | None = Field(description="Null where it was not estimated: nothing was decoded, or long ago")
    error: ErrorBody | None
    created_at: datetime


class OutcomeList(Answer):
    """Newest revision first; at most the newest 100."""

    outcomes: list[OutcomeBody]


class RegionBody(Answer):
    """A part worth a closer look (not: a fake one). Boxes are [x0, y0, x1, y1] in pixels of the original after EXIF orientation."""

    id: str
    revision: int
    position: int
    box: list[int] = Field(min_length=4, max_length=4)
    reason: str = Field(description="Untrusted model text")
    finding: str | None = Field(description="Untrusted model text")
    crop_box: list[int] | None = Field(min_length=4, max_length=4)
    crop_sha256: str | None
    scale: float | None


class RegionList(Answer):
    """In the model's order."""

    regions: list[RegionBody]


class TraceBody(Answer):
    """One request to the model and its reply."""

    revision: int
    stage: Stage
    attempt: int
    request: dict[str, Any]
    reply: str = Field(description="Untrusted model text")
    finish_reason: str
    prompt_tokens: int
    cached_tokens: int | None
    completion_tokens: int
    seconds: float


class TraceList(Answer):
    """By stage and attempt."""

    traces: list[TraceBody]
