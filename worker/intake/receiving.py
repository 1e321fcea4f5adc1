"""Receiving a source's rows: read, check, write slice by slice, finish. Whoever is interrupted goes on where the last slice ended."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Engine

from worker.intake.reference import AllowedSources
from worker.intake.rows import Row, RowError
from worker.intake.slicing import cut_slices
from worker.intake.sources import Place, Source
from worker.moderation.errors import RejectedError
from worker.moderation.settings import Settings
from worker.store.models import BatchRow
from worker.store.session import transaction
from worker.store.slices import Slice, SliceCount, append_slice, finish_intake

ACTOR = "intake"  # in the audit trail


@dataclass(frozen=True, slots=True)
class IntakeProgress:
    """Rows written so far, by this call and those it resumes. `total` is None where the source does not tell."""

    batch_id: UUID
    accepted: int
    rejected: int
    total: int | None


Watcher = Callable[[IntakeProgress], None]


def unwatched(_: IntakeProgress) -> None:
    """A watcher that does not care."""


def receive(batch: BatchRow, source: Source, settings: Settings, engine: Engine, progress: Watcher = unwatched) -> None:
    """Takes in what is left of a batch's source and ends its intake. Raises what `enqueue_batch` does, FencedError besides."""

    def cursor(row: Row | RowError) -> dict[str, Any]:
        return {"identity": source.identity, "line": row.line, "mark": source.mark(row)}

    rows = _Rows(source, batch.id, _place(batch, source))
    slices = cut_slices(rows, AllowedSources.of(settings), start=batch.intake_cursor, cursor=cursor)
    accepted, rejected = batch.items_accepted, batch.rows_rejected
    for count in _written(slices, batch.id, settings, engine):
        accepted, rejected = accepted + count.accepted, rejected + count.rejected
        progress(IntakeProgress(batch.id, accepted, rejected, source.total))
    with transaction(engine) as session:
        finish_intake(session, batch.id, actor=ACTOR)
    if rows.refusal is not None:
        kept = f" The {accepted:,} rows before are batch {batch.id}." if accepted else ""
        raise RejectedError(rows.refusal.code, rows.refusal.message + kept)


class _Rows:
    """A source's rows. A source that is refused on the way ends with a row error, so that the batch ends too."""

    def __init__(self, source: Source, batch_id: UUID, place: Place) -> None:
        self._rows = source.rows(batch_id, place)
        self._line = place.line
        self.refusal: RejectedError | None = None

    def __iter__(self) -> Iterator[Row | RowError]:
        try:
            for row in self._rows:
                self._line = row.line
                yield row
        except RejectedError as error:
            self.refusal = error
            yield RowError(self._line + 1, error.code, error.message)


def _place(batch: BatchRow, source: Source) -> Place:
    """Where to go on. Raises RejectedError `manifest_changed` when the source is no longer what was read until there."""
    if not (cursor := batch.intake_cursor):
        return Place()
    if cursor["identity"] != source.identity:
        raise RejectedError(
            "manifest_changed",
            f"{source.name} changed since batch {batch.id} began to read it. Cancel that batch and submit under a new key.",
        )
    return Place(cursor["line"], cursor["mark"])


def _written(slices: Iterator[Slice], batch_id: UUID, settings: Settings, engine: Engine) -> Iterator[SliceCount]:
    """Writes each slice while the next one is read: Postgres and this process work at the same time, two slices in memory."""
    duplicates = False

    def write(part: Slice) -> SliceCount:
        nonlocal duplicates
        with transaction(engine) as session:
            count = append_slice(session, batch_id, part, chunk_items=settings.chunk_items, expect_duplicates=duplicates)
        duplicates = count.duplicates > 0  # they come in runs: do not let each slice fail first
        return count

    with ThreadPoolExecutor(1, thread_name_prefix="slices") as thread:
        writing: Future[SliceCount] | None = None
        for part in slices:
            if writing is not None:
                yield writing.result()
            writing = thread.submit(write, part)
        if writing is not None:
            yield writing.result()
