"""Filters that people keep by a name: their own, and those that others share with the tenant.

The application deletes no row: what is removed loses its name and its filter.
"""

from dataclasses import dataclass

from sqlalchemy import and_, func, or_, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.search import Filter
from worker.store import audit
from worker.store.models import SavedFilterRow
from worker.store.models.search import STANDING
from worker.store.review_tasks import Claimant
from worker.store.tenants import ensure_tenant

MOST_OWN, MOST_SHARED = 50, 200  # of a person, and of a tenant: one list shows them all

ALONE = text(
    """
    -- alone: one change of a tenant's filters at a time, so that what is counted stays true
    SELECT pg_advisory_xact_lock(hashtextextended('saved_filters/' || :tenant_id, 0))
    """
)
_Row = SavedFilterRow


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving did."""

    row: SavedFilterRow
    created: bool


def list_filters(session: Session, claimant: Claimant) -> list[SavedFilterRow]:
    """One's own and shared ones, by name; one's own before others' of the same name."""
    query = select(_Row).where(STANDING, _Row.tenant_id == claimant.tenant_id, or_(_Row.owner == claimant.reviewer, _Row.shared))
    return list(session.execute(query.order_by(_Row.name, _Row.owner != claimant.reviewer, _Row.id)).scalars())


def find_filter(session: Session, claimant: Claimant, name: str, owner: str | None = None) -> SavedFilterRow:
    """The owner's of that name; without an owner one's own, or else the one that is shared. Raises RejectedError `filter_missing`."""
    if not (found := [row for row in list_filters(session, claimant) if row.name == name and owner in {None, row.owner}]):
        raise RejectedError("filter_missing", "There is no saved filter of that name.")
    return found[0]


def save_filter(session: Session, claimant: Claimant, name: str, wanted: Filter, *, shared: bool) -> Saved:
    """Keeps a filter by a name, in place of one's own of that name. Raises RejectedError: filters_full, filter_name_taken."""
    ensure_tenant(session, claimant.tenant_id)
    session.execute(ALONE, {"tenant_id": claimant.tenant_id})
    before = next((row for row in list_filters(session, claimant) if row.name == name and row.owner == claimant.reviewer), None)
    _check_room(session, claimant, name, new=before is None, sharing=shared and not (before and before.shared))
    key = {"tenant_id": claimant.tenant_id, "owner": claimant.reviewer, "name": name}
    values = {"query": wanted.query(), "shared": shared}
    insert = postgresql.insert(_Row).values(id=new_uuid7(), **key, **values)
    upsert = insert.on_conflict_do_update(index_elements=list(key), index_where=STANDING, set_={**values, "updated_at": func.now()})
    row = session.execute(upsert.returning(_Row).execution_options(populate_existing=True)).scalar_one()
    _note(session, row, claimant.reviewer, "filter.saved")
    return Saved(row, created=before is None)


def remove_filter(session: Session, claimant: Claimant, name: str, owner: str | None = None) -> None:
    """Removes one's own filter; leads, a shared one too: as found. Raises RejectedError: filter_missing, filter_not_yours."""
    row = find_filter(session, claimant, name, owner)
    if row.owner != claimant.reviewer and not claimant.lead:
        raise RejectedError("filter_not_yours", "The filter is somebody else's: its owner or a lead can remove it.")
    _empty(session, row, claimant.reviewer)


def forget_filters(session: Session, tenant_id: str, owner: str, *, actor: str) -> None:
    """Removes what nobody else has seen of somebody who left. What they shared belongs to their tenant, and leads can remove it."""
    query = select(_Row).where(STANDING, _Row.tenant_id == tenant_id, _Row.owner == owner, _Row.shared.is_(False))
    for row in session.execute(query).scalars().all():
        _empty(session, row, actor)


def _check_room(session: Session, claimant: Claimant, name: str, *, new: bool, sharing: bool) -> None:
    of_tenant = and_(STANDING, _Row.tenant_id == claimant.tenant_id)
    own = select(func.count()).where(of_tenant, _Row.owner == claimant.reviewer)
    if new and session.execute(own).scalar_one() >= MOST_OWN:
        raise RejectedError("filters_full", f"You keep {MOST_OWN} filters already. Remove one first.")
    if not sharing:
        return
    if session.execute(select(func.count()).where(of_tenant, _Row.shared)).scalar_one() >= MOST_SHARED:
        raise RejectedError("filters_full", f"{MOST_SHARED} filters are shared already. Keep it for yourself, or have one removed.")
    if session.execute(select(_Row.id).where(of_tenant, _Row.shared, _Row.name == name, _Row.owner != claimant.reviewer)).first():
        raise RejectedError("filter_name_taken", "Somebody shares a filter of that name already. Choose another name.")


def _empty(session: Session, row: SavedFilterRow, actor: str) -> None:
    _note(session, row, actor, "filter.removed")
    removed = {"name": "", "query": "", "removed_at": func.now(), "updated_at": func.now()}
    session.execute(update(_Row).where(_Row.id == row.id, STANDING).values(removed))


def _note(session: Session, row: SavedFilterRow, actor: str, action: str) -> None:
    """Names and filters may say something of somebody: the trail has neither."""
    audit.record(session, actor=actor, action=action, tenant_id=row.tenant_id, detail={"filter": str(row.id), "shared": row.shared})
