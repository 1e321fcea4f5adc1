"""Saved filters: searches that people keep by a name, for themselves or for everybody of their tenant."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.describing import answers, link, problems
from api.finding import found
from api.paths import FilterName
from api.problems import ProblemError
from api.reviewing import Watcher, claimant_of
from api.schemas import search as bodies
from api.security.principal import Principal
from api.services import Services
from worker.moderation.scopes import Scope
from worker.moderation.search import parse_filter
from worker.store import saved_filters as store
from worker.store.models import SavedFilterRow
from worker.store.session import transaction

router = APIRouter(prefix="/v1/saved-filters", tags=["search"])

SHARERS = frozenset({Scope.REVIEW, Scope.LEAD, Scope.ADMIN})
_NAME = "$response.body#/name"
Owner = Annotated[
    str | None, Query(max_length=200, description="Whose: `owner` of the filter. By default yours of that name, or else the shared one")
]
OF_FILTER = {operation: link(operation, name=_NAME) for operation in ("readFilter", "removeFilter")}


@router.get("", operation_id="listFilters")
def list_filters(principal: Watcher, services: Services) -> bodies.SavedFilterList:
    """List your saved filters, and those that others share."""
    with transaction(services.engine) as session:
        rows = store.list_filters(session, claimant_of(principal))
    return bodies.SavedFilterList(filters=[_filter(row, principal) for row in rows])


@router.get("/{name:segment}", operation_id="readFilter", responses=answers(200, "The filter", links=OF_FILTER) | problems("not_found"))
def read_filter(name: FilterName, principal: Watcher, services: Services) -> bodies.SavedFilter:
    """See a saved filter: your own of that name, or else the one that is shared."""
    with transaction(services.engine) as session:
        return _filter(found(store.find_filter, session, claimant_of(principal), name), principal)


@router.put(
    "/{name:segment}",
    operation_id="saveFilter",
    responses=answers(200, "Saved in place of the one before", links=OF_FILTER)
    | answers(201, "Saved", links=OF_FILTER)
    | problems("filter_invalid", "filters_full", "filter_name_taken", "not_found"),
)
def save_filter(
    name: FilterName, body: bodies.FilterSaved, principal: Watcher, services: Services, response: Response
) -> bodies.SavedFilter:
    """Keep a filter by a name, in place of your own of that name. Sharing it needs the scope `review`, `lead` or `admin`."""
    if body.shared and principal.scopes.isdisjoint(SHARERS):
        raise ProblemError("scope_missing", "Sharing a filter needs the scope review or lead or admin.")
    with transaction(services.engine) as session:
        saved = store.save_filter(session, claimant_of(principal), name, parse_filter(body.query), shared=body.shared)
    response.status_code = 201 if saved.created else 200
    return _filter(saved.row, principal)


@router.delete(
    "/{name:segment}",
    operation_id="removeFilter",
    status_code=204,
    responses=problems("not_found", "filter_not_yours"),
)
def remove_filter(name: FilterName, principal: Watcher, services: Services, owner: Owner = None) -> Response:
    """Remove a saved filter of yours; leads, also a shared one."""
    with transaction(services.engine) as session:
        found(store.remove_filter, session, claimant_of(principal), name, owner)
    return Response(status_code=204)  # FastAPI's own would call nothing JSON


def _filter(row: SavedFilterRow, principal: Principal) -> bodies.SavedFilter:
    return bodies.SavedFilter(
        name=row.name,
        query=row.query,
        shared=row.shared,
        owner=row.owner,
        mine=row.owner == principal.actor,
        updated_at=row.updated_at,
    )
