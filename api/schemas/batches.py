"""Batches."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Discriminator, Field, Tag

from api.schemas.base import FORM, Answer, RequestBody
from worker.intake.inline import MAX_REFERENCES
from worker.moderation.policy import DEFAULT_POLICY, NAME
from worker.moderation.release import Training
from worker.store.models.intake import BatchState

OF_SOURCE, OF_ITEMS = FORM + "source", FORM + "items"

Priority = Annotated[int, Field(ge=-100, le=100, description="Higher is judged first.")]
PolicyName = Annotated[str, Field(pattern=f"^{NAME.pattern}$", description="The policy that routes what is judged.")]
Kind = Literal["verdict", "unreadable", "failed", "cancelled"]  # OutcomeKind; strict types take no text for an enum
Text1024 = Annotated[str, Field(min_length=1, max_length=1_024)]


class Terms(RequestBody):
    """How a submission wants to be treated."""

    priority: Priority = 0
    policy: PolicyName = DEFAULT_POLICY


class Reference(RequestBody):
    """One image, as a manifest's row names it."""

    source_ref: str = Field(
        alias="source-ref", min_length=1, max_length=4_096, description="s3://bucket/key", examples=["s3://zoomin-uploads/a.jpg"]
    )
    custom_id: Text1024 | None = Field(None, description="Your name for it, unique in the batch; line:N when none is given")
    version_id: Text1024 | None = Field(None, description="S3 version")
    metadata: dict[str, Any] | None = Field(None, description="Kept with the item; never shown to the model")


References = Annotated[list[Reference], Field(min_length=1, max_length=MAX_REFERENCES)]


class BatchFromSource(Terms):
    """A batch of what an S3 prefix or manifest names. Its intake goes on in the background."""

    source: str = Field(
        min_length=6,
        max_length=2_048,
        pattern="^s3://",
        description="s3://bucket/prefix/ or s3://bucket/manifest.jsonl (or .csv, either with .gz)",
        examples=["s3://zoomin-uploads/manifest.jsonl.gz"],
    )


class BatchFromItems(Terms):
    """A small batch whose references come with the request."""

    items: References


def _form(body: Any) -> str:
    """Which of the two a body means to be, so that faults are told of that one alone."""
    return OF_ITEMS if isinstance(body, BatchFromItems) or (isinstance(body, dict) and "items" in body) else OF_SOURCE


BatchSubmitted = Annotated[Annotated[BatchFromSource, Tag(OF_SOURCE)] | Annotated[BatchFromItems, Tag(OF_ITEMS)], Discriminator(_form)]


class Rows(Answer):
    """Source rows."""

    accepted: int
    rejected: int


class Counts(Answer):
    """Items of the newest revision: scope = verdict + unreadable + failed + cancelled + pending."""

    scope: int = Field(description="Items that the newest revision judges")
    verdict: int
    unreadable: int
    failed: int
    cancelled: int
    pending: int
    flagged: int = Field(description="Among the verdicts, by the live policy")


class Batch(Answer):
    """One submission."""

    id: UUID
    state: BatchState
    pause_reason: str | None
    source: str
    tenant: str
    policy: str = Field(description="The policy that routes what is judged")
    priority: int
    revision: int = Field(description="Newest; a rescan adds one")
    rows: Rows
    counts: Counts
    created_at: datetime
    received_at: datetime | None = Field(description="When intake was complete")
    finished_at: datetime | None


class JudgingRelease(Answer):
    """What judged, and how far its verdicts can be trusted."""

    id: str
    training: Training


class BatchJudges(Answer):
    """What judged the newest revision, by the batch's first 10,000 items."""

    releases: list[JudgingRelease]
    cached_prompt_share: float | None = Field(description="Of the zooms' prompt tokens, those taken from the prefix cache")
    cached_attainable_share: float | None = Field(description="The same, of what whole-block reuse could have given")


class BatchPage(Answer):
    """Newest first."""

    batches: list[Batch]
    next_cursor: str | None = Field(description="Null on the last page")


class Rescan(RequestBody):
    """What to judge again; everything, when nothing is named."""

    only: list[Kind] | None = Field(
        None,
        min_length=1,
        max_length=4,
        description="Only items whose newest outcome is of these kinds",
        examples=[["failed", "unreadable"]],
    )


class RescanStarted(Answer):
    """A rescan has begun."""

    batch_id: UUID
    revision: int
    items: int
