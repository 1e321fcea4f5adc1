"""Which rows figures are about: a tenant's, of the last days, of one queue or all; cut into steps of whole hours or days (UTC)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

# Answers r to tasks t that say no more than everybody may see: what was said of an unfinished task is told to nobody who may yet be asked.
SETTLED = "(r.pending_until IS NULL AND r.taken_back_at IS NULL AND t.state NOT IN ('open', 'held', 'escalated'))"
ROOM = text("SET LOCAL work_mem = '32MB'  -- what a window is sorted and counted in; the default goes to disk")
NOW = text("SELECT now()  -- by the database's clock, as everything here")
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)  # a midnight: steps begin at whole hours and days
MOST_DAYS = 90
STEPS = ((1, timedelta(hours=1)), (7, timedelta(hours=6)), (MOST_DAYS, timedelta(days=1)))  # windows up to so many days are cut like this


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureScope:
    """`days` in steps, the last of which is still running. `queue` None: all queues."""

    tenant_id: str
    queue: str | None
    since: datetime
    until: datetime
    step: timedelta

    @property
    def parameters(self) -> dict[str, object]:
        """As the queries name them."""
        return {"tenant_id": self.tenant_id, "queue": self.queue, "since": self.since, "step": self.step}

    @property
    def moments(self) -> Sequence[datetime]:
        """When each step begins."""
        return [self.since + number * self.step for number in range(-(-(self.until - self.since) // self.step))]


def look_back(session: Session, tenant_id: str, *, days: int, queue: str | None = None) -> FigureScope:
    """The last `days`, up to MOST_DAYS, from the database's now; the transaction gets room to count them."""
    session.execute(ROOM)
    now: datetime = session.execute(NOW).scalar_one()
    step = next(step for most, step in STEPS if days <= most)
    running = now - (now - EPOCH) % step
    return FigureScope(tenant_id=tenant_id, queue=queue, since=running + step - timedelta(days=days), until=now, step=step)
