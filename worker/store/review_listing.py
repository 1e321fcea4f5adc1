"""Review tasks page by page: unfinished ones as they are offered, finished ones newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select, text, tuple_
from sqlalchemy.orm import Session

from worker.moderation.review import UNFINISHED_TASKS, TaskKind, TaskState
from worker.store.models import ReviewTaskRow
from worker.store.models.review import UNFINISHED

PROGRESS = text(
    f"""
    -- progress: answers that tasks need and have, to who may see them as `visible_reviews` says; else what the queue asks for and one's
    -- own: a second person is asked because of what the first one said
    SELECT t.id, CASE WHEN may.see THEN t.slots ELSE least(t.slots, q.slots) END AS slots,
           (SELECT count(*) FROM reviews AS r
             WHERE r.task_id = t.id AND r.taken_back_at IS NULL AND (may.see OR r.reviewer = :viewer)) AS answers
      FROM review_tasks AS t
      JOIN review_queues AS q ON q.tenant_id = t.tenant_id AND q.name = t.queue
     CROSS JOIN LATERAL (
           SELECT :lead OR NOT {UNFINISHED.text}
               OR EXISTS (SELECT FROM reviews AS mine WHERE mine.task_id = t.id AND mine.reviewer = :viewer
                                                        AND mine.taken_back_at IS NULL AND mine.pending_until IS NULL) AS see) AS may
     WHERE t.id = ANY(:ids)
    """  # noqa: S608  a constant of ours
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which tasks; None asks for any. Without a state, all that are unfinished. Of golden ones, none but the `viewer`'s own."""

    queue: str | None = None
    state: TaskState | None = None
    assigned_to: str | None = None
    viewer: str | None = None

    @property
    def finished(self) -> bool:
        """Whether done or withdrawn ones are asked for."""
        return self.state is not None and self.state not in UNFINISHED_TASKS


@dataclass(frozen=True, slots=True)
class Position:
    """Behind which task a page begins. Of finished ones only `task_id` counts."""

    priority: int
    due_at: datetime
    task_id: int


def list_tasks(session: Session, tenant_id: str, wanted: Wanted, *, after: Position | None, limit: int) -> Sequence[ReviewTaskRow]:
    """Tasks behind a position."""
    row = ReviewTaskRow
    query = select(row).filter_by(tenant_id=tenant_id).where(_shown(wanted)).limit(limit)
    for column, value in ((row.queue, wanted.queue), (row.state, wanted.state), (row.assigned_to, wanted.assigned_to)):
        query = query if value is None else query.where(column == value)
    if wanted.finished:
        query = query.order_by(row.id.desc())
        query = query if after is None else query.where(row.id < after.task_id)
    else:
        query = query.where(UNFINISHED).order_by(row.priority.desc(), row.due_at, row.id)
        query = query if after is None else query.where(_behind(after))
    return session.execute(query).scalars().all()


@dataclass(frozen=True, slots=True)
class Progress:
    """How many answers a task needs and has, as far as somebody may know."""

    slots: int
    answers: int


def task_progress(session: Session, task_ids: Sequence[int], viewer: str, *, lead: bool) -> dict[int, Progress]:
    """Of each task, as the viewer may know of it: see PROGRESS."""
    rows = session.execute(PROGRESS, {"ids": list(task_ids), "viewer": viewer, "lead": lead})
    return {row.id: Progress(row.slots, row.answers) for row in rows}


def _shown(wanted: Wanted) -> ColumnElement[bool]:
    """Golden tasks are reserved for one reviewer, and shown to that one as if they were not."""
    genuine = ReviewTaskRow.kind != TaskKind.GOLDEN
    return genuine if wanted.assigned_to is not None else or_(genuine, ReviewTaskRow.assigned_to == wanted.viewer)


def _behind(after: Position) -> ColumnElement[bool]:
    row = ReviewTaskRow
    same = and_(row.priority == after.priority, tuple_(row.due_at, row.id) > tuple_(after.due_at, after.task_id))
    return or_(row.priority < after.priority, same)
