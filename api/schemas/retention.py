"""Erasures and legal holds."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Discriminator, Field, Tag

from api.schemas.base import FORM, Answer, RequestBody
from worker.moderation.retention import DEFAULT_REASON, REASON

ITEM_ID = "^item_[0-9a-f]{32}_[0-9]{1,10}$"


class EraseRequest(RequestBody):
    """Why an image is erased."""

    reason: Annotated[str, Field(pattern=f"^{REASON.pattern}$", examples=["gdpr-17"])] = Field(
        DEFAULT_REASON, description="A code, which stays with the tombstone: nothing about a person belongs there"
    )


class Erasure(Answer):
    """What is left of an erased image, beside the numbers of its outcome."""

    item_id: str
    erased_at: datetime
    reason: str


class _Hold(RequestBody):
    reason: str = Field(min_length=1, max_length=2_000, pattern=r"\S", description="Why, for people")


class HoldOnItem(_Hold):
    """Hold one item."""

    item_id: str = Field(pattern=ITEM_ID)


class HoldOnBatch(_Hold):
    """Hold a whole batch."""

    batch_id: Annotated[UUID, Field(strict=False)]


def _form(body: object) -> str | None:
    named = body.get("item_id") if isinstance(body, dict) else getattr(body, "item_id", None)
    return FORM + ("batch" if named is None else "item")


HoldRequest = Annotated[Annotated[HoldOnItem, Tag(FORM + "item")] | Annotated[HoldOnBatch, Tag(FORM + "batch")], Discriminator(_form)]


class Hold(Answer):
    """A legal hold: nothing of it is purged or erased while it stands."""

    id: UUID
    batch_id: UUID
    item_id: str | None = Field(description="Null: the whole batch is held")
    reason: str
    placed_by: str
    placed_at: datetime
    released_by: str | None
    released_at: datetime | None = Field(description="Null while it stands")


class HoldPage(Answer):
    """Newest first."""

    holds: list[Hold]
    next_cursor: str | None = Field(description="Null on the last page")
