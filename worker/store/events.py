"""Events as their tenant polls them: by keyset, in the order of commits, so that nothing is missed and nothing comes twice."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.events import EventType
from worker.store.windows import read_window

END = text(
    """
    -- end: where a window of the tenant's events ends
    SELECT max(id) AS last, count(*) AS number
      FROM (SELECT id FROM outbox WHERE tenant_id = :tenant AND id > :after ORDER BY id LIMIT :window) AS looked
    """
)
PAGE = text(
    """
    -- page: those of a window, or those of one type
    SELECT id, event_id, type, payload, created_at FROM outbox
     WHERE tenant_id = :tenant AND id > :after AND id <= :last AND (CAST(:type AS text) IS NULL OR type = :type)
     ORDER BY id LIMIT :limit
    """
)
ONE = text("SELECT id, event_id, type, payload, created_at FROM outbox WHERE event_id = :event_id AND tenant_id = :tenant")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """An event as its tenant sees it; thin: `data` holds ids and counts."""

    event_id: UUID
    type: EventType
    data: Mapping[str, Any]
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events in the order of commits; where to go on, now or later; and whether there is more at this moment."""

    events: list[PublishedEvent]
    after: int
    more: bool


def read_events(session: Session, tenant_id: str, *, kind: EventType | None = None, after: int = 0, limit: int) -> EventPage:
    """Up to `limit` of the tenant's events behind a position."""
    parameters = {"tenant": tenant_id, "type": kind.value if kind else None}
    found = read_window(session, END, PAGE, parameters, after=after, limit=limit)
    return EventPage([_event(row) for row in found.rows], found.after, found.more)


def find_event(session: Session, tenant_id: str, event_id: UUID) -> PublishedEvent:
    """One of the tenant's events. Raises RejectedError `event_missing`, for others' too."""
    row = session.execute(ONE, {"event_id": event_id, "tenant": tenant_id}).one_or_none()
    if row is None:
        raise RejectedError("event_missing", f"There is no event evt_{event_id.hex}.")
    return _event(row)


def _event(row: Row[Any]) -> PublishedEvent:
    return PublishedEvent(event_id=row.event_id, type=EventType(row.type), data=row.payload, occurred_at=row.created_at)
