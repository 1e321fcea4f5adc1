"""What waits for people, and for the webhook sender: how much, and for how long."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

BACKLOG = text(
    """
    -- backlog: over the partial indexes of unfinished tasks and of events that were not taken up
    SELECT count(*) FILTER (WHERE state = 'open') AS open, count(*) FILTER (WHERE state = 'held') AS held,
           count(*) FILTER (WHERE state = 'escalated') AS escalated,
           count(*) FILTER (WHERE state IN ('open', 'escalated') AND due_at < now()) AS overdue,
           coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE state IN ('open', 'escalated'))), 0)::float
               AS oldest_task_seconds,
           coalesce(extract(epoch FROM now() - (SELECT created_at FROM outbox WHERE delivered_at IS NULL ORDER BY id LIMIT 1)), 0)::float
               AS oldest_event_seconds
      FROM review_tasks WHERE state IN ('open', 'held', 'escalated')
    """
)


@dataclass(frozen=True, slots=True)
class Backlog:
    """Unfinished review tasks by state; those of open and escalated ones that are overdue; ages, 0 where nothing waits."""

    open: int
    held: int
    escalated: int
    overdue: int
    oldest_task_seconds: float
    oldest_event_seconds: float


def read_backlog(session: Session) -> Backlog:
    """How it stands now."""
    return Backlog(*session.execute(BACKLOG).one())
