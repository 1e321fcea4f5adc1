"""Intake's writes: a slice's items, chunks, row errors and cursor in one transaction.

Items are copied straight into their table, at the cost of a raw COPY. Only when that meets a custom_id the batch already
has is the slice searched for duplicates, which become row errors, and copied again: the usual slice pays nothing for the
unusual one, and nothing is written twice to be staged. The batch's row is locked first, so nothing can come in between.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from worker.moderation.errors import FencedError, RejectedError
from worker.store import audit
from worker.store.chunks import wake_dispatcher
from worker.store.models.intake import BatchState

OPEN = (BatchState.RECEIVING, BatchState.PAUSED)  # a paused batch goes on receiving: only its judging waits

LOCK_BATCH = text(
    """
    -- lock batch: one writer per batch; a cancel or pause waits for the slice's end
    SELECT state, items_accepted, intake_cursor, received_at FROM batches WHERE id = :batch_id FOR NO KEY UPDATE
    """
)
KNOWN_IDS = text(
    """
    -- known ids: which of these custom_ids the batch has already, and since which line
    SELECT custom_id, line FROM items WHERE batch_id = :batch_id AND custom_id = ANY(:custom_ids)
    """
)
CUT_CHUNKS = text(
    """
    -- cut chunks: ordinals [lo, hi) in ranges of chunk_items, the last one shorter
    INSERT INTO chunks (batch_id, lo, hi)
    SELECT :batch_id, first, least(first + :chunk_items, :hi)
      FROM generate_series(CAST(:lo AS integer), CAST(:hi AS integer) - 1, CAST(:chunk_items AS integer)) AS first
    """
)
ADVANCE = text(
    """
    -- advance: counters and cursor move with the slice
    UPDATE batches
       SET items_accepted = items_accepted + :accepted, rows_rejected = rows_rejected + :rejected, intake_cursor = :cursor
     WHERE id = :batch_id
    """
).bindparams(bindparam("cursor", type_=JSONB))
FINISH_INTAKE = text(
    """
    -- finish intake: a batch without one good row is rejected; a paused one stays paused
    UPDATE batches
       SET received_at = now(),
           state = CASE WHEN items_accepted = 0 THEN 'rejected' WHEN state = 'receiving' THEN 'running' ELSE state END,
           finished_at = CASE WHEN items_accepted = 0 THEN now() END
     WHERE id = :batch_id AND received_at IS NULL AND state IN ('receiving', 'paused')
    RETURNING state, items_accepted, rows_rejected
    """
)
REFUSE_REST = text(
    """
    -- refuse rest: a batch whose source cannot be read further says so in a row error behind the last line that was read
    WITH open_batch AS (
        SELECT id, coalesce((intake_cursor ->> 'line')::integer, 0) + 1 AS line FROM batches
         WHERE id = :batch_id AND received_at IS NULL AND state IN ('receiving', 'paused') FOR NO KEY UPDATE
    ), told AS (
        INSERT INTO row_errors (batch_id, line, code, message) SELECT id, line, :code, :message FROM open_batch
        ON CONFLICT DO NOTHING RETURNING batch_id
    )
    UPDATE batches SET rows_rejected = rows_rejected + (SELECT count(*) FROM told) WHERE id = (SELECT id FROM open_batch)
    """
)
COPY_ITEMS = "COPY items (batch_id, ordinal, custom_id, bucket, key, version_id, line, metadata) FROM STDIN"
COPY_ROW_ERRORS = "COPY row_errors (batch_id, line, code, message) FROM STDIN"


class NewItem(msgspec.Struct, frozen=True, gc=False):
    """A checked row, without control characters; `metadata` is JSON text. Ten million are made per large batch: hence a struct."""

    line: int
    custom_id: str
    bucket: str
    key: str
    version_id: str | None
    metadata: str | None


class NewRowError(NamedTuple):
    """A refused row."""

    line: int
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Consecutive rows of a source. Custom ids are unique within; `after` and `cursor` are the source's place before and behind."""

    items: Sequence[NewItem]
    errors: Sequence[NewRowError]
    after: Mapping[str, Any]
    cursor: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SliceCount:
    """What became of a slice's rows; `duplicates` are among the rejected."""

    accepted: int
    rejected: int
    duplicates: int


def append_slice(session: Session, batch_id: UUID, part: Slice, *, chunk_items: int, expect_duplicates: bool = False) -> SliceCount:
    """Writes a slice behind those before it. `expect_duplicates` searches for them at once instead of after a failed COPY.

    Raises FencedError when the batch is no longer where `part.after` says, RejectedError `batch_closed` when it takes no more rows.
    """
    # Nothing is promised before `finish_intake`, whose commit waits for the disk. If Postgres crashes before, it loses whole
    # slices from the end, cursor included, and the intake reads them again.
    session.execute(text("SET LOCAL synchronous_commit = off"))
    lo = _lock(session, batch_id, part.after)
    items, duplicates = (_without_known(session, batch_id, part.items)) if expect_duplicates else (part.items, [])
    try:
        _copy_items(session, batch_id, lo, items)
    except IntegrityError:  # the batch has one of the custom ids already
        items, duplicates = _without_known(session, batch_id, part.items)
        _copy_items(session, batch_id, lo, items)
    errors = sorted([*part.errors, *duplicates])
    if errors:
        _copy(session, COPY_ROW_ERRORS, ((str(batch_id), *error) for error in errors))
    if items:
        session.execute(CUT_CHUNKS, {"batch_id": batch_id, "lo": lo, "hi": lo + len(items), "chunk_items": chunk_items})
        wake_dispatcher(session)
    count = SliceCount(len(items), len(errors), len(duplicates))
    session.execute(ADVANCE, {"batch_id": batch_id, "accepted": count.accepted, "rejected": count.rejected, "cursor": dict(part.cursor)})
    return count


def finish_intake(session: Session, batch_id: UUID, *, actor: str) -> BatchState:
    """Ends the intake: the batch's state. Nothing happens when it was ended before."""
    if (row := session.execute(FINISH_INTAKE, {"batch_id": batch_id}).one_or_none()) is not None:
        counts = {"accepted": row.items_accepted, "rejected": row.rows_rejected}
        audit.record(session, actor=actor, action="batch.received", batch_id=batch_id, detail=counts)
        wake_dispatcher(session)
    return BatchState(session.execute(LOCK_BATCH, {"batch_id": batch_id}).one().state)


def refuse_rest(session: Session, batch_id: UUID, *, code: str, message: str, actor: str) -> BatchState:
    """Ends the intake with a row error that says why the source is not read further. Nothing happens when it was ended before."""
    session.execute(REFUSE_REST, {"batch_id": batch_id, "code": code, "message": message})
    return finish_intake(session, batch_id, actor=actor)


def _lock(session: Session, batch_id: UUID, after: Mapping[str, Any]) -> int:
    """The next ordinal."""
    batch = session.execute(LOCK_BATCH, {"batch_id": batch_id}).one()
    if batch.state not in OPEN or batch.received_at is not None:
        raise RejectedError("batch_closed", f"Batch {batch_id} is {batch.state}: it takes no more rows.")
    if batch.intake_cursor != after:
        raise FencedError("intake_elsewhere", f"Another command reads the source of batch {batch_id} at this moment; this one stops.")
    return int(batch.items_accepted)


def _without_known(session: Session, batch_id: UUID, items: Sequence[NewItem]) -> tuple[Sequence[NewItem], list[NewRowError]]:
    names = [item.custom_id for item in items]
    known: dict[str, int] = {row.custom_id: row.line for row in session.execute(KNOWN_IDS, {"batch_id": batch_id, "custom_ids": names})}
    return (
        [item for item in items if item.custom_id not in known],
        [duplicate(item.line, item.custom_id, known[item.custom_id]) for item in items if item.custom_id in known],
    )


def duplicate(line: int, custom_id: str, first_line: int) -> NewRowError:
    """The error of a row whose custom_id was taken by an earlier one."""
    return NewRowError(line, "duplicate_custom_id", f"custom_id {custom_id[:200]!r} was used before, on line {first_line}.")


def _copy_items(session: Session, batch_id: UUID, lo: int, items: Sequence[NewItem]) -> None:
    name = str(batch_id)
    lines = "".join([_copy_line(name, ordinal, item) for ordinal, item in enumerate(items, lo)])
    if items:
        with session.begin_nested():
            _copy(session, COPY_ITEMS, lines)


def _copy_line(batch_id: str, ordinal: int, item: NewItem) -> str:
    """COPY's text format, twice as fast as by psycopg. Control characters were refused, so only backslashes need care."""
    custom_id, key, version_id, metadata = item.custom_id, item.key, item.version_id, item.metadata
    if "\\" in custom_id or "\\" in key:
        custom_id, key = _escaped(custom_id), _escaped(key)
    version = "\\N" if version_id is None else _escaped(version_id)
    attributes = "\\N" if metadata is None else _escaped(metadata)
    return f"{batch_id}\t{ordinal}\t{custom_id}\t{item.bucket}\t{key}\t{version}\t{item.line}\t{attributes}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


def _copy(session: Session, statement: str, data: str | Iterable[tuple[Any, ...]]) -> None:
    connection = session.connection().connection.driver_connection
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:  # type: ignore[union-attr]  # SQLAlchemy types it as Any | None
            if isinstance(data, str):
                copy.write(data)
            else:
                for row in data:
                    copy.write_row(row)
    except psycopg.Error as error:
        # As SQLAlchemy itself would have raised it, for `session.transaction` to class.
        raise DBAPIError.instance(statement, None, error, psycopg.Error) from error
