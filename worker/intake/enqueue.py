"""From a source to a batch, slice by slice: find, open or resume, read, check, write, finish."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from worker.intake.reference import AllowedSources
from worker.intake.rows import Row, RowError
from worker.intake.slicing import cut_slices
from worker.intake.sources import Place, References, Source, find_source
from worker.intake.storage import Storage
from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.policy import DEFAULT_POLICY
from worker.moderation.settings import Settings
from worker.store.batches import find_batch, open_batch
from worker.store.models import BatchRow
from worker.store.session import connect, transaction
from worker.store.slices import OPEN, Slice, SliceCount, append_slice, finish_intake

ACTOR = "intake"  # in the audit trail


@dataclass(frozen=True, slots=True)
class IntakeProgress:
    """Rows written so far, by this call and those it resumes. `total` is None where the source does not tell."""

    batch_id: UUID
    accepted: int
    rejected: int
    total: int | None


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """The batch that stands for a submission. `created` is False when its key had been used before."""

    batch_id: UUID
    created: bool
    accepted: int
    rejected: int


Watcher = Callable[[IntakeProgress], None]


def unwatched(_: IntakeProgress) -> None:
    """A watcher that does not care."""


def enqueue_batch(
    source: str,
    *,
    settings: Settings,
    engine: Engine | None = None,
    storage: Storage | None = None,
    tenant: str | None = None,
    idempotency_key: str | None = None,
    priority: int = 0,
    policy: str = DEFAULT_POLICY,
    progress: Watcher = unwatched,
) -> BatchReceipt:
    """Takes in an S3 prefix, a manifest or a local folder. The same key again goes on where an interrupted intake stopped.

    Raises RejectedError for what cannot be taken in, TransientError and MisconfiguredError for the services.
    """
    found = find_source(source, settings, storage)
    return _take_in(found, _Terms(tenant or settings.tenant, idempotency_key, priority, policy), settings, engine, progress)


def enqueue_references(
    references: Iterable[str | Mapping[str, Any]],
    *,
    settings: Settings,
    engine: Engine | None = None,
    tenant: str | None = None,
    idempotency_key: str | None = None,
    priority: int = 0,
    policy: str = DEFAULT_POLICY,
    progress: Watcher = unwatched,
    name: str = "inline",
) -> BatchReceipt:
    """Takes in `s3://` references, or mappings like a manifest's rows, from any iterable, however long. `name` is kept as the source.

    Raises as `enqueue_batch`.
    """
    identity = hashlib.sha256(json.dumps(references).encode()).hexdigest() if isinstance(references, list | tuple) else ""
    found = References(name=name, identity=identity, references=references)
    return _take_in(found, _Terms(tenant or settings.tenant, idempotency_key, priority, policy), settings, engine, progress)


@dataclass(frozen=True, slots=True)
class _Terms:
    """On whose behalf, under which key, how urgently, routed by what."""

    tenant: str
    given_key: str | None
    priority: int
    policy: str
    chosen_key: str = field(default_factory=lambda: uuid4().hex)

    @property
    def idempotency_key(self) -> str:
        """The submitter's own, or one that nobody else has."""
        return self.given_key or self.chosen_key

    def digest(self, source: Source) -> str:
        """What the same key must always mean."""
        return hashlib.sha256(json.dumps([self.tenant, source.name, self.priority, self.policy]).encode()).hexdigest()


def _take_in(source: Source, terms: _Terms, settings: Settings, engine: Engine | None, progress: Watcher) -> BatchReceipt:
    with _connected(engine, settings) as database, _resumable(terms):
        batch_id = new_uuid7()
        batch = _open(database, batch_id, source, terms)
        created, batch_id = batch.id == batch_id, batch.id
        if batch.state in OPEN and batch.received_at is None:
            _receive(batch, source, settings, database, progress)
        elif batch.intake_cursor.get("identity", source.identity) != source.identity:
            raise RejectedError(
                "idempotency_conflict",
                f"Key {terms.idempotency_key!r} took in {batch.source} as batch {batch_id}; its content is another one now. Use a new key.",
            )
        with transaction(database) as session:
            batch = find_batch(session, batch_id)
    return BatchReceipt(batch_id, created, batch.items_accepted, batch.rows_rejected)


def _open(engine: Engine, batch_id: UUID, source: Source, terms: _Terms) -> BatchRow:
    with transaction(engine) as session:
        return open_batch(
            session,
            batch_id=batch_id,
            tenant_id=terms.tenant,
            idempotency_key=terms.idempotency_key,
            request_digest=terms.digest(source),
            source=source.name,
            priority=terms.priority,
            policy=terms.policy,
            actor=ACTOR,
        )


def _receive(batch: BatchRow, source: Source, settings: Settings, engine: Engine, progress: Watcher) -> None:
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


@contextmanager
def _connected(engine: Engine | None, settings: Settings) -> Iterator[Engine]:
    """The caller's engine, or one for the time of the intake."""
    if engine is not None:
        yield engine
        return
    own = connect(settings, application="zoomin-intake")
    try:
        yield own
    finally:
        own.dispose()


@contextmanager
def _resumable(terms: _Terms) -> Iterator[None]:
    """Tells whoever meets an outage how to go on, when they cannot know the key."""
    try:
        yield
    except TransientError as error:
        if terms.given_key:
            raise
        how = f"Submit again with the idempotency key {terms.idempotency_key}: it goes on where it stopped."
        raise type(error)(error.code, f"{error.message} {how}") from error
