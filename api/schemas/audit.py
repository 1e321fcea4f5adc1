"""The audit trail."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer


class AuditEvent(Answer):
    """Who did what, when, to which item and revision."""

    id: int = Field(description="In the order of commits: none is ever added before one that was seen")
    occurred_at: datetime
    actor: str
    action: str = Field(description="noun.verbed, say: policy.version_moved")
    batch_id: UUID | None
    item_id: str | None
    revision: int | None
    payload_digest: str | None = Field(description="sha256 of what was recorded")
    detail: dict[str, Any] | None = Field(description="Counts, codes and ids; no personal data")


class AuditEventPage(Answer):
    """Oldest first. A filtered page may be short, or empty, while there is more."""

    events: list[AuditEvent]
    next_cursor: str = Field(description="Where to go on, now or later: whoever polls with it misses nothing")
    more: bool = Field(description="Whether there is more at this moment")


class SealHead(Answer):
    """A head of the hash chain over the whole installation's trail. It shows nothing of the events below it but their number."""

    id: int
    link: int = Field(description="Up to which link of the chain")
    head: str = Field(description="sha256, of that link and all before")
    events: int = Field(description="How many events of all tenants it covers")
    created_at: datetime


class SealPage(Answer):
    """Oldest first."""

    seals: list[SealHead]
    next_cursor: str | None = Field(description="Null on the last page")


class Seal(SealHead):
    """And where it was exported to."""

    bucket: str
    key: str
    version_id: str | None = Field(description="S3 version, where the bucket keeps them")
