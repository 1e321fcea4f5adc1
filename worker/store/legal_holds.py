"""Legal holds: nothing of a held item or batch is purged or erased until the hold is released."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.store import audit
from worker.store.batches import find_batch
from worker.store.erasures import check_not_erased
from worker.store.items import check_item
from worker.store.models import LegalHoldRow
from worker.store.retention_lock import exclude_purges

SWEEP_AGAIN = text(
    """
    -- sweep again: traces and metadata that a hold kept are looked at by the next run; evidence is within a day
    UPDATE details_sweeps SET due_at = now() WHERE batch_id = :batch_id
    """
)


def place_hold(session: Session, tenant_id: str, batch_id: UUID, ordinal: int | None, *, reason: str, actor: str) -> LegalHoldRow:
    """Holds an item, or with None a whole batch. Raises RejectedError: batch_missing, item_missing, item_erased.

    Whatever purges or erases at this moment ends before, and the next one finds the hold.
    """
    exclude_purges(session)
    find_batch(session, batch_id, tenant_id=tenant_id)
    if ordinal is not None:
        check_item(session, tenant_id, batch_id, ordinal)
        check_not_erased(session, batch_id, ordinal)
    hold_id = new_uuid7()
    place = {"tenant_id": tenant_id, "batch_id": batch_id, "ordinal": ordinal}
    session.execute(insert(LegalHoldRow).values(id=hold_id, **place, reason=reason, placed_by=actor))
    audit.record(session, actor=actor, action="hold.placed", batch_id=batch_id, ordinal=ordinal, detail={"hold": str(hold_id)})
    return find_hold(session, tenant_id, hold_id)


def release_hold(session: Session, tenant_id: str, hold_id: UUID, *, actor: str) -> LegalHoldRow:
    """Ends a hold; one that has ended stays as it is. Raises RejectedError `hold_missing`."""
    ended = {"released_at": func.now(), "released_by": actor}
    standing = update(LegalHoldRow).filter_by(id=hold_id, tenant_id=tenant_id, released_at=None).values(ended)
    released = session.execute(standing.returning(LegalHoldRow.batch_id, LegalHoldRow.ordinal)).one_or_none()
    if released is not None:
        batch_id, ordinal = released
        session.execute(SWEEP_AGAIN, {"batch_id": batch_id})
        audit.record(session, actor=actor, action="hold.released", batch_id=batch_id, ordinal=ordinal, detail={"hold": str(hold_id)})
    return find_hold(session, tenant_id, hold_id)


def find_hold(session: Session, tenant_id: str, hold_id: UUID) -> LegalHoldRow:
    """A hold of the tenant's. Raises RejectedError `hold_missing`."""
    row = session.get(LegalHoldRow, hold_id, populate_existing=True)
    if row is None or row.tenant_id != tenant_id:
        raise RejectedError("hold_missing", f"There is no legal hold {hold_id}.")
    return row


def list_holds(
    session: Session, tenant_id: str | None, *, standing: bool = False, before: UUID | None = None, limit: int
) -> Sequence[LegalHoldRow]:
    """Newest first, of one tenant or of all; only those that stand, or all that ever did."""
    query = select(LegalHoldRow).order_by(LegalHoldRow.id.desc()).limit(limit)
    if tenant_id is not None:
        query = query.filter_by(tenant_id=tenant_id)
    if standing:
        query = query.filter_by(released_at=None)
    if before is not None:
        query = query.where(LegalHoldRow.id < before)
    return session.execute(query).scalars().all()
