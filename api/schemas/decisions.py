"""Decisions, and what they rest on."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import Answer, RequestBody
from worker.moderation.policy import NAME

Verdict = Literal["real", "generated"]
Action = Literal["none", "label", "restrict", "remove"]
# An id of another resource in a body: strict JSON knows no UUIDs.
Id = Annotated[UUID, Field(strict=False)]
ClauseId = Annotated[str, Field(pattern=f"^{NAME.pattern}$", description="Which clause of the policy version it rests on")]


class Decision(Answer):
    """What the platform is to do about an image. Written once; a later one supersedes it."""

    id: UUID
    item_id: str
    revision: int = Field(description="The outcome it was decided on")
    basis: Literal["review", "lead", "appeal", "automatic"]
    verdict: Verdict
    action: Action
    reason: str = Field(description="For people: untrusted text")
    decided_by: str
    policy_version: str | None = Field(description="Under which version the outcome had been routed")
    clause: str | None = Field(description="Which clause of that version it rests on")
    supersedes: UUID | None
    current: bool = Field(description="Whether no other supersedes it")
    created_at: datetime


class DecisionPage(Answer):
    """Oldest first."""

    decisions: list[Decision]
    next_cursor: str | None = Field(description="Null on the last page")


class DecisionLine(Answer):
    """An item's newest 100 decisions, each superseding the one before; the last one stands."""

    decisions: list[Decision]


class Overriding(RequestBody):
    """A lead's own decision."""

    verdict: Verdict
    action: Action
    reason: str = Field(min_length=1, max_length=2_000, pattern=r"\S", description="Why, for people")
    clause: ClauseId | None = None
    supersedes: Id | None = Field(description="The decision that you saw to stand; null: there was none")


class EvidenceRegion(Answer):
    """A region of the decided outcome."""

    id: str
    position: int
    box: list[int] = Field(min_length=4, max_length=4, description="Pixels of the original after EXIF orientation")
    crop_sha256: str | None = Field(description="The very pixels the model was sent")


class Evidence(Answer):
    """What was decided on, as it was then: outcomes and regions never change."""

    item_id: str
    revision: int
    regions: list[EvidenceRegion]
