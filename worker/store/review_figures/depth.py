"""Depth: how much waits for people in each queue now, how old it is, and how that came about."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.review_figures.scope import FigureScope

AGES = tuple(timedelta(hours=hours) for hours in (1, 4, 24, 72, 168))  # what waits is younger than the first, … or older than the last

WAITING = text(
    """
    -- waiting: unfinished tasks by queue and age; a queue in which nothing waits has a row, too
    SELECT q.name, width_bucket(extract(epoch FROM now() - t.created_at)::float, CAST(:ages AS float[])) AS age, count(t.id) AS tasks,
           count(*) FILTER (WHERE t.state = 'held') AS held, count(*) FILTER (WHERE t.escalated) AS escalated,
           count(*) FILTER (WHERE t.due_at < now()) AS overdue, min(t.created_at) AS oldest
      FROM review_queues AS q
      LEFT JOIN review_tasks AS t ON t.tenant_id = q.tenant_id AND t.queue = q.name AND t.kind <> 'golden'
           AND t.state IN ('open', 'held', 'escalated')
     WHERE q.tenant_id = :tenant_id AND (CAST(:queue AS text) IS NULL OR q.name = :queue)
     GROUP BY 1, 2 ORDER BY 1, 2
    """
)
OPENED = text(
    """
    -- opened: tasks by the step in which they were made
    SELECT date_bin(:step, created_at, :since) AS at, count(*) AS tasks FROM review_tasks
     WHERE kind <> 'golden' AND tenant_id = :tenant_id AND created_at >= :since
       AND (CAST(:queue AS text) IS NULL OR queue = :queue) GROUP BY 1
    """
)
CLOSED = text(
    """
    -- closed: tasks by the step in which they were done or withdrawn
    SELECT date_bin(:step, closed_at, :since) AS at, count(*) AS tasks FROM review_tasks
     WHERE kind <> 'golden' AND tenant_id = :tenant_id AND closed_at >= :since
       AND (CAST(:queue AS text) IS NULL OR queue = :queue) GROUP BY 1
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueDepth:
    """What waits in a queue now. `held`, `escalated` and `overdue` are among `tasks`, and may overlap; `ages` are tasks by AGES."""

    queue: str
    tasks: int
    held: int
    escalated: int
    overdue: int
    oldest: datetime | None
    ages: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Flow:
    """A step: tasks made, tasks done or withdrawn, and how many waited at its end."""

    at: datetime
    opened: int
    closed: int
    waiting: int


def read_depths(session: Session, scope: FigureScope) -> list[QueueDepth]:
    """Each queue's, by name."""
    rows = session.execute(WAITING, {**scope.parameters, "ages": [age.total_seconds() for age in AGES]}).all()
    ages: dict[str, Counter[int]] = {}
    for row in rows:
        ages.setdefault(row.name, Counter())[row.age or 0] += row.tasks
    return [
        QueueDepth(
            queue=queue,
            tasks=counts.total(),
            held=sum(row.held for row in rows if row.name == queue),
            escalated=sum(row.escalated for row in rows if row.name == queue),
            overdue=sum(row.overdue for row in rows if row.name == queue),
            oldest=min((row.oldest for row in rows if row.name == queue and row.oldest), default=None),
            ages=tuple(counts[age] for age in range(len(AGES) + 1)),
        )
        for queue, counts in ages.items()
    ]


def read_flow(session: Session, scope: FigureScope, *, waiting: int) -> Sequence[Flow]:
    """Each step's. How many waited before follows from `waiting`, those that do now: no row from before the window is read."""
    opened, closed = ({row.at: row.tasks for row in session.execute(query, scope.parameters)} for query in (OPENED, CLOSED))
    moments = scope.moments
    before = waiting - sum(opened.values()) + sum(closed.values())
    depths = accumulate((opened.get(at, 0) - closed.get(at, 0) for at in moments), initial=before)
    next(depths)
    return [Flow(at, opened.get(at, 0), closed.get(at, 0), depth) for at, depth in zip(moments, depths, strict=True)]
