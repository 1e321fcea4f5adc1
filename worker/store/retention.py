"""Retention of rows: its terms, the sweep of traces and metadata by batch, rows that end whole. The database decides what is due."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.retention import IMAGE_CLASSES, TermKind
from worker.store import audit
from worker.store.evidence import LONGEST_LOOK_DAYS
from worker.store.models import RetentionTermRow

# Steps of `prune_rows`, in their order: events only go once nothing refers to them.
PRUNE_STEPS = (
    "attempts",
    "deliveries",
    "events",
    "claims",
    "row_errors",
    "intakes",
    "keys",
    "secrets",
    "sessions",
    "jobs",
    "calls",
    "evidence",
)

CLAIM_SWEEP = text(
    f"""
    -- claim sweep: an ended batch whose items may be due: never looked at, due again, or judged again since
    SELECT b.id, b.items_accepted, coalesce(s.next_ordinal, 0) AS next_ordinal, s.earliest
      FROM batches AS b LEFT JOIN details_sweeps AS s ON s.batch_id = b.id
     WHERE b.state IN ('finished', 'cancelled') AND b.id > :after
       AND b.finished_at <= (SELECT now() - make_interval(days => least(min(days), {LONGEST_LOOK_DAYS})) FROM retention_terms
                              WHERE kind = ANY(:classes))
       AND (s.batch_id IS NULL OR s.due_at <= now() OR (s.due_at IS NULL AND b.finished_at > s.looked_at))
     ORDER BY b.id LIMIT 1 FOR NO KEY UPDATE OF b SKIP LOCKED
    """  # noqa: S608  a constant of this module
)
PURGE_DETAILS = text(
    f"""
    -- purge details: a range of ordinals, by the function that alone may; of the rest, when it is looked at again
    SELECT items, traces, CASE WHEN earliest IS NOT NULL THEN least(earliest, now() + interval '{LONGEST_LOOK_DAYS} days') END AS earliest
      FROM purge_details(:batch_id, :lo, :hi)
    """  # noqa: S608  a constant of this module
)
NOTE_SWEEP = text(
    """
    -- note sweep: where it goes on; at the batch's end, when something of it is due again
    INSERT INTO details_sweeps AS s (batch_id, next_ordinal, earliest, due_at)
    VALUES (:batch_id, :next_ordinal, CAST(:earliest AS timestamptz),
            CASE WHEN NOT :ended THEN now() ELSE CAST(:earliest AS timestamptz) END)
    ON CONFLICT (batch_id) DO UPDATE
       SET next_ordinal = excluded.next_ordinal, earliest = CASE WHEN NOT :ended THEN excluded.earliest END,
           due_at = excluded.due_at, looked_at = now()
    """
)
COUNT_DETAILS = text(
    """
    -- count details: as `purge details`, changing nothing; a page of items that still have some, in ended batches
    SELECT i.batch_id, i.ordinal, item_kept_until(i.batch_id, i.ordinal) <= now() AS over
      FROM items AS i
     WHERE (i.batch_id, i.ordinal) > (:batch_id, :ordinal)
       AND EXISTS (SELECT FROM batches AS b
                    WHERE b.id = i.batch_id AND b.state IN ('finished', 'cancelled')
                      AND b.finished_at <= (SELECT now() - make_interval(days => min(days)) FROM retention_terms
                                             WHERE kind = ANY(:classes)))
       AND (i.metadata IS NOT NULL OR EXISTS (SELECT FROM traces AS t WHERE t.batch_id = i.batch_id AND t.ordinal = i.ordinal))
     ORDER BY i.batch_id, i.ordinal LIMIT :page
    """
)
PRUNE = text(
    """
    -- prune: rows of a kind whose term is over, by the function that alone may
    SELECT prune_rows(:step, :most)
    """
)
COUNT_PRUNABLE = text(
    """
    -- count prunable: as `prune`, changing nothing
    SELECT count_prunable(:step)
    """
)
CLASSES = [kind.value for kind in IMAGE_CLASSES]


@dataclass(frozen=True, slots=True)
class DetailsPage:
    """What a page of a batch's sweep purged. `last` is the batch, for the next claim; `ended` when it was its last page."""

    last: UUID
    ended: bool
    items: int
    traces: int


def read_terms(session: Session) -> Mapping[TermKind, int]:
    """Days by kind."""
    days = {TermKind(row.kind): row.days for row in session.execute(select(RetentionTermRow)).scalars()}
    return {kind: days[kind] for kind in TermKind}


def set_term(session: Session, kind: TermKind, days: int, *, actor: str) -> None:
    """Changes a term; for the owner of the database. Raises RejectedError `term_invalid`."""
    if not 1 <= days <= 36_500:
        raise RejectedError("term_invalid", "A term has 1 to 36500 days.")
    before = read_terms(session)[kind]
    session.execute(update(RetentionTermRow).filter_by(kind=kind).values(days=days))
    detail = {"term": kind.value, "days": days, "before": before}
    audit.record(session, actor=actor, action="retention.term_changed", detail=detail)


def sweep_details(session: Session, *, after: UUID, page: int) -> DetailsPage | None:
    """Purges traces and metadata that are over from a page of the next due batch behind `after`; None when there is no such batch."""
    batch = session.execute(CLAIM_SWEEP, {"after": after, "classes": CLASSES}).one_or_none()
    if batch is None:
        return None
    lo, hi = batch.next_ordinal, batch.next_ordinal + page - 1
    purged = session.execute(PURGE_DETAILS, {"batch_id": batch.id, "lo": lo, "hi": hi}).one()
    ended = hi >= batch.items_accepted - 1
    earliest: datetime | None = min((moment for moment in (batch.earliest, purged.earliest) if moment is not None), default=None)
    parameters = {"batch_id": batch.id, "next_ordinal": 0 if ended else hi + 1, "earliest": earliest, "ended": ended}
    session.execute(NOTE_SWEEP, parameters)
    return DetailsPage(batch.id, ended, purged.items, purged.traces)


def prune(session: Session, step: str, *, most: int) -> int:
    """Ends up to `most` rows of a step of PRUNE_STEPS: how many."""
    return int(session.execute(PRUNE, {"step": step, "most": most}).scalar_one())


def count_prunable(session: Session, step: str) -> int:
    """How many rows `prune` would end."""
    return int(session.execute(COUNT_PRUNABLE, {"step": step}).scalar_one())


def count_details(session: Session, *, after: tuple[UUID, int], page: int) -> tuple[int, tuple[UUID, int] | None]:
    """How many of a page's items behind `after` would lose traces and metadata, and where the next page begins; None at the end."""
    place: dict[str, Any] = {"batch_id": after[0], "ordinal": after[1]}
    rows = session.execute(COUNT_DETAILS, {**place, "classes": CLASSES, "page": page}).all()
    return sum(row.over for row in rows), (rows[-1].batch_id, rows[-1].ordinal) if rows else None
