"""Which explanation jobs to ring next, and what to mend: as `store.announcements` and `store.sweeps` do for chunks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.explanation_jobs import MOST_ANNOUNCEMENTS, JobKind
from worker.store import audit
from worker.store.announcements import MAX_PATIENCE
from worker.store.statements import rows_changed

# Each part has a partial index of its own; asked for together, neither is used, and all jobs that ever ended are read instead.
DEMAND = text(
    """
    -- job demand: unfinished jobs by kind
    SELECT kind, count(*) FILTER (WHERE state = 'waiting') AS waiting, count(*) FILTER (WHERE state = 'announced') AS announced,
           count(*) FILTER (WHERE state = 'running') AS running,
           coalesce(extract(epoch FROM now() - min(next_attempt_at)
                    FILTER (WHERE state <> 'running' AND next_attempt_at <= now())), 0)::float AS oldest_seconds
      FROM (SELECT kind, state, next_attempt_at FROM explanation_jobs WHERE state = 'waiting'
             UNION ALL
            SELECT kind, state, next_attempt_at FROM explanation_jobs WHERE state IN ('announced', 'running')) AS unfinished
     GROUP BY kind
    """
)
FLIGHT = text(
    """
    -- job flight: of the kinds that have jobs waiting, how many are announced; `runners` are workers with a live lease
    SELECT k.kind, count(*) FILTER (WHERE j.state = 'announced') AS announced,
           count(DISTINCT j.lease_owner) FILTER (WHERE j.lease_expires_at > now()) AS runners
      FROM unnest(CAST(:kinds AS text[])) AS k (kind)
      LEFT JOIN explanation_jobs AS j ON j.kind = k.kind AND j.state IN ('announced', 'running')
     WHERE EXISTS (SELECT FROM explanation_jobs AS w WHERE w.kind = k.kind AND w.state = 'waiting')
     GROUP BY k.kind
    """
)
ANNOUNCE = text(
    """
    -- announce jobs: what somebody waits for before what was sampled, then the tenant with least in flight, then the oldest
    WITH flight AS (
        SELECT tenant_id, count(*) AS jobs FROM explanation_jobs WHERE kind = :kind AND state IN ('announced', 'running') GROUP BY 1
    ), candidates AS (
        SELECT j.*, coalesce(f.jobs, 0) + row_number() OVER (PARTITION BY j.tenant_id ORDER BY j.lane, j.id) AS turn
          FROM tenants AS t
         CROSS JOIN LATERAL (
            SELECT id, tenant_id, lane FROM explanation_jobs
             WHERE kind = :kind AND tenant_id = t.id AND state = 'waiting' AND next_attempt_at <= now()
             ORDER BY lane, id LIMIT :limit) AS j
          LEFT JOIN flight AS f ON f.tenant_id = j.tenant_id
    ), chosen AS (
        SELECT id, row_number() OVER (ORDER BY lane, turn, id) AS place FROM candidates ORDER BY place LIMIT :limit
    ), locked AS (
        SELECT j.id, chosen.place FROM explanation_jobs AS j JOIN chosen USING (id)
         WHERE j.state = 'waiting' ORDER BY j.id FOR UPDATE OF j SKIP LOCKED
    )
    UPDATE explanation_jobs AS j SET state = 'announced', announced_at = now(), announcements = j.announcements + 1
      FROM locked WHERE j.id = locked.id
    RETURNING j.id, locked.place
    """
)
RERING = text(
    """
    -- re-ring jobs: announced, and nobody claimed them in time; announced as often as a job is, it has failed
    UPDATE explanation_jobs
       SET state = CASE WHEN announcements >= :most THEN 'failed' ELSE 'waiting' END, next_attempt_at = now(),
           error_code = CASE WHEN announcements >= :most THEN 'nobody_came' END,
           error_message = CASE WHEN announcements < :most THEN error_message
                           ELSE 'No worker has taken it up, for days. Start one that does such jobs, then ask again.' END,
           finished_at = CASE WHEN announcements >= :most THEN now() END
     WHERE id IN (SELECT id FROM explanation_jobs
                   WHERE state = 'announced'
                     AND announced_at < now() - make_interval(secs => :timeout * least(2 ^ least(announcements, 10) / 2, :patience))
                   ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, batch_id, ordinal, revision, error_code
    """
)
UNRING = text(
    """
    -- un-ring jobs: the doorbell failed, or a worker that leaves heard it: as if never announced
    UPDATE explanation_jobs SET state = 'waiting', announcements = greatest(announcements - 1, 0)
     WHERE id = ANY(CAST(:ids AS uuid[])) AND state = 'announced'
    """
)
EXPIRE = text(
    """
    -- expire job leases: whoever held them is gone or frozen, and its token void from here on; out of attempts, the job has failed
    UPDATE explanation_jobs
       SET state = CASE WHEN attempts >= :max_attempts THEN 'failed' ELSE 'waiting' END, next_attempt_at = now(),
           error_code = CASE WHEN attempts >= :max_attempts THEN 'worker_died' END,
           error_message = 'Whatever worked on it went silent, ' || attempts || ' times by now.',
           finished_at = CASE WHEN attempts >= :max_attempts THEN now() END,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id IN (SELECT id FROM explanation_jobs WHERE state = 'running' AND lease_expires_at < now() ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING id, kind, batch_id, ordinal, revision, error_code
    """
)
LEASEHOLDERS = text(
    """
    -- job leaseholders: every worker that holds a job
    SELECT DISTINCT lease_owner FROM explanation_jobs WHERE state = 'running'
    """
)
VOID_LEASES = text(
    """
    -- void job leases: those of workers known to be dead need not run out
    UPDATE explanation_jobs SET lease_expires_at = now() WHERE state = 'running' AND lease_owner = ANY(:owners)
    """
)


@dataclass(frozen=True, slots=True)
class JobDemand:
    """Unfinished jobs of a kind."""

    kind: JobKind
    waiting: int = 0
    announced: int = 0
    running: int = 0
    oldest_seconds: float = 0.0  # age of the oldest that could be claimed


@dataclass(frozen=True, slots=True)
class JobFlight:
    """What of a kind is with workers already, while more of it waits."""

    kind: JobKind
    announced: int
    runners: int  # distinct owners of live leases


def job_flights(session: Session) -> list[JobFlight]:
    """One of each kind that has jobs waiting. Costs the same however many wait or have ended."""
    rows = session.execute(FLIGHT, {"kinds": [kind.value for kind in JobKind]})
    return [JobFlight(JobKind(row.kind), row.announced, row.runners) for row in rows]


def job_demand(session: Session) -> list[JobDemand]:
    """How each kind stands now, also those with nothing to do. Counts all that wait."""
    found = {row.kind: JobDemand(JobKind(row.kind), *row[1:]) for row in session.execute(DEMAND)}
    return [found.get(kind.value, JobDemand(kind)) for kind in JobKind]


def announce_jobs(session: Session, kind: JobKind, limit: int) -> list[UUID]:
    """Marks up to `limit` jobs of a kind announced: their ids, the most deserving first. Ring them after the commit."""
    if limit < 1:
        return []
    rows = session.execute(ANNOUNCE, {"kind": kind.value, "limit": limit}).all()
    return [row.id for row in sorted(rows, key=lambda row: row.place)]


def rering_jobs(session: Session, timeout_seconds: float, *, actor: str) -> int:
    """Puts announced jobs that nobody claimed in time back to waiting; announced too often, they have failed. How many."""
    parameters = {"timeout": timeout_seconds, "patience": MAX_PATIENCE, "most": MOST_ANNOUNCEMENTS}
    return _noted(session, session.execute(RERING, parameters).all(), actor)


def unring_jobs(session: Session, job_ids: Sequence[UUID]) -> int:
    """Puts jobs whose announcement nobody heard back to waiting: how many."""
    return rows_changed(session, UNRING, ids=list(job_ids))


def expire_jobs(session: Session, *, max_attempts: int, actor: str) -> int:
    """Voids every lease that was not renewed in time; out of attempts, its job has failed. How many."""
    return _noted(session, session.execute(EXPIRE, {"max_attempts": max_attempts}).all(), actor)


def _noted(session: Session, rows: Sequence[Row[Any]], actor: str) -> int:
    """Notes which of the repaired jobs have failed: how many were repaired."""
    audit.record_all(
        session,
        [
            audit.AuditEvent(
                actor=actor,
                action="explanation.failed",
                batch_id=row.batch_id,
                ordinal=row.ordinal,
                revision=row.revision,
                detail={"kind": row.kind, "job": str(row.id), "code": row.error_code},
            )
            for row in rows
            if row.error_code is not None
        ],
    )
    return len(rows)


def job_leaseholders(session: Session) -> list[str]:
    """Names of all workers that hold a job."""
    return list(session.execute(LEASEHOLDERS).scalars())


def void_job_leases(session: Session, owners: list[str]) -> int:
    """Ends the leases of dead workers now: the number of jobs."""
    return rows_changed(session, VOID_LEASES, owners=owners) if owners else 0
