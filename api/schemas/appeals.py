"""Appeals."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestBody
from api.schemas.decisions import Evidence, Id

State = Literal["open", "upheld", "reversed"]


class AppealSubmitted(RequestBody):
    """A contested decision."""

    decision_id: Id
    statement: str = Field(min_length=1, max_length=5_000, pattern=r"\S", description="What the appellant says")
    region: int | None = Field(None, ge=1, le=32_767, description="The position of the one box that is contested; null: all of it")
    reference: str | None = Field(
        None, min_length=1, max_length=200, pattern=r"\S", description="Your own name for the case; no personal data"
    )


class Appeal(Answer):
    """A contested decision and what came of it."""

    id: UUID
    decision_id: UUID
    state: State
    statement: str = Field(description="Untrusted text")
    region: int | None
    reference: str | None
    due_at: datetime = Field(description="When it should be decided")
    created_at: datetime
    decided_at: datetime | None
    settled_by: UUID | None = Field(description="The decision that ended it, by somebody who had no part in the contested one")
    evidence: Evidence = Field(description="What the contested decision rests on; kept as long as cases are")


class AppealPage(Answer):
    """Newest first."""

    appeals: list[Appeal]
    next_cursor: str | None = Field(description="Null on the last page")
