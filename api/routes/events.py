"""Events: what webhooks tell, for those who would rather ask."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit
from api.describing import answers, link, problems
from api.paths import EventId
from api.positions import read_position, write_position
from api.schemas import webhooks as bodies
from api.security.principal import Admin, Principal, require
from api.services import Services
from worker.moderation.events import EventType
from worker.moderation.identifiers import event_id as public_id
from worker.moderation.identifiers import parse_event_id
from worker.moderation.scopes import Scope
from worker.store import events as store
from worker.store.session import transaction
from worker.store.webhook_deliveries import redeliver

router = APIRouter(prefix="/v1/events", tags=["events"])

Listener = Annotated[Principal, Depends(require(Scope.READ, Scope.ADMIN))]
TypeWanted = Annotated[EventType | None, Query(alias="type", description="Only events of this type.")]
FOLLOW = {
    "event": link("readEvent", event_id="$response.body#/events/0/id"),
    "redeliver": link("redeliverEvent", event_id="$response.body#/events/0/id"),
}


@router.get(
    "",
    operation_id="listEvents",
    response_model=bodies.EventPage,
    responses=answers(200, "A page of events", links=FOLLOW) | problems("cursor_invalid"),
)
def list_events(
    principal: Listener, services: Services, kind: TypeWanted = None, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Response:
    """List the tenant's events, oldest first: the same that webhooks are sent, for polling with `next_cursor`.

    Events of single items (`item.…`) are written only while an active webhook endpoint subscribes to them: ten million images that
    nobody listens for leave none. Without one, `batch.completed` and the batch's items tell the same.
    """
    listing = f"events:{kind}"
    with transaction(services.engine) as session:
        page = store.read_events(session, principal.tenant, kind=kind, after=read_position(listing, cursor), limit=limit)
    events = [_event(event) for event in page.events]
    return written(bodies.EventPage(events=events, next_cursor=write_position(listing, page.after), more=page.more))


@router.get(
    "/{event_id:segment}",
    operation_id="readEvent",
    response_model=bodies.Event,
    responses=answers(200, "The event", links={"redeliver": link("redeliverEvent", event_id="$response.body#/id")}) | problems("not_found"),
)
def read_event(event_id: EventId, principal: Listener, services: Services) -> Response:
    """See an event."""
    with transaction(services.engine) as session:
        return written(_event(store.find_event(session, principal.tenant, parse_event_id(event_id))))


@router.post(
    "/{event_id:segment}:redeliver",
    operation_id="redeliverEvent",
    status_code=202,
    responses=answers(202, "On its way") | problems("not_found", "webhook_endpoint_disabled"),
)
def redeliver_event(event_id: EventId, principal: Admin, services: Services, body: bodies.Redelivery | None = None) -> bodies.Redelivered:
    """Send an event again, under its old id, to the endpoints that had it or subscribe to it, or to one."""
    only = UUID(body.endpoint_id) if body and body.endpoint_id else None
    with transaction(services.engine) as session:
        number = redeliver(session, parse_event_id(event_id), tenant_id=principal.tenant, endpoint_id=only, actor=principal.actor)
    return bodies.Redelivered(event_id=event_id, endpoints=number)


def _event(event: store.PublishedEvent) -> bodies.Event:
    return bodies.Event(id=public_id(event.event_id), type=event.type, timestamp=event.occurred_at, data=dict(event.data))
