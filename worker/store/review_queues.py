"""Review queues: how many people each of their tasks needs, for how long they hold it, and how the queues stand."""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.store import audit
from worker.store.models import ReviewQueueRow

STANDING = text(
    """
    -- standing: what waits in each of these queues, golden tasks left out. A task that is held until a time which has come is offered: it
    -- counts as what it was before
    SELECT queue,
           count(*) FILTER (WHERE NOT escalated AND (state = 'open' OR (state = 'held' AND held_until <= now()))) AS open,
           count(*) FILTER (WHERE state = 'held' AND (held_until > now() OR held_until IS NULL)) AS held,
           count(*) FILTER (WHERE escalated AND (state = 'escalated' OR held_until <= now())) AS escalated,
           count(*) FILTER (WHERE due_at < now()) AS overdue,
           min(created_at) AS oldest
      FROM review_tasks
     WHERE tenant_id = :tenant_id AND queue = ANY(:queues) AND kind <> 'golden' AND state IN ('open', 'held', 'escalated')
     GROUP BY queue
    """
)

DEMAND = text(
    """
    -- demand: unfinished tasks of every queue, golden ones left out, and how old the oldest is; a drained queue has a row, too
    SELECT q.tenant_id, q.name,
           count(t.id) FILTER (WHERE t.state = 'open') AS open,
           count(t.id) FILTER (WHERE t.state = 'held') AS held,
           count(t.id) FILTER (WHERE t.state = 'escalated') AS escalated,
           count(t.id) FILTER (WHERE t.due_at < now()) AS overdue,
           coalesce(extract(epoch FROM now() - min(t.created_at)), 0)::float AS oldest_seconds
      FROM review_queues AS q
      LEFT JOIN review_tasks AS t ON t.tenant_id = q.tenant_id AND t.queue = q.name AND t.kind <> 'golden'
                                 AND t.state IN ('open', 'held', 'escalated')
     GROUP BY q.tenant_id, q.name
    """
)


@dataclass(frozen=True, slots=True)
class ReviewDemand:
    """What waits for people in a queue; for metrics."""

    tenant_id: str
    queue: str
    open: int
    held: int
    escalated: int
    overdue: int
    oldest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueSettings:
    """What a queue asks for. `slots` and `due_hours` are for tasks made from then on, `lease_seconds` for claims and heartbeats.

    `golden_share`: of claims, the share that is of images whose answer is known, see `worker.store.golden_offers`.
    """

    slots: int = 1
    lease_seconds: int = 300
    due_hours: int = 24
    guidance: str = ""
    golden_share: float = 0.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """Unfinished tasks of a queue; `oldest` is when the one that has waited longest was made."""

    open: int = 0
    held: int = 0
    escalated: int = 0
    overdue: int = 0
    oldest: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """A queue, and what waits in it."""

    name: str
    settings: QueueSettings
    version: int
    created_at: datetime
    waiting: Waiting


def list_queues(session: Session, tenant_id: str, *, after: str = "", limit: int) -> list[Queue]:
    """By name, those behind `after`."""
    query = select(ReviewQueueRow).filter_by(tenant_id=tenant_id).where(ReviewQueueRow.name > after).order_by(ReviewQueueRow.name)
    return _queues(session, tenant_id, session.execute(query.limit(limit)).scalars().all())


def queue_names(session: Session, tenant_id: str) -> list[str]:
    """Of all its queues."""
    return list(session.execute(select(ReviewQueueRow.name).filter_by(tenant_id=tenant_id).order_by(ReviewQueueRow.name)).scalars())


def read_queue(session: Session, tenant_id: str, name: str) -> Queue:
    """One of them. Raises RejectedError `queue_missing`."""
    return _queues(session, tenant_id, [find_queue(session, tenant_id, name)])[0]


def review_demand(session: Session) -> list[ReviewDemand]:
    """How every tenant's queues stand now."""
    return [ReviewDemand(*row) for row in session.execute(DEMAND)]


def find_queue(session: Session, tenant_id: str, name: str) -> ReviewQueueRow:
    """The queue's row. Raises RejectedError `queue_missing`."""
    row = session.get(ReviewQueueRow, (tenant_id, name), populate_existing=True)
    if row is None:
        raise _missing(name)
    return row


def create_queue(session: Session, tenant_id: str, name: str, settings: QueueSettings, *, actor: str) -> None:
    """A new queue, which policy versions can name from now on. Raises RejectedError `queue_exists`."""
    made = session.execute(
        insert(ReviewQueueRow)
        .values(tenant_id=tenant_id, name=name, **asdict(settings))
        .on_conflict_do_nothing()
        .returning(ReviewQueueRow.name)
    ).one_or_none()
    if made is None:
        raise RejectedError("queue_exists", f"There is a queue {name} already.")
    _note(session, tenant_id, name, settings, actor=actor, action="queue.created")


def change_queue(session: Session, tenant_id: str, name: str, settings: QueueSettings, *, version: int, actor: str) -> None:
    """Gives a queue other settings, if it is still at the version that was seen. Raises RejectedError: queue_missing, queue_changed."""
    query = select(ReviewQueueRow).filter_by(tenant_id=tenant_id, name=name).with_for_update()
    row = session.execute(query.execution_options(populate_existing=True)).scalar_one_or_none()
    if row is None:
        raise _missing(name)
    if row.version != version:
        raise RejectedError("queue_changed", f"Queue {name} is at version {row.version}; you saw {version}. Look at it again.")
    if settings == _settings(row):
        return
    for column, value in asdict(settings).items():
        setattr(row, column, value)
    row.version += 1
    session.flush()
    _note(session, tenant_id, name, settings, actor=actor, action="queue.changed")


def _queues(session: Session, tenant_id: str, rows: Sequence[ReviewQueueRow]) -> list[Queue]:
    found = session.execute(STANDING, {"tenant_id": tenant_id, "queues": [row.name for row in rows]}).all()
    waiting = {row.queue: Waiting(row.open, row.held, row.escalated, row.overdue, row.oldest) for row in found}
    return [
        Queue(
            name=row.name,
            settings=_settings(row),
            version=row.version,
            created_at=row.created_at,
            waiting=waiting.get(row.name, Waiting()),
        )
        for row in rows
    ]


def _settings(row: ReviewQueueRow) -> QueueSettings:
    return QueueSettings(
        slots=row.slots,
        lease_seconds=row.lease_seconds,
        due_hours=row.due_hours,
        guidance=row.guidance,
        golden_share=row.golden_share,
    )


def _note(session: Session, tenant_id: str, name: str, settings: QueueSettings, *, actor: str, action: str) -> None:
    numbers = {setting: value for setting, value in asdict(settings).items() if setting != "guidance"}
    digest = hashlib.sha256(settings.guidance.encode()).hexdigest()
    detail = {"queue": name, **numbers}
    audit.record(session, actor=actor, action=action, tenant_id=tenant_id, payload_digest=digest, detail=detail)


def _missing(name: str) -> RejectedError:
    return RejectedError("queue_missing", f"There is no review queue {name[:80]!r}.")
