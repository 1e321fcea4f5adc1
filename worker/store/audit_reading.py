"""The audit trail as a tenant's auditors read it: theirs alone, filtered, and each reading is an event itself."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.store import audit
from worker.store.audit_trail import RecordedEvent
from worker.store.windows import read_window

READ = "audit_events.read"
COLUMNS = "e.id, occurred_at, actor, action, e.tenant_id, e.batch_id, e.ordinal, e.revision, payload_digest, detail"
# Each on an index of its own.
TENANTS = "e.tenant_id = :tenant"
BATCHES = "e.batch_id = :batch_id AND EXISTS (SELECT FROM batches WHERE id = :batch_id AND tenant_id = :tenant)"
ITEMS = f"{BATCHES} AND e.ordinal = :ordinal"
END, PAGE = (
    {scope: text(query.format(scope=scope, columns=COLUMNS)) for scope in (TENANTS, BATCHES, ITEMS)}
    for query in (
        """
        -- end: where a window of the tenant's events, of a batch's or of an item's ends
        SELECT max(id) AS last, count(*) AS number
          FROM (SELECT e.id FROM audit_events AS e WHERE {scope} AND e.id > :after ORDER BY e.id LIMIT :window) AS looked
        """,
        """
        -- page: those of a window that are wanted
        SELECT {columns} FROM audit_events AS e
         WHERE {scope} AND e.id > :after AND e.id <= :last
           AND (CAST(:actor AS text) IS NULL OR actor = :actor) AND (CAST(:action AS text) IS NULL OR action = :action)
           AND (CAST(:since AS timestamptz) IS NULL OR occurred_at >= :since)
         ORDER BY e.id LIMIT :limit
        """,
    )
)
ONE = text(f"SELECT {COLUMNS} FROM audit_events AS e WHERE e.id = :id AND e.tenant_id = :tenant")  # noqa: S608  constants of this module
BEFORE = text(
    """
    -- before: the last event that a link from before a time covers; all that follow its link may be younger
    SELECT last_event FROM audit_links WHERE created_at < :since ORDER BY created_at DESC, link DESC LIMIT 1
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which events; None: whichever. An `ordinal` needs its batch."""

    batch_id: UUID | None = None
    ordinal: int | None = None
    actor: str | None = None
    action: str | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class TrailPage:
    """Events in the order of commits; where to go on, now or later; and whether there is more at this moment."""

    events: list[RecordedEvent]
    after: int
    more: bool


def read_trail(session: Session, tenant_id: str, wanted: Wanted, *, after: int = 0, limit: int, actor: str) -> TrailPage:
    """Up to `limit` of the tenant's events behind an id. `actor` reads, which is noted."""
    scope = TENANTS if wanted.batch_id is None else BATCHES if wanted.ordinal is None else ITEMS
    if wanted.since is not None:
        after = max(after, session.execute(BEFORE, {"since": wanted.since}).scalar_one_or_none() or 0)
    parameters = {
        "tenant": tenant_id,
        "batch_id": wanted.batch_id,
        "ordinal": wanted.ordinal,
        "actor": wanted.actor,
        "action": wanted.action,
        "since": wanted.since,
    }
    found = read_window(session, END[scope], PAGE[scope], parameters, after=after, limit=limit)
    page = TrailPage([RecordedEvent(**row._asdict()) for row in found.rows], found.after, found.more)
    _note(session, tenant_id, page.events, wanted=wanted, actor=actor)
    return page


def find_event(session: Session, tenant_id: str, event_id: int, *, actor: str) -> RecordedEvent:
    """One of the tenant's events; `actor` reads, which is noted. Raises RejectedError `audit_event_missing`, for others' too."""
    row = session.execute(ONE, {"id": event_id, "tenant": tenant_id}).one_or_none()
    if row is None:
        raise RejectedError("audit_event_missing", f"There is no audit event {event_id}.")
    event = RecordedEvent(**row._asdict())
    _note(session, tenant_id, [event], wanted=Wanted(), actor=actor)
    return event


def _note(session: Session, tenant_id: str, shown: list[RecordedEvent], *, wanted: Wanted, actor: str) -> None:
    """A look at readings alone leaves no event, or whoever polls the trail would for ever find the event of the last poll."""
    if any(event.action != READ for event in shown):
        detail = {"first": shown[0].id, "last": shown[-1].id, "events": len(shown)}
        audit.record(
            session, actor=actor, action=READ, tenant_id=tenant_id, batch_id=wanted.batch_id, ordinal=wanted.ordinal, detail=detail
        )
