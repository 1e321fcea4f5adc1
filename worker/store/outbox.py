"""The outbox: events to deliver, written in the transaction they tell of, as its last statements.

They are written under the audit chain's lock, which their transaction holds until the commit anyhow: so their ids are in the order of
commits, and whoever reads on behind an id misses nothing. That is also why announcing them costs nobody: NOTIFY makes commits wait for
one another, and these already do.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.events import ITEM_EVENTS, EventType
from worker.moderation.identifiers import event_id, item_id, new_uuid7
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.store.outcome_rows import Place

PENDING = "outbox_events"  # in a session's info: published, not written yet
CHANNEL = "zoomin_events"
CHAIN_LOCK = 0x5A415544  # "ZAUD", as in migrations/versions/audit_chain.py
APPEND = text(
    """
    -- append: in the order given; ids are the database's, taken under the lock
    INSERT INTO outbox (event_id, tenant_id, type, payload)
    SELECT event_id, tenant_id, type, payload
      FROM unnest(CAST(:event_ids AS uuid[]), CAST(:tenant_ids AS text[]), CAST(:types AS text[]), CAST(:payloads AS jsonb[]))
           WITH ORDINALITY AS event (event_id, tenant_id, type, payload, place)
     ORDER BY place
    """
)
ANNOUNCE = text(
    """
    -- announce: to whoever listens, on commit; one notification per type, however many events there are
    SELECT pg_notify(:channel, payload) FROM unnest(CAST(:payloads AS text[])) AS payload
    """
)
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
OLDEST = text(
    """
    -- oldest: how long the oldest event has waited for a webhook sender to take it up, in seconds
    SELECT coalesce(extract(epoch FROM now() - (SELECT created_at FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT 1)), 0)::float
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
    """Adds events, in their order: their ids. They are written at the transaction's end, see `write_pending`."""
    named = [(new_uuid7(), event) for event in events]
    try:
        session.info[PENDING].extend(named)
    except KeyError:
        raise RuntimeError("events are published in `worker.store.session.transaction`, which writes them") from None
    return [key for key, _ in named]


def open_outbox(session: Session) -> None:
    """Lets events be published in the session, whose opener promises to `write_pending` before the commit."""
    session.info[PENDING] = []


def write_pending(session: Session) -> None:
    """Writes and announces what was published. Comes behind the audit trail's own `write_pending`, for the same reasons."""
    named: list[tuple[UUID, Event]] = session.info[PENDING]
    if not named:
        return
    session.flush()
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAIN_LOCK})  # held already where anything was audited
    columns = {
        "event_ids": [key for key, _ in named],
        "tenant_ids": [event.tenant_id for _, event in named],
        "types": [event.type.value for _, event in named],
        "payloads": [json.dumps(dict(event.data)) for _, event in named],
    }
    session.execute(APPEND, columns)
    newest = {event.type.value: event_id(key) for key, event in named}
    session.execute(ANNOUNCE, {"channel": CHANNEL, "payloads": [json.dumps({"type": kind, "id": key}) for kind, key in newest.items()]})
    named.clear()


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


def oldest_unsent(session: Session) -> float:
    """Age in seconds of the oldest event that no webhook sender has taken up; 0 where none waits."""
    return float(session.execute(OLDEST).scalar_one())


def _item_data(place: Place, ordinal: int, kind: OutcomeKind) -> dict[str, Any]:
    return {
        "item_id": item_id(place.batch_id, ordinal),
        "batch_id": str(place.batch_id),
        "revision": place.revision,
        "outcome": kind.value,
    }
