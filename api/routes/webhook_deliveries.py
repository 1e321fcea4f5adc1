"""Deliveries: what was sent to an endpoint, and how that ended."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.paths import EndpointId, EventId
from api.problems import ProblemError
from api.schemas import webhooks as bodies
from api.security.principal import Admin
from api.services import Services
from worker.moderation.identifiers import event_id as public_id
from worker.moderation.identifiers import parse_event_id
from worker.store import webhook_deliveries as store
from worker.store.models.webhooks import DeliveryState
from worker.store.session import transaction

router = APIRouter(prefix="/v1/webhook-endpoints/{endpoint_id:segment}/deliveries", tags=["webhooks"])

OF_A_DELIVERY: dict[str, Any] = {name: f"$response.body#/deliveries/0/{name}" for name in ("endpoint_id", "event_id")}
FIRST = {
    "delivery": link("readDelivery", **OF_A_DELIVERY),
    "attempts": link("listAttempts", **OF_A_DELIVERY),
    "redeliver": link("redeliverEvent", event_id=OF_A_DELIVERY["event_id"]),
}


@router.get(
    "",
    operation_id="listDeliveries",
    response_model=bodies.DeliveryPage,
    responses=answers(200, "A page of deliveries", links=FIRST) | problems("not_found", "cursor_invalid"),
)
def list_deliveries(
    endpoint_id: EndpointId,
    principal: Admin,
    services: Services,
    state: Annotated[DeliveryState | None, Query(description="Only those in this state.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List an endpoint's deliveries, the newest event first."""
    listing = f"deliveries:{endpoint_id}:{state}"
    before = _position(listing, cursor) if cursor else None
    with transaction(services.engine) as session:
        found = store.list_deliveries(session, endpoint_id, tenant_id=principal.tenant, state=state, before=before, limit=limit + 1)
    page = [_delivery(delivery) for delivery in found[:limit]]
    next_cursor = write_cursor(listing, str(found[limit - 1].event_id)) if len(found) > limit else None
    return written(bodies.DeliveryPage(deliveries=page, next_cursor=next_cursor))


@router.get("/{event_id:segment}", operation_id="readDelivery", responses=problems("not_found"))
def read_delivery(endpoint_id: EndpointId, event_id: EventId, principal: Admin, services: Services) -> bodies.Delivery:
    """See how the delivery of an event stands."""
    with transaction(services.engine) as session:
        return _delivery(store.find_delivery(session, endpoint_id, parse_event_id(event_id), tenant_id=principal.tenant))


@router.get("/{event_id:segment}/attempts", operation_id="listAttempts", responses=problems("not_found"))
def list_attempts(endpoint_id: EndpointId, event_id: EventId, principal: Admin, services: Services) -> bodies.AttemptList:
    """List the newest 100 attempts at a delivery, redeliveries included, in order."""
    event = parse_event_id(event_id)
    with transaction(services.engine) as session:
        store.find_delivery(session, endpoint_id, event, tenant_id=principal.tenant)
        found = store.list_attempts(session, endpoint_id, event, tenant_id=principal.tenant)
    return bodies.AttemptList(attempts=[_attempt(attempt) for attempt in found])


def _delivery(found: store.Delivery) -> bodies.Delivery:
    return bodies.Delivery(
        endpoint_id=found.endpoint_id,
        event_id=public_id(found.event_id),
        type=found.type,
        state=found.state,
        attempts=found.attempts,
        next_attempt_at=found.next_attempt_at,
        last_status=found.last_status,
        last_error=found.last_error,
        last_seconds=found.last_seconds,
        created_at=found.created_at,
        delivered_at=found.delivered_at,
    )


def _attempt(found: store.Attempt) -> bodies.Attempt:
    return bodies.Attempt(
        attempt=found.attempt, status=found.status, error_code=found.error_code, seconds=found.seconds, ended_at=found.ended_at
    )


def _position(listing: str, cursor: str) -> UUID:
    try:
        return UUID(read_cursor(listing, cursor))
    except (ValueError, TypeError, AttributeError):
        raise ProblemError("cursor_invalid") from None
