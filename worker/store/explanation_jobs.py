"""Explanation jobs under lease: ask for one, claim it, record what it made under its fencing token, or say why not.

A job's life: waiting → announced → running → done, failed, or back to waiting. Announcing and repairing is
`store.explanation_queue`. All times are the database's.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import FencedError, RejectedError, ZoomInError
from worker.moderation.explanation_jobs import AskedJob, Job, JobKind, JobState
from worker.moderation.identifiers import new_uuid7
from worker.store import audit
from worker.store.chunks import wake_dispatcher
from worker.store.erasures import check_not_erased
from worker.store.models import ExplanationJobRow
from worker.store.statements import rows_changed

ASK = text(
    """
    -- ask: new jobs; of those that are there already, a failed one is tried again from the start
    INSERT INTO explanation_jobs AS j (id, tenant_id, kind, batch_id, ordinal, revision, key, detail, asked_by, lane)
    SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:tenant_ids AS text[]), CAST(:kinds AS text[]), CAST(:batch_ids AS uuid[]),
                         CAST(:ordinals AS integer[]), CAST(:revisions AS smallint[]), CAST(:keys AS text[]), CAST(:details AS jsonb[]),
                         CAST(:askers AS text[]), CAST(:lanes AS smallint[]))
    ON CONFLICT (batch_id, ordinal, revision, kind, key) DO UPDATE
       SET state = 'waiting', next_attempt_at = now(), announcements = 0, attempts = 0, error_code = NULL, error_message = NULL,
           finished_at = NULL, lane = excluded.lane
     WHERE j.state = 'failed' AND excluded.lane = 0
    RETURNING j.id, j.batch_id, j.ordinal, j.revision, j.kind
    """
)
HURRY = text(
    """
    -- hurry: what a policy drew, and somebody waits for now
    UPDATE explanation_jobs SET lane = 0
     WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = :revision AND kind = :kind AND key = :key
       AND lane <> 0 AND state = 'waiting'
    """
)
CLAIM = text(
    """
    -- claim: an announced job; the attempt is counted here, before the risky work
    UPDATE explanation_jobs
       SET state = 'running', lease_owner = :owner, lease_token = gen_random_uuid(),
           lease_expires_at = now() + make_interval(secs => :seconds), attempts = attempts + 1
     WHERE id = :id AND state = 'announced'
    RETURNING id, tenant_id, kind, batch_id, ordinal, revision, key, detail, asked_by, lease_token AS token, attempts, announcements,
              now() AS claimed_at
    """
)
RENEW = text(
    """
    -- renew: puts the lease's end off, if it is still ours
    UPDATE explanation_jobs SET lease_expires_at = now() + make_interval(secs => :seconds) WHERE id = :id AND lease_token = :token
    """
)
FINISH = text(
    """
    -- finish: a fence and an end in one: the row is ours until the commit, with whatever else the transaction writes
    UPDATE explanation_jobs
       SET state = 'done', finished_at = now(), error_message = NULL, lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id = :id AND lease_token = :token
    """
)
FAIL = text(
    """
    -- fail: for good, until somebody asks again
    UPDATE explanation_jobs
       SET state = 'failed', finished_at = now(), error_code = :code, error_message = :message,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id = :id AND lease_token = :token
    """
)
PUT_BACK = text(
    """
    -- put back: for a later attempt; an uncharged attempt is given back too
    UPDATE explanation_jobs
       SET state = 'waiting', next_attempt_at = now() + make_interval(secs => :delay), error_message = :message,
           attempts = CASE WHEN :charge THEN attempts ELSE greatest(attempts - 1, 0) END,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id = :id AND lease_token = :token
    """
)


@dataclass(frozen=True, slots=True)
class Asked:
    """A job, and whether asking brought it about, or back."""

    job: ExplanationJobRow
    begun: bool


def ask_for(session: Session, asked: AskedJob) -> Asked:
    """The job for what is asked, new or not; a failed one begins again. The caller has seen that the tenant has the item.

    Raises RejectedError `item_erased`.
    """
    check_not_erased(session, asked.batch_id, asked.ordinal)
    begun = bool(ask_for_all(session, [asked]))
    if not begun and not asked.sampled:
        session.execute(HURRY, _place(asked))
    found = select(ExplanationJobRow).filter_by(**_place(asked)).execution_options(populate_existing=True)
    return Asked(session.execute(found).scalar_one(), begun)


def ask_for_all(session: Session, asked: Sequence[AskedJob]) -> list[UUID]:
    """One asker asks for many, about items whose outcomes the same transaction records: ids of the jobs that this brought about."""
    if not asked:
        return []
    columns = {
        "ids": [new_uuid7() for _ in asked],
        "tenant_ids": [one.tenant_id for one in asked],
        "kinds": [one.kind.value for one in asked],
        "batch_ids": [one.batch_id for one in asked],
        "ordinals": [one.ordinal for one in asked],
        "revisions": [one.revision for one in asked],
        "keys": [one.key for one in asked],
        "details": [json.dumps(dict(one.detail)) for one in asked],
        "askers": [one.asked_by for one in asked],
        "lanes": [int(one.sampled) for one in asked],
    }
    begun = session.execute(ASK, columns).all()
    audit.record_all(session, [_event(row, asked[0].asked_by, "explanation.asked", JobKind(row.kind)) for row in begun])
    if begun:
        wake_dispatcher(session)
    return [row.id for row in begun]


def find_job(session: Session, tenant_id: str, job_id: UUID) -> ExplanationJobRow:
    """A tenant's job. Raises RejectedError `job_missing`."""
    row = session.execute(select(ExplanationJobRow).filter_by(id=job_id, tenant_id=tenant_id)).scalar_one_or_none()
    if row is None:
        raise RejectedError("job_missing", f"There is no explanation job {job_id}.")
    return row


def unfinished_jobs(session: Session, batch_id: UUID, ordinal: int, revision: int, kind: JobKind) -> list[ExplanationJobRow]:
    """Those of a kind about an outcome that are not done, failed ones among them, by key."""
    place = {"batch_id": batch_id, "ordinal": ordinal, "revision": revision, "kind": kind.value}
    query = select(ExplanationJobRow).filter_by(**place).where(ExplanationJobRow.state != JobState.DONE)
    return list(session.execute(query.order_by(ExplanationJobRow.key)).scalars())


def count_waiting(session: Session, tenant_id: str, kind: JobKind) -> int:
    """How many jobs of a kind wait for a tenant."""
    query = (
        select(func.count()).select_from(ExplanationJobRow).filter_by(tenant_id=tenant_id, kind=kind.value, state=JobState.WAITING.value)
    )
    return session.execute(query).scalar_one()


def claim_job(session: Session, job_id: UUID, owner: str, lease_seconds: float) -> Job | None:
    """The job under a lease; None when it is somebody else's, ended, or not announced any more: a repeated or late message."""
    row = session.execute(CLAIM, {"id": job_id, "owner": owner, "seconds": lease_seconds}).one_or_none()
    return None if row is None else Job(**{**row._asdict(), "kind": JobKind(row.kind)})


def renew_job(session: Session, job: Job, lease_seconds: float) -> None:
    """Puts the lease's end off to so long from now. Raises FencedError."""
    _fenced(rows_changed(session, RENEW, id=job.id, token=job.token, seconds=lease_seconds), job)


def finish_job(session: Session, job: Job, *, actor: str) -> None:
    """Ends the job as done; what it made is written behind this, in the same transaction. Raises FencedError, RejectedError."""
    check_not_erased(session, job.batch_id, job.ordinal)  # before the job's row: whoever erases takes them in this order
    _fenced(rows_changed(session, FINISH, id=job.id, token=job.token), job)
    audit.record_all(session, [_event(job, actor, "explanation.finished", job.kind)])


def fail_job(session: Session, job: Job, error: ZoomInError, *, actor: str) -> None:
    """Ends the job with the error. Raises FencedError."""
    _fenced(rows_changed(session, FAIL, id=job.id, token=job.token, code=error.code, message=error.message), job)
    audit.record_all(session, [_event(job, actor, "explanation.failed", job.kind, code=error.code)])


def put_back_job(session: Session, job: Job, *, charge: bool, delay_seconds: float, message: str | None) -> None:
    """Lets the job be tried again later. `charge` keeps the attempt counted. Raises FencedError."""
    parameters = {"charge": charge, "delay": delay_seconds, "message": message}
    _fenced(rows_changed(session, PUT_BACK, id=job.id, token=job.token, **parameters), job)
    wake_dispatcher(session)


def _fenced(changed: int, job: Job) -> None:
    if not changed:
        raise FencedError("lease_lost", f"Explanation job {job.id} is somebody else's by now, or has ended: this work is discarded.")


def _place(asked: AskedJob) -> dict[str, object]:
    place = {"batch_id": asked.batch_id, "ordinal": asked.ordinal, "revision": asked.revision}
    return {**place, "kind": asked.kind.value, "key": asked.key}


def _event(of: Any, actor: str, action: str, kind: JobKind, **more: str) -> audit.AuditEvent:
    """Of a job, or of a row with its id and place."""
    return audit.AuditEvent(
        actor=actor,
        action=action,
        batch_id=of.batch_id,
        ordinal=of.ordinal,
        revision=of.revision,
        detail={"kind": kind.value, "job": str(of.id), **more},
    )
