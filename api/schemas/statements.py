"""Statements of reasons."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, PersonsName, RequestBody
from api.schemas.decisions import Evidence, Id
from worker.moderation.statement_of_reasons import Reasons

State = Literal["draft", "held", "submitted", "refused", "withdrawn"]
WaitsFor = Literal["signature", "hold", "configuration", "receiver"]


class StatementDrafted(RequestBody):
    """A draft about a decision."""

    decision_id: Id
    reasons: Reasons = Field(
        default_factory=Reasons,
        description="What the platform says itself: ground, references, category, territory, dates. What is left out is drafted from the "
        "decision and its evidence, where they tell",
    )


class Signature(RequestBody):
    """Who answers for a statement."""

    signed_by: PersonsName | None = Field(
        None,
        description="The person, by a name of yours, which does not begin with `person:`, `key:` or `policy:`; a signed-in person signs as "
        "themselves",
    )


class RuleBroken(Answer):
    """A rule of the transparency database that the payload breaks."""

    field: str
    code: Literal["missing", "not_applicable", "repeated", "out_of_range", "unknown", "personal_data"]
    message: str


class Receiver(Answer):
    """What the transparency database answered."""

    code: str
    detail: dict[str, Any] | None = Field(description="What it said of single fields")
    id: str | None = Field(description="Its own id there")


class Statement(Answer):
    """A statement of reasons and its way to the transparency database."""

    id: UUID
    decision_id: UUID
    state: State
    waits_for: WaitsFor | None = Field(
        description="What comes next; `configuration`: no transparency database is configured, nothing is sent"
    )
    payload: dict[str, Any] = Field(description="Exactly what is sent")
    violations: list[RuleBroken] = Field(description="While there are any it cannot be signed")
    evidence: Evidence = Field(description="What the facts cite")
    drafted_by: str
    signed_by: str | None
    signed_at: datetime | None
    hold_until: datetime | None = Field(description="Not sent before this")
    receiver: Receiver | None
    created_at: datetime
    submitted_at: datetime | None


class StatementPage(Answer):
    """Newest first."""

    statements: list[Statement]
    next_cursor: str | None = Field(description="Null on the last page")
