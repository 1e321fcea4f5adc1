"""Seals: heads of the audit chain that were exported, so that even an owner of the database cannot shorten it unseen."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.store.statements import rows_changed

UNSEALED_HEAD = text(
    """
    -- unsealed head: the newest link, unless it is sealed, or nothing since the last seal is as old as `older_than` seconds
    SELECT head.link, head.total, head.last_event, head.head, head.created_at
      FROM (SELECT * FROM audit_links ORDER BY link DESC LIMIT 1) AS head
      JOIN audit_links AS oldest ON oldest.link = 1 + coalesce((SELECT link FROM audit_seals ORDER BY link DESC LIMIT 1), 0)
     WHERE oldest.created_at <= clock_timestamp() - make_interval(secs => :older_than)
    """
)
NOTE_SEAL = text(
    """
    -- note seal: head and events are taken from the link by the table's trigger
    INSERT INTO audit_seals (link, bucket, key, version_id) VALUES (:link, :bucket, :key, :version_id) ON CONFLICT DO NOTHING
    """
)
SEALS = text(
    "SELECT id, link, head, events, created_at, bucket, key, version_id FROM audit_seals WHERE link > :after ORDER BY link LIMIT :page"
)
ONE = text("SELECT id, link, head, events, created_at, bucket, key, version_id FROM audit_seals WHERE id = :id")
PAGE = 1_000  # seals per query: six weeks of hourly ones


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where the chain ends: a link, how many events it and all before cover, the last event's id, its head and time."""

    link: int
    events: int
    last_event: int
    head: str
    linked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedSeal:
    """A head as it was exported, and where to."""

    id: int
    link: int
    head: str
    events: int
    created_at: datetime
    bucket: str
    key: str
    version_id: str | None


def unsealed_head(session: Session, *, older_than_seconds: float = 0) -> ChainHead | None:
    """The chain's head, when it has links that no seal covers and the oldest of them is that old; else None."""
    row = session.execute(UNSEALED_HEAD, {"older_than": older_than_seconds}).one_or_none()
    return ChainHead(link=row.link, events=row.total, last_event=row.last_event, head=row.head, linked_at=row.created_at) if row else None


def note_seal(session: Session, link: int, *, bucket: str, key: str, version_id: str | None) -> bool:
    """Keeps that the link's head was exported; False when it was noted before."""
    return rows_changed(session, NOTE_SEAL, link=link, bucket=bucket, key=key, version_id=version_id) > 0


def read_seals(session: Session, *, after: int = 0, page: int = PAGE) -> list[RecordedSeal]:
    """Up to `page` seals of links that follow `after`, in order."""
    return [RecordedSeal(**row._asdict()) for row in session.execute(SEALS, {"after": after, "page": page})]


def find_seal(session: Session, seal_id: int) -> RecordedSeal:
    """One seal. Raises RejectedError `audit_seal_missing`."""
    row = session.execute(ONE, {"id": seal_id}).one_or_none()
    if row is None:
        raise RejectedError("audit_seal_missing", f"There is no seal {seal_id}.")
    return RecordedSeal(**row._asdict())
