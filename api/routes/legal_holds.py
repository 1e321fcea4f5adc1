"""Legal holds: place, list, look, release."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Body, Depends, Path, Query, Response

from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.problems import ProblemError
from api.schemas.retention import Hold, HoldOnItem, HoldPage, HoldRequest
from api.security.principal import Admin, Principal, require
from api.services import Services
from worker.moderation.identifiers import item_id, parse_item_id
from worker.moderation.scopes import Scope
from worker.store import legal_holds as store
from worker.store.models import LegalHoldRow
from worker.store.session import transaction

router = APIRouter(prefix="/v1/legal-holds", tags=["legal holds"])

LISTING = "legal-holds"
Looker = Annotated[Principal, Depends(require(Scope.ADMIN, Scope.AUDIT))]
HoldId = Annotated[UUID, Path(description="A hold's id.", examples=["0198c7a0-0000-7000-8000-000000000000"])]
FOLLOW: dict[str, Any] = {
    "hold": link("readLegalHold", hold_id="$response.body#/id"),
    "release": link("releaseLegalHold", hold_id="$response.body#/id"),
}


@router.post(
    "",
    operation_id="placeLegalHold",
    status_code=201,
    responses=answers(201, "Placed", links=FOLLOW, headers={"Location": "The hold"}) | problems("not_found", "item_erased"),
)
def place_hold(body: Annotated[HoldRequest, Body()], principal: Admin, services: Services, response: Response) -> Hold:
    """Hold an item, or a whole batch: nothing of it is purged or erased until the hold is released."""
    batch_id, ordinal = parse_item_id(body.item_id) if isinstance(body, HoldOnItem) else (body.batch_id, None)
    with transaction(services.engine) as session:
        row = store.place_hold(session, principal.tenant, batch_id, ordinal, reason=body.reason, actor=principal.actor)
    response.headers["Location"] = f"/v1/legal-holds/{row.id}"
    return _hold(row)


@router.get("", operation_id="listLegalHolds", responses=problems("cursor_invalid"))
def list_holds(
    principal: Looker,
    services: Services,
    state: Annotated[Literal["standing"] | None, Query(description="Only holds that were not released.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> HoldPage:
    """List holds, newest first."""
    listing = f"{LISTING}:{state}"
    before = _position(listing, cursor) if cursor else None
    with transaction(services.engine) as session:
        found = store.list_holds(session, principal.tenant, standing=state is not None, before=before, limit=limit + 1)
    page = [_hold(row) for row in found[:limit]]
    return HoldPage(holds=page, next_cursor=write_cursor(listing, str(page[-1].id)) if len(found) > limit else None)


@router.get("/{hold_id:segment}", operation_id="readLegalHold", responses=answers(200, "The hold", links=FOLLOW) | problems("not_found"))
def read_hold(hold_id: HoldId, principal: Looker, services: Services) -> Hold:
    """See a hold."""
    with transaction(services.engine) as session:
        return _hold(store.find_hold(session, principal.tenant, hold_id))


@router.post(
    "/{hold_id:segment}:release", operation_id="releaseLegalHold", responses=answers(200, "Released", links=FOLLOW) | problems("not_found")
)
def release_hold(hold_id: HoldId, principal: Admin, services: Services) -> Hold:
    """Release a hold, now or before: what is past its term goes within two days."""
    with transaction(services.engine) as session:
        return _hold(store.release_hold(session, principal.tenant, hold_id, actor=principal.actor))


def _hold(row: LegalHoldRow) -> Hold:
    return Hold(
        id=row.id,
        batch_id=row.batch_id,
        item_id=None if row.ordinal is None else item_id(row.batch_id, row.ordinal),
        reason=row.reason,
        placed_by=row.placed_by,
        placed_at=row.placed_at,
        released_by=row.released_by,
        released_at=row.released_at,
    )


def _position(listing: str, cursor: str) -> UUID:
    try:
        return UUID(read_cursor(listing, cursor))
    except (ValueError, TypeError, AttributeError):
        raise ProblemError("cursor_invalid") from None
