"""From a source to a batch, in the caller's own time: find, open or resume, receive."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from worker.intake.receiving import ACTOR, IntakeProgress, Watcher, receive, unwatched
from worker.intake.sources import References, Source, find_source
from worker.intake.storage import Storage
from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.policy import DEFAULT_POLICY
from worker.moderation.settings import Settings
from worker.store.batches import find_batch, open_batch
from worker.store.models import BatchRow
from worker.store.session import connect, transaction
from worker.store.slices import OPEN

__all__ = ["BatchReceipt", "IntakeProgress", "enqueue_batch", "enqueue_references"]


@dataclass(frozen=True, slots=True)
class BatchReceipt:
    """The batch that stands for a submission. `created` is False when its key had been used before."""

    batch_id: UUID
    created: bool
    accepted: int
    rejected: int


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
            receive(batch, source, settings, database, progress)
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
