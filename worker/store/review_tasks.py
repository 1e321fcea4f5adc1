"""Review tasks: find and lock them, reopen, reassign, put them before or behind others. All times are the database's.

Whatever changes the question (hold, reassign, escalation, a newer revision) raises the task's version, which an answer must name; what
other reviewers of the task do beside one does not, nor does its place in the queue.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.review import ESCALATED_BECAUSE, TaskKind, TaskState
from worker.store import audit
from worker.store.models import ReviewTaskRow

END_ALL = text(
    """
    -- end all: nobody holds the task any more
    UPDATE review_claims SET state = 'released', ended_at = now(), reason = :reason WHERE task_id = :task_id AND state = 'active'
    """
)
BARRED = text(
    """
    -- barred: whether a reviewer can never be offered the task: answered or skipped it, opened the appeal, or had a part in what it
    -- contests
    SELECT EXISTS (SELECT FROM review_claims WHERE task_id = :task_id AND reviewer = :reviewer AND state IN ('submitted', 'skipped'))
        OR EXISTS (SELECT FROM review_tasks AS t JOIN appeals AS a ON a.id = t.appeal_id JOIN decisions AS d ON d.id = a.decision_id
                     LEFT JOIN reviews AS r ON r.task_id = d.task_id
                    WHERE t.id = :task_id AND :reviewer IN (a.opened_by, d.decided_by, r.reviewer))
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimant:
    """Who acts: of which tenant, by which name, and whether as a lead."""

    tenant_id: str
    reviewer: str
    lead: bool = False


def reopen_task(session: Session, claimant: Claimant, task_id: int, *, version: int) -> None:
    """Offers a held task again, to leads alone if it was escalated. Raises RejectedError: task_missing, task_changed, task_state."""
    task = lock_task(session, task_id, claimant, version=version)
    if task.state != TaskState.HELD:
        raise RejectedError("task_state", f"Task {task_id} is {task.state}, not held.")
    task.state, task.state_reason = (TaskState.ESCALATED, ESCALATED_BECAUSE) if task.escalated else (TaskState.OPEN, None)
    task.held_until, task.version = None, task.version + 1
    session.flush()
    note(session, task, claimant, "review.reopened", {})


def reassign_task(session: Session, claimant: Claimant, task_id: int, *, version: int, to: str | None) -> None:
    """Reserves an unfinished task for one reviewer, or with None for anybody. Ends every claim on it.

    Raises RejectedError: task_missing, task_changed, task_finished, reviewer_barred.
    """
    task = lock_task(session, task_id, claimant, version=version)
    if task.kind == TaskKind.GOLDEN:
        raise RejectedError("reviewer_barred", f"Nobody else can be offered task {task_id}.")
    if to is not None and session.execute(BARRED, {"task_id": task_id, "reviewer": to}).scalar_one():
        raise RejectedError(
            "reviewer_barred",
            f"{to[:80]} has answered or skipped task {task_id}, opened its appeal, or had a part in the decision it contests.",
        )
    end_all_claims(session, task_id, reason="the task was reassigned")
    task.assigned_to, task.version = to, task.version + 1
    session.flush()
    note(session, task, claimant, "review.reassigned", {"to": to})


def prioritise_task(
    session: Session, claimant: Claimant, task_id: int, *, priority: int | None = None, due_at: datetime | None = None
) -> None:
    """Gives an unfinished task another priority or due time; None leaves it. Claims on it go on.

    Raises RejectedError: task_missing, task_finished.
    """
    task = lock_task(session, task_id, claimant, version=None)
    task.priority = task.priority if priority is None else priority
    task.due_at = task.due_at if due_at is None else due_at
    session.flush()
    note(session, task, claimant, "review.prioritised", {"priority": task.priority, "due_at": task.due_at.isoformat()})


def find_task(session: Session, task_id: int, claimant: Claimant) -> ReviewTaskRow:
    """A task of the tenant's; a golden one for nobody but its reviewer. Raises RejectedError `task_missing`."""
    task = session.get(ReviewTaskRow, task_id, populate_existing=True)
    if task is None or task.tenant_id != claimant.tenant_id or _hidden(task, claimant):
        raise _missing(task_id)
    return task


def lock_task(session: Session, task_id: int, claimant: Claimant, *, version: int | None) -> ReviewTaskRow:
    """The task, its row locked, unfinished, and at `version` where one is named.

    Raises RejectedError: task_missing, task_finished, task_changed.
    """
    task = lock_any_task(session, task_id, claimant)
    check_task(task, version=version)
    return task


def lock_any_task(session: Session, task_id: int, claimant: Claimant) -> ReviewTaskRow:
    """As `find_task`, its row locked, whatever its state. Raises RejectedError `task_missing`."""
    query = select(ReviewTaskRow).filter_by(id=task_id, tenant_id=claimant.tenant_id).with_for_update()
    task = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if task is None or _hidden(task, claimant):
        raise _missing(task_id)
    return task


def check_task(task: ReviewTaskRow, *, version: int | None) -> None:
    """Raises RejectedError: task_finished; task_changed when it is not at `version`."""
    if task.state in {TaskState.DONE, TaskState.WITHDRAWN}:
        raise RejectedError("task_finished", f"Task {task.id} is {task.state}.")
    if version not in {None, task.version}:
        raise RejectedError("task_changed", f"Task {task.id} is at version {task.version}; you saw {version}. Look at it again.")


def end_all_claims(session: Session, task_id: int, *, reason: str) -> None:
    """Nobody holds the task any more."""
    session.execute(END_ALL, {"task_id": task_id, "reason": reason})


def note(session: Session, task: ReviewTaskRow, claimant: Claimant, action: str, detail: dict[str, object]) -> None:
    """The audit event of an action on a task."""
    place: dict[str, Any] = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    audit.record(session, actor=claimant.reviewer, action=action, **place, detail={"task": task.id, **detail})


def _hidden(task: ReviewTaskRow, claimant: Claimant) -> bool:
    return task.kind == TaskKind.GOLDEN and task.assigned_to != claimant.reviewer


def _missing(task_id: int) -> RejectedError:
    return RejectedError("task_missing", f"There is no review task {task_id}.")
