"""Webhook endpoints, their deliveries, and the events."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field

from api.schemas.base import WHOLE, Answer, RequestBody
from worker.moderation.events import EventType
from worker.moderation.targets import LONGEST_URL
from worker.store.models.webhooks import DeliveryState, EndpointState
from worker.store.webhook_endpoints import LONGEST_DESCRIPTION, LONGEST_OVERLAP, OVERLAP

# SUBSCRIBABLE; strict types take no text for an enum
Kind = Literal[
    "batch.completed",
    "item.verdict.created",
    "item.failed",
    "review.completed",
    "decision.created",
    "decision.superseded",
    "appeal.decided",
]
Kinds = Annotated[list[Kind], Field(min_length=1, max_length=20, examples=[["batch.completed", "item.failed"]])]
Url = Annotated[
    str,
    Field(
        min_length=9,
        max_length=LONGEST_URL,
        description="https:// on the public Internet. Its name is looked up now, and again at every send",
        examples=["https://hooks.example.com/zoomin"],
    ),
]
Description = Annotated[str, Field(max_length=LONGEST_DESCRIPTION, description="Your own words for it")]


class EndpointSubmitted(RequestBody):
    """A new endpoint. It is sent what happens from now on."""

    url: Url
    types: Kinds
    description: Description = ""


class EndpointChanges(RequestBody):
    """What is to change; the rest stays."""

    url: Url | None = None
    types: Kinds | None = None
    description: Description | None = None


class Rotation(RequestBody):
    """For how long the old secret goes on signing."""

    overlap_seconds: Annotated[int, Field(ge=0, le=int(LONGEST_OVERLAP.total_seconds())), WHOLE] = int(OVERLAP.total_seconds())


class Endpoint(Answer):
    """A URL that is told of events."""

    id: UUID
    url: str
    types: list[EventType]
    description: str
    state: EndpointState
    state_reason: str | None = Field(description="Why it is paused or disabled, for people")
    failing_since: datetime | None = Field(description="First failure since the last success")
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """The only answer that shows the secret."""

    secret: str = Field(description="whsec_…, for any library of Standard Webhooks. Keep it: it is not shown again")


class EndpointList(Answer):
    """Those that are not disabled, oldest first; 20 at most."""

    endpoints: list[Endpoint]


class TestSent(Answer):
    """A `webhook.test` event is on its way to this endpoint alone."""

    __test__ = False

    endpoint_id: UUID
    event_id: str


class Delivery(Answer):
    """An event on its way to an endpoint, or arrived there."""

    endpoint_id: UUID
    event_id: str = Field(description="Also the webhook-id of every attempt")
    type: EventType
    state: DeliveryState
    attempts: int = Field(description="Since it was created or redelivered")
    next_attempt_at: datetime | None = Field(description="Null once nothing more is tried")
    last_status: int | None = Field(description="HTTP status of the last attempt that was answered")
    last_error: str | None = Field(description="Stable code of the last failure")
    last_seconds: float | None
    created_at: datetime
    delivered_at: datetime | None


class DeliveryPage(Answer):
    """The newest event first."""

    deliveries: list[Delivery]
    next_cursor: str | None = Field(description="Null on the last page")


class Attempt(Answer):
    """One attempt, as it ended."""

    attempt: int
    status: int | None = Field(description="Null when there was no answer")
    error_code: str | None = Field(description="Null when it was accepted")
    seconds: float
    ended_at: datetime


class AttemptList(Answer):
    """The newest 100 attempts, redeliveries included, in order."""

    attempts: list[Attempt]


class Event(Answer):
    """What happened, thin: ids and counts. Type, timestamp and data are those that webhooks carry."""

    id: str
    type: EventType
    timestamp: datetime
    data: dict[str, Any]


class EventPage(Answer):
    """Oldest first. A page of one type may be short, or empty, while there is more."""

    events: list[Event]
    next_cursor: str = Field(description="Where to go on, now or later: whoever polls with it misses nothing and gets nothing twice")
    more: bool = Field(description="Whether there is more at this moment")


class Redelivery(RequestBody):
    """To one endpoint only; without one, to all that had the event or subscribe to it."""

    endpoint_id: str | None = Field(None, pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")


class Redelivered(Answer):
    """It is sent again, under its old id."""

    event_id: str
    endpoints: int = Field(description="To how many. One to which it is being sent at this moment is left alone")
