"""Claims: take a task, keep it by heartbeats, give it back, skip it, set it aside. All times are the database's.

A task's slots say how many people must answer; each claim holds one, so no more can answer than that. A claim's token names it in every
action.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.errors import FencedError, RejectedError
from worker.moderation.review import ClaimState, TaskState
from worker.store.golden_offers import stand_in, withdraw_stale
from worker.store.review_queues import find_queue
from worker.store.review_tasks import Claimant, end_all_claims, find_task, lock_task, note

# Of one reviewer at a time: the task in front of them, and the next ones, which their page fetches ahead. What comes back with an answer
# that was taken back comes beside: an undo must not fail for what was fetched ahead.
MOST_CLAIMS = 3
CLAIM_LOCKS = 1_919_509_865  # a class of advisory locks: "revi" in ASCII

ALONE = text(
    """
    -- alone: one reviewer's claims are made one after the other, so that their number can be bounded
    SELECT pg_advisory_xact_lock(:locks, hashtext(:tenant_id || ' ' || :reviewer))
    """
)
EXPIRE = text(
    """
    -- expire: claims whose heartbeat did not come; their slots are free again
    UPDATE review_claims SET state = 'expired', ended_at = now()
     WHERE token IN (SELECT token FROM review_claims WHERE state = 'active' AND expires_at < now() ORDER BY token FOR UPDATE SKIP LOCKED)
    """
)
CHOOSE = text(
    """
    -- choose: the most pressing task of the queue, or the one that is named, if it has a free slot for this reviewer. Nobody answers
    -- twice, nor judges an appeal that they opened, or against a decision they had a part in.
    SELECT t.id FROM review_tasks AS t
     WHERE t.tenant_id = :tenant_id AND t.queue = :queue AND (CAST(:task_id AS bigint) IS NULL OR t.id = :task_id)
       AND (t.state IN ('open', 'escalated') OR (t.state = 'held' AND t.held_until <= now())) AND (NOT t.escalated OR :lead)
       AND (t.assigned_to IS NULL OR t.assigned_to = :reviewer)
       AND NOT EXISTS (SELECT FROM review_claims AS c
                        WHERE c.task_id = t.id AND c.reviewer = :reviewer AND c.state IN ('active', 'submitted', 'skipped'))
       AND (SELECT count(*) FROM review_claims AS c WHERE c.task_id = t.id AND c.state IN ('active', 'submitted')) < t.slots
       AND NOT EXISTS (SELECT FROM appeals AS a JOIN decisions AS d ON d.id = a.decision_id
                        LEFT JOIN reviews AS r ON r.task_id = d.task_id
                        WHERE a.id = t.appeal_id AND :reviewer IN (a.opened_by, d.decided_by, r.reviewer))
     ORDER BY t.priority DESC, t.due_at, t.id LIMIT 1
       FOR UPDATE OF t SKIP LOCKED
    """
)
CLAIM = text(
    """
    -- claim: the lowest free slot of a locked task, if there is one; a task that was held is what it was before
    WITH claim AS (
        INSERT INTO review_claims (task_id, slot, reviewer, expires_at)
        SELECT t.id, s.slot, :reviewer, now() + make_interval(secs => q.lease_seconds)
          FROM review_tasks AS t
          JOIN review_queues AS q ON q.tenant_id = t.tenant_id AND q.name = t.queue
         CROSS JOIN LATERAL (SELECT n.number AS slot FROM generate_series(1, t.slots) AS n (number)
                              WHERE NOT EXISTS (SELECT FROM review_claims AS c
                                                 WHERE c.task_id = t.id AND c.slot = n.number AND c.state IN ('active', 'submitted'))
                              ORDER BY n.number LIMIT 1) AS s
         WHERE t.id = :task_id
        RETURNING token, slot, expires_at
    ), reopened AS (
        UPDATE review_tasks
           SET state = CASE WHEN state <> 'held' THEN state WHEN escalated THEN 'escalated' ELSE 'open' END, held_until = NULL,
               version = version + CASE state WHEN 'held' THEN 1 ELSE 0 END
         WHERE id = :task_id AND EXISTS (SELECT FROM claim)
        RETURNING version
    )
    SELECT token, slot, expires_at, version FROM claim, reopened
    """
)
RENEW = text(
    """
    -- renew: puts an active claim's end off
    UPDATE review_claims AS c SET expires_at = now() + make_interval(secs => q.lease_seconds)
      FROM review_tasks AS t JOIN review_queues AS q ON q.tenant_id = t.tenant_id AND q.name = t.queue
     WHERE c.token = :token AND c.task_id = :task_id AND c.reviewer = :reviewer AND c.state = 'active' AND c.expires_at > now()
       AND t.id = c.task_id
    RETURNING c.expires_at
    """
)
RETURN = text(
    """
    -- return: the slot of an answer that was taken back is free
    UPDATE review_claims SET state = 'released', ended_at = now(), reason = 'the answer was taken back'
     WHERE task_id = :task_id AND reviewer = :reviewer AND state = 'submitted'
    """
)
END = text(
    """
    -- end: an active claim stops
    UPDATE review_claims SET state = :state, ended_at = now(), reason = :reason
     WHERE token = :token AND task_id = :task_id AND reviewer = :reviewer AND state = 'active' AND expires_at > now()
    RETURNING slot, extract(epoch FROM now() - claimed_at)::float AS seconds
    """
)
HELD = text(
    """
    -- held: a reviewer's claims that have not run out, oldest first
    SELECT c.task_id, c.token, c.slot, c.reviewer, c.expires_at, t.version
      FROM review_claims AS c JOIN review_tasks AS t ON t.id = c.task_id AND t.tenant_id = :tenant_id
     WHERE c.reviewer = :reviewer AND c.state = 'active' AND c.expires_at > now() ORDER BY c.claimed_at, c.token
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A reviewer's right to answer a task until `expires_at`. `version` is the task's, which the next action must name."""

    task_id: int
    token: UUID
    slot: int
    reviewer: str
    expires_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Which slot a claim held, and for how long."""

    slot: int
    seconds: float


def claim_task(session: Session, claimant: Claimant, queue: str, *, task_id: int | None = None) -> Claim | None:
    """The queue's most pressing task that this reviewer may answer, or the named one; None when it is not to be had.

    Raises RejectedError: queue_missing, claims_too_many.
    """
    find_queue(session, claimant.tenant_id, queue)
    who = {"tenant_id": claimant.tenant_id, "reviewer": claimant.reviewer}
    session.execute(ALONE, {**who, "locks": CLAIM_LOCKS})
    session.execute(EXPIRE)
    withdraw_stale(session)
    if len(held_claims(session, claimant)) >= MOST_CLAIMS:
        raise RejectedError("claims_too_many", f"You hold {MOST_CLAIMS} tasks already. Answer one, or give it back.")
    wanted = {**who, "queue": queue, "lead": claimant.lead, "task_id": task_id}
    while (chosen := session.execute(CHOOSE, wanted).scalar_one_or_none()) is not None:
        chosen = chosen if task_id is not None else (stand_in(session, claimant, chosen) or chosen)
        # Its last slot may have been taken between CHOOSE's snapshot and its lock. Locked, it is not chosen again.
        if (claim := take_slot(session, claimant, chosen)) is not None:
            note(session, find_task(session, claim.task_id, claimant), claimant, "review.claimed", {"slot": claim.slot})
            return claim
    return None


def claim_this_task(session: Session, claimant: Claimant, task_id: int) -> Claim | None:
    """The reviewer's claim on a task: the one they hold, else a new one; None when it is not to be had.

    Raises RejectedError: task_missing, claims_too_many.
    """
    queue = find_task(session, task_id, claimant).queue
    held = (claim for claim in held_claims(session, claimant) if claim.task_id == task_id)
    return next(held, None) or claim_task(session, claimant, queue, task_id=task_id)


def take_slot(session: Session, claimant: Claimant, task_id: int) -> Claim | None:
    """A claim on the lowest free slot of a locked task; None when all are taken."""
    row = session.execute(CLAIM, {"reviewer": claimant.reviewer, "task_id": task_id}).one_or_none()
    return None if row is None else Claim(task_id=task_id, reviewer=claimant.reviewer, **row._asdict())


def return_slot(session: Session, task_id: int, claimant: Claimant) -> None:
    """The slot that the claimant answered in is free again."""
    session.execute(RETURN, {"task_id": task_id, "reviewer": claimant.reviewer})


def held_claims(session: Session, claimant: Claimant) -> list[Claim]:
    """What the reviewer holds at this moment, oldest first; at most MOST_CLAIMS, and those that came back with an answer."""
    return [Claim(**row._asdict()) for row in session.execute(HELD, {"tenant_id": claimant.tenant_id, "reviewer": claimant.reviewer})]


def renew_claim(session: Session, claimant: Claimant, task_id: int, token: UUID) -> datetime:
    """Puts the claim's end off: until when. Raises FencedError when it is no longer the reviewer's."""
    claim = {"token": token, "task_id": task_id, "reviewer": claimant.reviewer}
    expires_at = session.execute(RENEW, claim).scalar_one_or_none()
    if expires_at is None:
        raise _lost()
    return expires_at  # type: ignore[no-any-return]  # a raw statement's value


def release_claim(session: Session, claimant: Claimant, task_id: int, token: UUID) -> None:
    """Gives the slot back; the same reviewer may be offered the task again. Raises FencedError, RejectedError `task_missing`."""
    task = lock_task(session, task_id, claimant, version=None)
    end_claim(session, claimant, task_id, token, ClaimState.RELEASED, reason=None)
    note(session, task, claimant, "review.released", {})


def skip_task(session: Session, claimant: Claimant, task_id: int, token: UUID, *, reason: str) -> None:
    """Gives the slot back for good: the task is never offered to this reviewer again. Raises as `release_claim`."""
    task = lock_task(session, task_id, claimant, version=None)
    end_claim(session, claimant, task_id, token, ClaimState.SKIPPED, reason=reason)
    note(session, task, claimant, "review.skipped", {})


def hold_task(
    session: Session, claimant: Claimant, task_id: int, token: UUID, *, version: int, reason: str, until: datetime | None
) -> None:
    """Sets the task aside until a time, or until it is reopened. Ends every claim on it.

    Raises FencedError, RejectedError: task_missing, task_changed.
    """
    task = lock_task(session, task_id, claimant, version=version)
    end_claim(session, claimant, task_id, token, ClaimState.RELEASED, reason=reason)
    end_all_claims(session, task_id, reason="the task was held")
    task.state, task.state_reason, task.held_until, task.version = TaskState.HELD, reason, until, task.version + 1
    session.flush()
    note(session, task, claimant, "review.held", {})


def end_claim(session: Session, claimant: Claimant, task_id: int, token: UUID, state: ClaimState, *, reason: str | None) -> Ended:
    """Ends an active claim. Raises FencedError when it is no longer the reviewer's."""
    claim = {"token": token, "task_id": task_id, "reviewer": claimant.reviewer}
    row = session.execute(END, {**claim, "state": state.value, "reason": reason}).one_or_none()
    if row is None:
        raise _lost()
    return Ended(*row)


def _lost() -> FencedError:
    return FencedError("claim_lost", "The claim has expired or is somebody else's: claim the task again.")
