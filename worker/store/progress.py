"""How far a batch is: summed over its chunks' counters, so that it costs the same however many outcomes there are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.release import Training
from worker.store.batches import find_batch
from worker.store.models import BatchRow
from worker.store.models.intake import BatchState

SAMPLE_ITEMS = 10_000  # shares and releases are read from a batch's first items: followers ask five times a second

COUNTS = text(
    """
    -- counts: outcomes by kind at the newest revision of each batch, split chunks included; `scope` is the union of its chunks' ranges
    SELECT b.id, coalesce(sum(c.verdicts), 0) AS verdicts, coalesce(sum(c.flagged), 0) AS flagged,
           coalesce(sum(c.unreadable), 0) AS unreadable, coalesce(sum(c.failed), 0) AS failed, coalesce(sum(c.cancelled), 0) AS cancelled,
           coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(range_agg(int4range(c.lo, c.hi))) AS r), 0) AS scope
      FROM batches AS b LEFT JOIN chunks AS c ON c.batch_id = b.id AND c.revision = b.revision
     WHERE b.id = ANY(:batch_ids) GROUP BY b.id
    """
)
CACHE = text(
    """
    -- cache: how much of the zooms' prompts the prefix cache gave, of all and of what whole blocks could have given
    SELECT sum(cached_tokens)::float / nullif(sum(prompt_tokens) FILTER (WHERE cached_tokens IS NOT NULL), 0) AS of_prompt,
           sum(cached_tokens) FILTER (WHERE attainable_tokens IS NOT NULL)::float
           / nullif(sum(attainable_tokens) FILTER (WHERE cached_tokens IS NOT NULL), 0) AS of_attainable
      FROM traces
     WHERE batch_id = :batch_id AND ordinal < :sample AND revision = :revision AND stage = 'zoom'
    """
)
RELEASES = text(
    """
    -- releases: which judged
    SELECT id, training FROM releases
     WHERE id IN (SELECT DISTINCT release_id FROM outcomes WHERE batch_id = :batch_id AND ordinal < :sample AND revision = :revision)
     ORDER BY created_at
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judges:
    """What judged a batch, by its first 10,000 items; nothing where nobody looked."""

    cached_prompt_share: float | None = None  # of the zooms' prompt tokens; None without data
    cached_attainable_share: float | None = None  # of the prompt tokens that whole-block prefix reuse could have given
    releases: tuple[tuple[str, Training], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchProgress:
    """Where a batch stands. accepted and rejected count source rows; the outcomes are those of the newest revision.

    After a full scan verdicts + unreadable + failed + cancelled + pending = accepted; after a rescan of some kinds, = scope.
    """

    batch_id: UUID
    state: BatchState
    pause_reason: str | None
    revision: int
    accepted: int
    rejected: int
    scope: int  # items that the newest revision judges
    verdicts: int
    flagged: int  # among the verdicts
    unreadable: int
    failed: int
    cancelled: int
    pending: int
    judges: Judges = Judges()


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Items of a batch's newest revision: scope = verdicts + unreadable + failed + cancelled + pending; flagged are among the verdicts."""

    scope: int
    verdicts: int
    flagged: int
    unreadable: int
    failed: int
    cancelled: int

    @property
    def pending(self) -> int:
        """Without an outcome."""
        return self.scope - self.verdicts - self.unreadable - self.failed - self.cancelled


def count_items(session: Session, batch_ids: Sequence[UUID]) -> dict[UUID, Counts]:
    """Counts by batch, in one query."""
    names = ("scope", "verdicts", "flagged", "unreadable", "failed", "cancelled")
    rows = session.execute(COUNTS, {"batch_ids": list(batch_ids)})
    return {row.id: Counts(**{name: int(getattr(row, name)) for name in names}) for row in rows}


def progress(session: Session, batch_id: UUID) -> BatchProgress:
    """The batch's standing, with what judged it. Raises RejectedError `batch_missing`."""
    batch = find_batch(session, batch_id)
    return replace(standing(batch, count_items(session, [batch_id])[batch_id]), judges=judges(session, batch))


def standing(batch: BatchRow, counts: Counts) -> BatchProgress:
    """A batch's row and counts; who judged is not looked at."""
    return BatchProgress(
        batch_id=batch.id,
        state=BatchState(batch.state),
        pause_reason=batch.pause_reason,
        revision=batch.revision,
        accepted=batch.items_accepted,
        rejected=batch.rows_rejected,
        scope=counts.scope,
        verdicts=counts.verdicts,
        flagged=counts.flagged,
        unreadable=counts.unreadable,
        failed=counts.failed,
        cancelled=counts.cancelled,
        pending=counts.pending,
    )


def judges(session: Session, batch: BatchRow) -> Judges:
    """What judged the newest revision, and how much its prefix cache helped; read from the batch's first items."""
    place = {"batch_id": batch.id, "revision": batch.revision, "sample": SAMPLE_ITEMS}
    cache = session.execute(CACHE, place).one()
    releases = session.execute(RELEASES, place).all()
    return Judges(
        cached_prompt_share=cache.of_prompt,
        cached_attainable_share=cache.of_attainable,
        releases=tuple((row.id, Training(row.training)) for row in releases),
    )
