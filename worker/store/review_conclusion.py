"""What a task's answers come to, once none of them can be taken back: a decision, another person who is asked, or a lead.

An answer takes effect at once, or when the time in which its reviewer may take it back is over; the dispatcher sees to that.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from worker.moderation.events import EventType
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import (
    ESCALATED_BECAUSE,
    UNFINISHED_TASKS,
    DecisionBasis,
    ReviewVerdict,
    TaskKind,
    TaskState,
    agreed_verdict,
)
from worker.store import audit, outbox
from worker.store.appeals import settle_appeal
from worker.store.decisions import NewDecision, decide
from worker.store.models import ReviewRow, ReviewTaskRow
from worker.store.policy_reading import routed_by

DUE = text(
    """
    -- due: tasks with an answer that its reviewer can no longer take back
    SELECT DISTINCT task_id FROM reviews WHERE pending_until <= now() AND task_id > :after ORDER BY task_id LIMIT :limit
    """
)
MOOT = text(
    """
    -- moot: why nobody needs to be asked about an outcome any more; null of the newest one of an image that is kept
    SELECT CASE WHEN EXISTS (SELECT FROM erasures WHERE batch_id = :batch_id AND ordinal = :ordinal) THEN 'the image was erased'
                WHEN EXISTS (SELECT FROM outcomes WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision > :revision)
                THEN 'a newer revision was judged' END
    """
)


def due_tasks(session: Session, *, after: int = 0, limit: int) -> list[int]:
    """Tasks behind this one with an answer that is to take effect now."""
    return list(session.execute(DUE, {"after": after, "limit": limit}).scalars())


def conclude_due(session: Session, task_id: int, *, actor: str) -> UUID | None:
    """Lets the task's answers take effect whose time is over: the decision that they come to, if they do.

    A task that is locked is left for the next time: whoever waited for it would keep all others waiting.
    """
    query = select(ReviewTaskRow).filter_by(id=task_id).with_for_update(skip_locked=True)
    task = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if task is None:
        return None
    due = update(ReviewRow).filter_by(task_id=task_id).where(ReviewRow.pending_until <= func.now()).values(pending_until=None)
    reviews = session.execute(due.returning(ReviewRow.id)).scalars().all()
    if not reviews:  # they were taken back, or concluded by another, since somebody looked
        return None
    decision_id = conclude(session, task, sorted(reviews))
    place: dict[str, Any] = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    for review_id in sorted(reviews):
        audit.record(session, actor=actor, action="review.concluded", **place, detail={"review": str(review_id), "task": task.id})
    return decision_id


def conclude(session: Session, task: ReviewTaskRow, final: Sequence[UUID]) -> UUID | None:
    """What the locked task's answers come to now that these are final: the decision, if they are one. Tells of each."""
    before = task.state
    decision = _weigh(session, task) if task.state in UNFINISHED_TASKS else None
    task.version += int(task.state != before)
    session.flush()
    decision_id = None if decision is None else _decide(session, task, decision)
    if task.kind == TaskKind.GOLDEN:
        return None
    told = {"task_id": task.id, "item_id": item_id(task.batch_id, task.ordinal), "task_state": task.state}
    for review_id in final:
        outbox.publish(session, task.tenant_id, EventType.REVIEW_COMPLETED, {"review_id": str(review_id), **told})
    return decision_id


def _weigh(session: Session, task: ReviewTaskRow) -> NewDecision | None:
    """The decision that the answers make together; None while some are missing, when somebody else is asked, or the task only measures.

    Where somebody else would be asked about what nobody needs to answer any more, the task is withdrawn.
    """
    query = select(ReviewRow).filter_by(task_id=task.id, taken_back_at=None).order_by(ReviewRow.created_at, ReviewRow.id)
    reviews = session.execute(query.execution_options(populate_existing=True)).scalars().all()
    if any(review.pending_until is not None for review in reviews):
        return None
    if task.kind == TaskKind.GOLDEN:
        task.state, task.closed_at = TaskState.DONE, func.now()
        return None
    if len(reviews) < task.slots:
        return None
    last = reviews[-1]
    alike = [review for review in reviews if (review.verdict, review.action) == (last.verdict, last.action)]
    if not task.escalated and (agreed_verdict([ReviewVerdict(review.verdict) for review in reviews]) is None or len(alike) < len(reviews)):
        _ask_another(session, task, escalate=True)
        return None
    if len(alike) < people_needed(session, task, Action(last.action)):
        _ask_another(session, task, escalate=False)
        return None
    return _closed(task, last, last.reviewer if task.escalated else ", ".join(sorted(review.reviewer for review in reviews)))


def people_needed(session: Session, task: ReviewTaskRow, action: Action) -> int:
    """How many people the policy version asks to agree before this is done."""
    policy = routed_by(session, task.tenant_id, batch_id=task.batch_id, ordinal=task.ordinal, revision=task.revision)
    return 2 if policy is not None and action in policy.four_eyes else 1


def _ask_another(session: Session, task: ReviewTaskRow, *, escalate: bool) -> None:
    place = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    moot = None if task.kind == TaskKind.APPEAL else session.execute(MOOT, place).scalar_one()  # an appeal is about a decision: it stands
    if moot is not None:
        task.state, task.state_reason, task.closed_at = TaskState.WITHDRAWN, moot, func.now()
        return
    if escalate:
        task.state, task.state_reason, task.escalated = TaskState.ESCALATED, ESCALATED_BECAUSE, True
    task.slots, task.assigned_to = task.slots + 1, None


def _closed(task: ReviewTaskRow, last: ReviewRow, by: str) -> NewDecision:
    task.state, task.state_reason, task.closed_at = TaskState.DONE, None, func.now()
    basis = DecisionBasis.LEAD if task.escalated else DecisionBasis.REVIEW
    return NewDecision(
        tenant_id=task.tenant_id,
        batch_id=task.batch_id,
        ordinal=task.ordinal,
        revision=task.revision,
        basis=DecisionBasis.APPEAL if task.kind == TaskKind.APPEAL else basis,
        verdict=Verdict(last.verdict),
        action=Action(last.action),
        decided_by=by,
        reason=last.note,
        clause=last.clause,
        task_id=task.id,
    )


def _decide(session: Session, task: ReviewTaskRow, decision: NewDecision) -> UUID:
    if task.appeal_id is None:
        return decide(session, decision)
    return settle_appeal(session, task.appeal_id, decision)
