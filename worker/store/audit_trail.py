"""Reading the audit trail: events by keyset, and its chain as a stream for whoever checks it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, CursorResult, Engine, TextClause, text
from sqlalchemy.orm import Session

from worker.moderation.audit_chain import ChainedEvent, Link, Seal, Start, Verification, verify
from worker.store.session import snapshot, transaction

PAGE = 1_000  # events per query, and per fetch of a cursor
LOWEST_ID = -(2**63)  # no sequence gives it: from here on nothing can be hidden

EVENTS = text(
    """
    -- events after an id. Ids are in the order of commits: whoever goes on from the last one seen misses nothing
    SELECT id, occurred_at, actor, action, tenant_id, batch_id, ordinal, revision, payload_digest, detail
      FROM audit_events
     WHERE id > :after
     ORDER BY id LIMIT :page
    """
)
BATCH_EVENTS = text(
    """
    -- events of a batch after an id
    SELECT id, occurred_at, actor, action, tenant_id, batch_id, ordinal, revision, payload_digest, detail
      FROM audit_events
     WHERE batch_id = :batch_id AND id > :after
     ORDER BY id LIMIT :page
    """
)
CHAINED_EVENTS = text(
    """
    -- chained events: each column as the text that is hashed; ordered by the column, not by its text
    SELECT id::text, audit_time(occurred_at), actor, action, tenant_id, batch_id::text, ordinal::text, revision::text, payload_digest,
           detail::text
      FROM audit_events AS e WHERE e.id >= :first ORDER BY e.id
    """
)
LINKS = text(
    """
    -- links from one on
    SELECT link, first_event, last_event, events, total, digest, previous, head, audit_time(created_at) AS created_at
      FROM audit_links WHERE link >= :first ORDER BY link
    """
)
TOTAL = text(
    """
    -- total: how many events the whole chain covers
    SELECT coalesce((SELECT total FROM audit_links ORDER BY link DESC LIMIT 1), 0)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """An event of the trail. `payload_digest` is the sha256 of what was recorded."""

    id: int
    occurred_at: datetime
    actor: str
    action: str
    tenant_id: str | None
    batch_id: UUID | None
    ordinal: int | None
    revision: int | None
    payload_digest: str | None
    detail: dict[str, Any] | None


def read_events(session: Session, *, batch_id: UUID | None = None, after: int = 0, page: int = PAGE) -> list[RecordedEvent]:
    """Up to `page` events whose ids follow `after`, in order; of one batch if one is named."""
    place = {"after": after, "page": page}
    rows = session.execute(EVENTS, place) if batch_id is None else session.execute(BATCH_EVENTS, {**place, "batch_id": batch_id})
    return [RecordedEvent(**row._asdict()) for row in rows]


def stream_events(engine: Engine, *, batch_id: UUID | None = None, after: int = 0) -> Iterator[RecordedEvent]:
    """Every event whose id follows `after`, a transaction per page. Raises TransientError."""
    while True:
        with transaction(engine) as session:
            page = read_events(session, batch_id=batch_id, after=after)
        yield from page
        if not page:
            return
        after = page[-1].id


def count_events(engine: Engine) -> int:
    """How many events the chain covers now. Raises TransientError."""
    with transaction(engine) as session:
        return int(session.execute(TOTAL).scalar_one())


def verify_chain(engine: Engine, seals: Sequence[Seal], *, start: Start, watch: Callable[[int], None]) -> Verification:
    """Checks the chain from behind `start`, and the seals against it, in one snapshot and in constant memory.

    Seals must have been collected before, or new ones would seem to lie beyond the snapshot's end. Raises TransientError.
    """
    first_event = start.last_event + 1 if start.link else LOWEST_ID
    with (
        snapshot(engine) as connection,
        _stream(connection, LINKS, first=start.link) as links,
        _stream(connection, CHAINED_EVENTS, first=first_event) as events,
    ):
        found = (Link(**row._asdict()) for row in links)
        return verify(found, map(ChainedEvent._make, events), seals, start=start, watch=watch)


def _stream(connection: Connection, query: TextClause, **parameters: int) -> CursorResult[Any]:
    """Through a cursor on the server, a page at a time; several may be open side by side."""
    return connection.execution_options(stream_results=True, yield_per=PAGE).execute(query, parameters)
