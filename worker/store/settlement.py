"""The end of batches: cancelled items get their outcome, finished batches their event."""

import hashlib
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.events import EventType
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.store import audit, outbox
from worker.store.chunks import Lease, fence
from worker.store.models.intake import BatchState
from worker.store.outcome_rows import Place, canonical, digest_payload, outcome_rows

SLICE = 20  # chunks per transaction: ≈ 5,000 items, a second or so, far below the statement time-out

CANCELLED_CHUNKS = text(
    """
    -- cancelled chunks: unfinished ones of cancelling batches that nobody holds
    SELECT c.id, c.batch_id, c.revision FROM chunks AS c JOIN batches AS b ON b.id = c.batch_id
     WHERE b.state = 'cancelling' AND c.state IN ('ready', 'announced')
     ORDER BY c.id LIMIT :slice FOR UPDATE OF c SKIP LOCKED
    """
)
CANCEL_REST = text(
    """
    -- cancel rest: every item of the chunk without an outcome gets one, and the chunk is done
    WITH settled AS (
        INSERT INTO outcomes (batch_id, ordinal, revision, chunk_id, kind, error_code, error_message)
        SELECT i.batch_id, i.ordinal, c.revision, c.id, 'cancelled', :code, :message
          FROM chunks AS c
          JOIN items AS i ON i.batch_id = c.batch_id AND i.ordinal >= c.lo AND i.ordinal < c.hi
         WHERE c.id = :chunk_id
           AND NOT EXISTS (SELECT FROM outcomes AS o
                            WHERE o.batch_id = i.batch_id AND o.ordinal = i.ordinal AND o.revision = c.revision)
        ON CONFLICT DO NOTHING
        RETURNING ordinal
    )
    UPDATE chunks
       SET cancelled = cancelled + (SELECT count(*) FROM settled), state = 'done', finished_at = now(), suspect = false,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id = :chunk_id
    RETURNING (SELECT coalesce(array_agg(ordinal ORDER BY ordinal), '{}') FROM settled)
    """
)
FINISHED_BATCHES = text(
    """
    -- finished batches: intake complete (or cancelled), and no unfinished chunk
    SELECT b.id, b.tenant_id, b.state, b.revision FROM batches AS b
     WHERE b.state IN ('running', 'cancelling')
       AND NOT EXISTS (SELECT FROM chunks AS c WHERE c.batch_id = b.id AND c.state IN ('ready', 'announced', 'leased'))
     ORDER BY b.id FOR UPDATE OF b SKIP LOCKED
    """
)
FINISH_BATCH = text("UPDATE batches SET state = :state, finished_at = now(), pause_reason = NULL WHERE id = :id")
COUNTS = text(
    """
    -- counts: outcomes of the newest revision by kind, summed over its chunks, split ones included
    SELECT b.items_accepted AS accepted, b.rows_rejected AS rejected,
           coalesce(sum(c.verdicts), 0) AS verdicts, coalesce(sum(c.flagged), 0) AS flagged,
           coalesce(sum(c.unreadable), 0) AS unreadable, coalesce(sum(c.failed), 0) AS failed,
           coalesce(sum(c.cancelled), 0) AS cancelled
      FROM batches AS b LEFT JOIN chunks AS c ON c.batch_id = b.id AND c.revision = b.revision
     WHERE b.id = :id GROUP BY b.id
    """
)

ENDS = {BatchState.RUNNING: BatchState.FINISHED, BatchState.CANCELLING: BatchState.CANCELLED}
CANCELLED_CODE = "batch_cancelled"
CANCELLED_MESSAGE = "The batch was cancelled before this item was judged."
PLACEHOLDER_ORDINAL = -7_061_051  # no ordinal is negative; stands for each in the digest's text


@dataclass(frozen=True, slots=True)
class Settled:
    """What a slice of settling ended."""

    chunks: int
    items: int


def settle_cancelled(session: Session, *, actor: str, limit: int = SLICE) -> Settled:
    """Ends up to `limit` chunks of cancelling batches that nobody holds. Call again, in a new transaction, until there are none."""
    chunks = session.execute(CANCELLED_CHUNKS, {"slice": limit}).all()
    places = [Place(batch_id=chunk.batch_id, revision=chunk.revision, chunk_id=chunk.id) for chunk in chunks]
    return Settled(len(chunks), sum(_cancel_rest(session, place, actor) for place in places))


def cancel_rest(session: Session, lease: Lease, *, actor: str) -> int:
    """Gives every unsettled item under the lease its cancelled outcome and ends the chunk: how many. Raises FencedError."""
    fence(session, lease)
    items = _cancel_rest(session, Place(batch_id=lease.batch_id, revision=lease.revision, chunk_id=lease.chunk_id), actor)
    session.execute(text("NOTIFY zoomin_batches"))
    return items


def finish_batches(session: Session, *, actor: str) -> list[UUID]:
    """Ends every batch whose chunks are all done, with its `batch.completed` event: which."""
    batches = session.execute(FINISHED_BATCHES).all()
    for batch in batches:
        state = ENDS[BatchState(batch.state)]
        session.execute(FINISH_BATCH, {"id": batch.id, "state": state.value})
        counts = {name: int(value) for name, value in session.execute(COUNTS, {"id": batch.id}).one()._asdict().items()}
        summary = {"batch_id": str(batch.id), "revision": batch.revision, "state": state.value, "counts": counts}
        outbox.publish(session, batch.tenant_id, EventType.BATCH_COMPLETED, summary)
        audit.record(session, actor=actor, action=f"batch.{state}", batch_id=batch.id, revision=batch.revision, detail={"counts": counts})
    if batches:
        session.execute(text("NOTIFY zoomin_batches"))
    return [batch.id for batch in batches]


def _cancel_rest(session: Session, place: Place, actor: str) -> int:
    outcome = Outcome(ordinal=PLACEHOLDER_ORDINAL, kind=OutcomeKind.CANCELLED, error_code=CANCELLED_CODE, error_message=CANCELLED_MESSAGE)
    rows = outcome_rows(outcome, place)
    payload = canonical(digest_payload(rows.outcome, rows.regions, rows.traces))
    parameters = {"chunk_id": place.chunk_id, "code": CANCELLED_CODE, "message": CANCELLED_MESSAGE}
    ordinals: list[int] = session.execute(CANCEL_REST, parameters).scalar_one()
    audit.record_all(session, [_cancelled(place, ordinal, payload, actor) for ordinal in ordinals])
    return len(ordinals)


def _cancelled(place: Place, ordinal: int, payload: str, actor: str) -> audit.AuditEvent:
    return audit.AuditEvent(
        actor=actor,
        action="outcome.recorded",
        batch_id=place.batch_id,
        ordinal=ordinal,
        revision=place.revision,
        payload_digest=hashlib.sha256(payload.replace(str(PLACEHOLDER_ORDINAL), str(ordinal)).encode()).hexdigest(),
        detail={"kind": OutcomeKind.CANCELLED.value, "release": None},
    )
