"""Review tasks page by page: unfinished ones as they are offered, finished ones newest first."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_
from sqlalchemy.orm import Session

from worker.moderation.review import UNFINISHED_TASKS, TaskKind, TaskState
from worker.store.models import ReviewRow, ReviewTaskRow
from worker.store.models.review import UNFINISHED


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


def count_answers(session: Session, task_ids: Sequence[int]) -> dict[int, int]:
    """How many have answered each task; those that nobody answered are left out."""
    standing = ReviewRow.task_id.in_(task_ids) & ReviewRow.taken_back_at.is_(None)
    query = select(ReviewRow.task_id, func.count().label("answers")).where(standing).group_by(ReviewRow.task_id)
    return {row.task_id: row.answers for row in session.execute(query)}


def _shown(wanted: Wanted) -> ColumnElement[bool]:
    """Golden tasks are reserved for one reviewer, and shown to that one as if they were not."""
    genuine = ReviewTaskRow.kind != TaskKind.GOLDEN
    return genuine if wanted.assigned_to is not None else or_(genuine, ReviewTaskRow.assigned_to == wanted.viewer)


def _behind(after: Position) -> ColumnElement[bool]:
    row = ReviewTaskRow
    same = and_(row.priority == after.priority, tuple_(row.due_at, row.id) > tuple_(after.due_at, after.task_id))
    return or_(row.priority < after.priority, same)
