"""How far a batch is: summed over its chunks' counters, so that it costs the same however many outcomes there are."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.release import Training
from worker.store.batches import find_batch
from worker.store.models.intake import BatchState

SAMPLE_ITEMS = 10_000  # shares and releases are read from a batch's first items: followers ask five times a second

COUNTS = text(
    """
    -- counts: outcomes by kind at one revision, split chunks included; `scope` is the union of its chunks' ranges
    SELECT coalesce(sum(verdicts), 0) AS verdicts, coalesce(sum(flagged), 0) AS flagged, coalesce(sum(unreadable), 0) AS unreadable,
           coalesce(sum(failed), 0) AS failed, coalesce(sum(cancelled), 0) AS cancelled,
           coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(range_agg(int4range(lo, hi))) AS r), 0) AS scope
      FROM chunks WHERE batch_id = :batch_id AND revision = :revision
    """
)
ALL_COUNTS = text(
    """
    -- all counts: as `counts`, of several batches at the newest revision of each
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
class BatchProgress:
    """Where a batch stands. accepted and rejected count source rows; the outcomes are those of the newest revision.

    After a full scan verdicts + unreadable + failed + cancelled + pending = accepted; after a rescan of some kinds, = scope.
    Shares, releases and trainings are read from the batch's first 10,000 items.
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
    cached_prompt_share: float | None  # of the zooms' prompt tokens; None without data
    cached_attainable_share: float | None  # of the prompt tokens that whole-block prefix reuse could have given
    releases: tuple[str, ...]
    trainings: tuple[Training, ...]


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
    rows = session.execute(ALL_COUNTS, {"batch_ids": list(batch_ids)})
    return {row.id: Counts(**{name: int(getattr(row, name)) for name in names}) for row in rows}


def progress(session: Session, batch_id: UUID) -> BatchProgress:
    """The batch's standing. Raises RejectedError `batch_missing`."""
    batch = find_batch(session, batch_id)
    place = {"batch_id": batch_id, "revision": batch.revision}
    counts = session.execute(COUNTS, place).one()
    cache = session.execute(CACHE, {**place, "sample": SAMPLE_ITEMS}).one()
    releases = session.execute(RELEASES, {**place, "sample": SAMPLE_ITEMS}).all()
    return BatchProgress(
        batch_id=batch_id,
        state=BatchState(batch.state),
        pause_reason=batch.pause_reason,
        revision=batch.revision,
        accepted=batch.items_accepted,
        rejected=batch.rows_rejected,
        scope=int(counts.scope),
        verdicts=int(counts.verdicts),
        flagged=int(counts.flagged),
        unreadable=int(counts.unreadable),
        failed=int(counts.failed),
        cancelled=int(counts.cancelled),
        pending=int(counts.scope - counts.verdicts - counts.unreadable - counts.failed - counts.cancelled),
        cached_prompt_share=cache.of_prompt,
        cached_attainable_share=cache.of_attainable,
        releases=tuple(row.id for row in releases),
        trainings=tuple(dict.fromkeys(Training(row.training) for row in releases)),
    )
