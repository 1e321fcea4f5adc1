"""The outbox: events to deliver, written in the transaction they tell of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from worker.moderation.events import ITEM_EVENTS, EventType
from worker.moderation.identifiers import item_id, new_uuid7
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.store.models import OutboxRow
from worker.store.outcome_rows import Place

WANTED = text(
    """
    -- wanted: the tenant of a batch, and which of these types an active endpoint of it subscribes to
    SELECT DISTINCT e.tenant_id, wanted.type
      FROM batches AS b
      JOIN webhook_endpoints AS e ON e.tenant_id = b.tenant_id AND e.state = 'active'
     CROSS JOIN unnest(e.types) AS wanted (type)
     WHERE b.id = :batch_id AND wanted.type = ANY(:types)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, thin: `data` holds ids and counts. Its id is its public one for good."""

    tenant_id: str
    type: EventType
    data: Mapping[str, Any]


def publish(session: Session, tenant_id: str, type: str, payload: Mapping[str, Any]) -> UUID:  # noqa: A002  the event's own word
    """Adds an event: its id. Raises ValueError for a type that does not exist."""
    (event_id,) = publish_all(session, [Event(tenant_id=tenant_id, type=EventType(type), data=payload)])
    return event_id


def publish_all(session: Session, events: Sequence[Event]) -> list[UUID]:
    """Adds events, in their order: their ids."""
    named = [(new_uuid7(), event) for event in events]
    if named:
        rows = [{"event_id": key, "tenant_id": e.tenant_id, "type": e.type.value, "payload": dict(e.data)} for key, e in named]
        session.execute(insert(OutboxRow), rows)
    return [key for key, _ in named]


def publish_outcomes(session: Session, place: Place, outcomes: Sequence[Outcome]) -> int:
    """Adds an event for each outcome whose type somebody subscribes to: how many. Ten million images nobody listens for leave none."""
    kinds = {outcome.kind for outcome in outcomes} & ITEM_EVENTS.keys()
    if not kinds:
        return 0
    types = sorted({ITEM_EVENTS[kind].value for kind in kinds})
    tenants = {row.type: row.tenant_id for row in session.execute(WANTED, {"batch_id": place.batch_id, "types": types})}
    events = [
        Event(tenant_id=tenants[kind], type=kind, data=_item_data(place, outcome.ordinal, outcome.kind))
        for outcome in outcomes
        if (kind := ITEM_EVENTS.get(outcome.kind)) is not None and kind in tenants
    ]
    publish_all(session, events)
    return len(events)


def _item_data(place: Place, ordinal: int, kind: OutcomeKind) -> dict[str, Any]:
    return {
        "item_id": item_id(place.batch_id, ordinal),
        "batch_id": str(place.batch_id),
        "revision": place.revision,
        "outcome": kind.value,
    }
