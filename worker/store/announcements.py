"""Which chunks to ring next: fairly, just in time, and again when nobody came."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.statements import rows_changed

MAX_PATIENCE = 16  # times the announce time-out: workers may merely be busy, and Redis must not fill with repeats of one chunk

ANNOUNCE = text(
    """
    -- announce: the most deserving ready chunks. Priority first, then the tenant with least in flight, then the batch with least.
    -- Suspects join only while no suspect is in flight in the whole cluster, and one at a time.
    WITH open_batches AS (
        SELECT b.id, b.tenant_id, b.priority,
               coalesce(f.chunks, 0) AS batch_flight,
               coalesce(sum(f.chunks) OVER (PARTITION BY b.tenant_id), 0) AS tenant_flight
          FROM batches AS b
          LEFT JOIN (SELECT batch_id, count(*) AS chunks FROM chunks WHERE state IN ('announced', 'leased') GROUP BY batch_id) AS f
            ON f.batch_id = b.id
         WHERE b.state IN ('receiving', 'running')
    ), candidates AS (
        SELECT o.*, c.id AS chunk_id, c.lo, false AS suspect
          FROM open_batches AS o
         CROSS JOIN LATERAL (
            SELECT id, lo FROM chunks
             WHERE batch_id = o.id AND state = 'ready' AND NOT suspect AND attempts < :max_attempts AND next_attempt_at <= now()
             ORDER BY lo LIMIT :limit) AS c
        UNION ALL
        (SELECT o.*, c.id, c.lo, true
           FROM chunks AS c JOIN open_batches AS o ON o.id = c.batch_id
          WHERE c.state = 'ready' AND c.suspect AND c.attempts < :max_attempts AND c.next_attempt_at <= now()
            AND NOT EXISTS (SELECT FROM chunks WHERE suspect AND state IN ('announced', 'leased'))
          ORDER BY o.priority DESC, c.next_attempt_at, c.id LIMIT 1)
    ), by_batch AS (
        SELECT *, batch_flight + row_number() OVER (PARTITION BY id ORDER BY suspect DESC, lo) AS batch_turn FROM candidates
    ), by_tenant AS (
        SELECT *, tenant_flight + row_number() OVER (PARTITION BY tenant_id ORDER BY priority DESC, batch_turn, id) AS tenant_turn
          FROM by_batch
    ), chosen AS (
        SELECT chunk_id, row_number() OVER (ORDER BY priority DESC, tenant_turn, batch_turn, id, lo) AS place
          FROM by_tenant ORDER BY place LIMIT :limit
    ), locked AS (
        SELECT c.id, chosen.place FROM chunks AS c JOIN chosen ON chosen.chunk_id = c.id
         WHERE c.state = 'ready' ORDER BY c.id FOR UPDATE OF c SKIP LOCKED
    )
    UPDATE chunks AS c SET state = 'announced', announced_at = now(), announcements = c.announcements + 1
      FROM locked WHERE c.id = locked.id
    RETURNING c.id, locked.place
    """
)
RERING = text(
    """
    -- re-ring: announced but not claimed in time, since Redis lost it, or a worker died with it in hand, or all are busy: back to
    -- ready. One statement over all of them, no pages. Patience doubles with each announcement that brought no progress.
    UPDATE chunks SET state = 'ready', next_attempt_at = now()
     WHERE id IN (SELECT id FROM chunks
                   WHERE state = 'announced'
                     AND announced_at < now() - make_interval(secs => :timeout * least(2 ^ least(announcements, 10) / 2, :patience))
                   ORDER BY id FOR UPDATE SKIP LOCKED)
    """
)
UNRING = text(
    """
    -- un-ring: the doorbell failed, nobody has heard of these: back to ready at once, as if never announced
    UPDATE chunks SET state = 'ready', announcements = greatest(announcements - 1, 0) WHERE id = ANY(:ids) AND state = 'announced'
    """
)
DEMAND = text(
    """
    -- demand: how many chunks wait in Redis, how many are leased, by how many workers, and how old the oldest claimable one is
    SELECT count(*) FILTER (WHERE c.state = 'announced') AS announced,
           count(*) FILTER (WHERE c.state = 'leased') AS leased,
           count(*) FILTER (WHERE c.state = 'ready') AS ready,
           count(DISTINCT c.lease_owner) FILTER (WHERE c.lease_expires_at > now()) AS workers,
           coalesce(extract(epoch FROM now() - min(c.next_attempt_at)
                    FILTER (WHERE c.state <> 'leased' AND c.next_attempt_at <= now())), 0)::float AS oldest_seconds
      FROM chunks AS c JOIN batches AS b ON b.id = c.batch_id
     WHERE c.state IN ('ready', 'announced', 'leased') AND b.state IN ('receiving', 'running')
    """
)


@dataclass(frozen=True, slots=True)
class Demand:
    """Unfinished chunks of open batches, and who works on them."""

    announced: int
    leased: int
    ready: int
    workers: int  # distinct owners of live leases
    oldest_seconds: float  # age of the oldest claimable chunk


def demand(session: Session) -> Demand:
    """How the queue stands now."""
    return Demand(*session.execute(DEMAND).one())


def announce(session: Session, limit: int, *, max_attempts: int) -> list[int]:
    """Marks up to `limit` chunks announced: their ids, the most deserving first. Ring them after the commit."""
    if limit < 1:
        return []
    rows = session.execute(ANNOUNCE, {"limit": limit, "max_attempts": max_attempts}).all()
    return [row.id for row in sorted(rows, key=lambda row: row.place)]


def rering(session: Session, timeout_seconds: float) -> int:
    """Puts announced chunks that nobody claimed in time back to ready: how many."""
    return rows_changed(session, RERING, timeout=timeout_seconds, patience=MAX_PATIENCE)


def unring(session: Session, chunk_ids: list[int]) -> int:
    """Puts chunks whose announcement could not be published back to ready: how many."""
    return rows_changed(session, UNRING, ids=chunk_ids)
