"""Deliveries as their tenant sees them: listing, redelivering, and a test event on demand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.events import EventType
from worker.store import audit, outbox
from worker.store.models import OutboxRow, WebhookAttemptRow, WebhookDeliveryRow
from worker.store.models.webhooks import DeliveryState, EndpointState
from worker.store.statements import rows_changed
from worker.store.webhook_endpoints import find_endpoint

PAGE = 50
MOST_ATTEMPTS = 100  # shown of a delivery that was sent again and again

REDELIVER = text(
    """
    -- redeliver: as if the event had just been fanned out to the endpoints that have it or subscribe to it, or to the named one.
    -- A delivery in flight is left alone.
    INSERT INTO webhook_deliveries AS d (endpoint_id, event_id)
    SELECT e.id, o.event_id
      FROM outbox AS o JOIN webhook_endpoints AS e ON e.tenant_id = o.tenant_id
     WHERE o.event_id = :event_id AND e.state <> 'disabled'
       AND CASE WHEN CAST(:endpoint_id AS uuid) IS NOT NULL THEN e.id = :endpoint_id
                ELSE o.type = ANY(e.types) OR EXISTS (SELECT FROM webhook_deliveries AS w
                                                       WHERE w.endpoint_id = e.id AND w.event_id = o.event_id) END
    ON CONFLICT (endpoint_id, event_id) DO UPDATE
       SET state = 'pending', attempts = 0, next_attempt_at = now(), lease_token = NULL, delivered_at = NULL
     WHERE d.lease_token IS NULL OR d.next_attempt_at <= now()
    """
)
DELIVER_TO_ONE = text("INSERT INTO webhook_deliveries (endpoint_id, event_id) VALUES (:endpoint_id, :event_id)")
HAND_OVER = text("UPDATE outbox SET delivered_at = now() WHERE event_id = :event_id")  # before the sender fans it out to subscribers


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event on its way to an endpoint, or arrived there."""

    endpoint_id: UUID
    event_id: UUID
    type: EventType
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None  # None once nothing more is tried
    last_status: int | None
    last_error: str | None
    last_seconds: float | None
    created_at: datetime
    delivered_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One attempt, as it ended."""

    attempt: int
    status: int | None
    error_code: str | None
    seconds: float
    ended_at: datetime


def list_deliveries(
    session: Session,
    endpoint_id: UUID,
    *,
    tenant_id: str,
    state: DeliveryState | None = None,
    before: UUID | None = None,
    limit: int = PAGE,
) -> list[Delivery]:
    """An endpoint's deliveries, the newest event first, those older than the event `before`. Raises RejectedError."""
    find_endpoint(session, endpoint_id, tenant_id=tenant_id)
    row = WebhookDeliveryRow
    query = (
        select(row.__table__, OutboxRow.type)
        .join(OutboxRow, OutboxRow.event_id == row.event_id)
        .where(row.endpoint_id == endpoint_id)
        .order_by(row.event_id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(row.state == state.value)
    if before is not None:
        query = query.where(row.event_id < before)
    return [_delivery(found) for found in session.execute(query)]


def find_delivery(session: Session, endpoint_id: UUID, event_id: UUID, *, tenant_id: str) -> Delivery:
    """One delivery. Raises RejectedError: webhook_endpoint_missing, webhook_delivery_missing."""
    find_endpoint(session, endpoint_id, tenant_id=tenant_id)
    row = WebhookDeliveryRow
    query = select(row.__table__, OutboxRow.type).join(OutboxRow, OutboxRow.event_id == row.event_id)
    found = session.execute(query.where(row.endpoint_id == endpoint_id, row.event_id == event_id)).one_or_none()
    if found is None:
        raise RejectedError("webhook_delivery_missing", f"Event evt_{event_id.hex} was never on its way to endpoint {endpoint_id}.")
    return _delivery(found)


def list_attempts(session: Session, endpoint_id: UUID, event_id: UUID, *, tenant_id: str) -> list[Attempt]:
    """The newest MOST_ATTEMPTS attempts at a delivery, redeliveries included, in order. Raises RejectedError."""
    find_endpoint(session, endpoint_id, tenant_id=tenant_id)
    row = WebhookAttemptRow
    query = select(row).where(row.endpoint_id == endpoint_id, row.event_id == event_id).order_by(row.id.desc()).limit(MOST_ATTEMPTS)
    return [
        Attempt(attempt=a.attempt, status=a.status, error_code=a.error_code, seconds=a.seconds, ended_at=a.ended_at)
        for a in reversed(session.execute(query).scalars().all())
    ]


def redeliver(session: Session, event_id: UUID, *, tenant_id: str, endpoint_id: UUID | None = None, actor: str) -> int:
    """Sends an event again, under its old id, to the endpoints that had it or want it, or to one: to how many. Raises RejectedError."""
    event = session.execute(select(OutboxRow.type).filter_by(event_id=event_id, tenant_id=tenant_id)).one_or_none()
    if event is None:
        raise RejectedError("event_missing", f"There is no event evt_{event_id.hex}.")
    if endpoint_id is not None and find_endpoint(session, endpoint_id, tenant_id=tenant_id).state is EndpointState.DISABLED:
        raise RejectedError("webhook_endpoint_disabled", f"Webhook endpoint {endpoint_id} is disabled for good. Add a new one.")
    endpoints = rows_changed(session, REDELIVER, event_id=event_id, endpoint_id=endpoint_id)
    detail = {"event": str(event_id), "endpoint": str(endpoint_id) if endpoint_id else None, "endpoints": endpoints}
    audit.record(session, actor=actor, action="webhook_event.redelivered", tenant_id=tenant_id, detail=detail)
    return endpoints


def send_test(session: Session, endpoint_id: UUID, *, tenant_id: str, actor: str) -> UUID:
    """Sends a `webhook.test` event to this endpoint alone: its id. Raises RejectedError."""
    if find_endpoint(session, endpoint_id, tenant_id=tenant_id).state is EndpointState.DISABLED:
        raise RejectedError("webhook_endpoint_disabled", f"Webhook endpoint {endpoint_id} is disabled for good. Add a new one.")
    event_id = outbox.publish(session, tenant_id, EventType.WEBHOOK_TEST, {"endpoint_id": str(endpoint_id)})
    outbox.write_pending(session)  # at once: its delivery refers to it
    session.execute(HAND_OVER, {"event_id": event_id})
    session.execute(DELIVER_TO_ONE, {"endpoint_id": endpoint_id, "event_id": event_id})
    detail = {"endpoint": str(endpoint_id), "event": str(event_id)}
    audit.record(session, actor=actor, action="webhook_endpoint.tested", tenant_id=tenant_id, detail=detail)
    return event_id


def _delivery(row: Row[Any]) -> Delivery:
    state = DeliveryState(row.state)
    return Delivery(
        endpoint_id=row.endpoint_id,
        event_id=row.event_id,
        type=EventType(row.type),
        state=state,
        attempts=row.attempts,
        next_attempt_at=row.next_attempt_at if state is DeliveryState.PENDING else None,
        last_status=row.last_status,
        last_error=row.last_error,
        last_seconds=row.last_seconds,
        created_at=row.created_at,
        delivered_at=row.delivered_at,
    )
