"""Batches: one submission each. Opening, finding, cancelling, resuming, rescanning; their rows come by `store.slices`."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import OutcomeKind
from worker.store import audit
from worker.store.chunks import wake_dispatcher
from worker.store.erasures import check_not_erased, settle_erased
from worker.store.models import BatchRow
from worker.store.models.intake import BatchState
from worker.store.policies import require_live
from worker.store.statements import rows_changed
from worker.store.tenants import ensure_tenant

PAGE = 50  # batches per listing
RESCAN_TIMEOUT_SECONDS = 120  # a rescan of some kinds reads every outcome of the batch once, ten million at most
ENDED = (BatchState.FINISHED, BatchState.CANCELLED)

ACCEPTED = text(
    """
    -- accepted: how many items a tenant's batch has
    SELECT items_accepted FROM batches WHERE id = :batch_id AND tenant_id = :tenant_id
    """
)
CANCEL = text(
    """
    -- cancel: the dispatcher settles what nobody holds, workers what they hold
    UPDATE batches SET state = 'cancelling', pause_reason = NULL
     WHERE id = :batch_id AND state IN ('receiving', 'running', 'paused')
    """
)
RESUME = text(
    """
    -- resume: back to what it was doing when it was paused
    UPDATE batches SET state = CASE WHEN received_at IS NULL THEN 'receiving' ELSE 'running' END, pause_reason = NULL
     WHERE id = :batch_id AND state = 'paused'
    """
)
UNANNOUNCE = text(
    """
    -- un-announce: while the batch was paused, workers dropped the messages of its announced chunks; they would block others' room
    UPDATE chunks SET state = 'ready' WHERE batch_id = :batch_id AND state = 'announced'
    """
)
RESCAN_ALL = text(
    """
    -- rescan all: new chunks over the whole batch at the new revision
    INSERT INTO chunks (batch_id, revision, lo, hi)
    SELECT :batch_id, :revision, first, least(first + :chunk_items, :items)
      FROM generate_series(0, CAST(:items AS integer) - 1, CAST(:chunk_items AS integer)) AS first
    RETURNING hi - lo
    """
)
RESCAN_ONE = text(
    """
    -- rescan one: a chunk of a single item at the new revision
    INSERT INTO chunks (batch_id, revision, lo, hi)
    SELECT batch_id, :revision, ordinal, ordinal + 1 FROM items WHERE batch_id = :batch_id AND ordinal = :ordinal
    """
)
RESCAN_KINDS = text(
    """
    -- rescan kinds: new chunks over exactly the items whose newest outcome is of these kinds, neighbours together
    INSERT INTO chunks (batch_id, revision, lo, hi)
    SELECT :batch_id, :revision, first, least(first + :chunk_items, hi)
      FROM (SELECT min(ordinal) AS lo, max(ordinal) + 1 AS hi
              FROM (SELECT ordinal, ordinal - row_number() OVER (ORDER BY ordinal) AS island
                      FROM (SELECT DISTINCT ON (ordinal) ordinal, kind FROM outcomes
                             WHERE batch_id = :batch_id ORDER BY ordinal, revision DESC) AS newest
                     WHERE kind = ANY(:kinds)) AS chosen
             GROUP BY island) AS islands
     CROSS JOIN LATERAL generate_series(lo, hi - 1, CAST(:chunk_items AS integer)) AS first
    RETURNING hi - lo
    """
)

TRY_LOCK_KEY = text(
    """
    -- try lock key: one request per idempotency key at a time, across all processes, until the transaction ends. 64 bits of a hash:
    -- two keys that collide refuse each other for a moment, and a retry mends it
    SELECT pg_try_advisory_xact_lock(hashtextextended(CAST(:tenant AS text) || chr(31) || CAST(:key AS text), 0))
    """
)


def try_lock_key(session: Session, tenant_id: str, key: str) -> bool:
    """Makes this transaction the only one that submits under the key; False while another one does."""
    return bool(session.execute(TRY_LOCK_KEY, {"tenant": tenant_id, "key": key}).scalar_one())


def find_submitted(session: Session, tenant_id: str, key: str) -> BatchRow | None:
    """The batch that the key stands for, if it has been used."""
    return session.execute(select(BatchRow).filter_by(tenant_id=tenant_id, idempotency_key=key)).scalar_one_or_none()


def open_batch(
    session: Session,
    *,
    batch_id: UUID,
    tenant_id: str,
    idempotency_key: str,
    request_digest: str,
    source: str,
    priority: int,
    policy: str,
    actor: str,
) -> BatchRow:
    """A new batch under `batch_id`, or the one this tenant opened with this key before.

    Raises RejectedError: idempotency_conflict when the key stands for another request, policy_missing, policy_not_live.
    """
    ensure_tenant(session, tenant_id)
    require_live(session, tenant_id, policy)
    batch = {"id": batch_id, "tenant_id": tenant_id, "idempotency_key": idempotency_key, "request_digest": request_digest}
    opened = session.execute(
        insert(BatchRow)
        .values(**batch, source=source, priority=priority, policy=policy, state=BatchState.RECEIVING)
        .on_conflict_do_nothing(index_elements=["tenant_id", "idempotency_key"])
        .returning(BatchRow.id)
    ).one_or_none()
    if opened:
        audit.record(session, actor=actor, action="batch.created", batch_id=batch_id, detail={"priority": priority})
    row = session.execute(select(BatchRow).filter_by(tenant_id=tenant_id, idempotency_key=idempotency_key)).scalar_one()
    if row.request_digest != request_digest:
        raise RejectedError(
            "idempotency_conflict",
            f"The key {idempotency_key[:80]!r} was used before, for another request (batch {row.id}). Choose a new key.",
        )
    return row


def find_batch(session: Session, batch_id: UUID, *, tenant_id: str | None = None) -> BatchRow:
    """The batch, among those of the tenant if one is named. Raises RejectedError `batch_missing`."""
    row = session.get(BatchRow, batch_id, populate_existing=True)
    if row is None or tenant_id not in {None, row.tenant_id}:
        raise _missing(batch_id)
    return row


def count_accepted(session: Session, batch_id: UUID, tenant_id: str) -> int:
    """How many items the tenant's batch has so far. Raises RejectedError `batch_missing`."""
    accepted = session.execute(ACCEPTED, {"batch_id": batch_id, "tenant_id": tenant_id}).scalar_one_or_none()
    if accepted is None:
        raise _missing(batch_id)
    return int(accepted)


def list_batches(session: Session, *, tenant_id: str | None = None, before: UUID | None = None, limit: int = PAGE) -> list[BatchRow]:
    """Newest first, those older than the batch `before`."""
    query = select(BatchRow).order_by(BatchRow.id.desc()).limit(limit)
    if tenant_id is not None:
        query = query.filter_by(tenant_id=tenant_id)
    if before is not None:
        query = query.where(BatchRow.id < before)
    return list(session.execute(query).scalars())


def cancel_batch(session: Session, batch_id: UUID, *, actor: str) -> BatchState:
    """Asks for the batch's end: its state, which is unchanged when it had ended before. Raises RejectedError `batch_missing`."""
    if rows_changed(session, CANCEL, batch_id=batch_id):
        audit.record(session, actor=actor, action="batch.cancel_requested", batch_id=batch_id)
        wake_dispatcher(session)
    return BatchState(find_batch(session, batch_id).state)


def resume_batch(session: Session, batch_id: UUID, *, actor: str) -> BatchState:
    """Lets a paused batch go on. Raises RejectedError `batch_missing`, or `batch_not_paused`."""
    if not rows_changed(session, RESUME, batch_id=batch_id):
        raise RejectedError("batch_not_paused", f"Batch {batch_id} is {find_batch(session, batch_id).state}, not paused.")
    rows_changed(session, UNANNOUNCE, batch_id=batch_id)
    audit.record(session, actor=actor, action="batch.resumed", batch_id=batch_id)
    wake_dispatcher(session)
    return BatchState(find_batch(session, batch_id).state)


def rescan_batch(session: Session, batch_id: UUID, *, only: Collection[OutcomeKind] | None = None, chunk_items: int, actor: str) -> int:
    """Begins a new revision of all items, or of those whose newest outcome is of these kinds: how many items.

    Raises RejectedError: batch_missing, batch_unfinished, nothing_to_rescan.
    """
    session.execute(text(f"SET LOCAL statement_timeout = '{RESCAN_TIMEOUT_SECONDS}s'"))
    row = _locked_ended(session, batch_id)
    place = {"batch_id": batch_id, "revision": row.revision + 1, "chunk_items": chunk_items}
    if only is None:
        sizes = session.execute(RESCAN_ALL, {**place, "items": row.items_accepted}).scalars()
    else:
        sizes = session.execute(RESCAN_KINDS, {**place, "kinds": [kind.value for kind in only]}).scalars()
    items: int = sum(sizes)
    if not items:
        raise RejectedError("nothing_to_rescan", f"Batch {batch_id} has no such items: nothing to rescan.")
    kinds = sorted(kind.value for kind in only) if only is not None else None
    _begin_revision(session, row, actor=actor, detail={"items": items, "only": kinds})
    return items


def rescan_item(session: Session, batch_id: UUID, ordinal: int, *, actor: str) -> int:
    """Begins a new revision of one item: which.

    Raises RejectedError: batch_missing, batch_unfinished, nothing_to_rescan, item_erased.
    """
    row = _locked_ended(session, batch_id)
    check_not_erased(session, batch_id, ordinal)
    if not rows_changed(session, RESCAN_ONE, batch_id=batch_id, revision=row.revision + 1, ordinal=ordinal):
        raise RejectedError("nothing_to_rescan", f"Batch {batch_id} has no item {ordinal}.")
    _begin_revision(session, row, actor=actor, detail={"items": 1, "ordinal": ordinal})
    return row.revision


def _locked_ended(session: Session, batch_id: UUID) -> BatchRow:
    """The batch, as it stands once nobody else changes it."""
    found = find_batch(session, batch_id)
    query = select(BatchRow).filter_by(id=found.id).with_for_update(key_share=True).execution_options(populate_existing=True)
    row = session.execute(query).scalar_one()
    if row.state not in ENDED:
        raise RejectedError("batch_unfinished", f"Batch {batch_id} is {row.state}. Rescan it when it has finished, or cancel it first.")
    return row


def _begin_revision(session: Session, row: BatchRow, *, actor: str, detail: dict[str, object]) -> None:
    row.revision, row.state, row.finished_at = row.revision + 1, BatchState.RUNNING, None
    row.received_at = row.received_at or row.created_at  # cancelled while it was received: what has come is what is rescanned
    audit.record(session, actor=actor, action="batch.rescanned", batch_id=row.id, revision=row.revision, detail=detail)
    wake_dispatcher(session)
    session.flush()
    settle_erased(session, row.id, actor=actor)


def _missing(batch_id: UUID) -> RejectedError:
    return RejectedError("batch_missing", f"There is no batch {batch_id}. `zoomin batches` lists them.")
