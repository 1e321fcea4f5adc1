"""Golden items: images whose answer is known, by which reviewers are measured. Only leads and admins are told which they are."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.paths import ItemId
from api.problems import ProblemError
from api.reviewing import Organiser
from api.schemas.golden import GoldenItem, GoldenPage, GoldenSubmitted
from api.services import Services
from worker.moderation.boxes import Box
from worker.moderation.identifiers import item_id as public_id
from worker.moderation.identifiers import parse_item_id
from worker.moderation.outcomes import Verdict
from worker.store import golden_items as store
from worker.store.models import GoldenItemRow
from worker.store.session import transaction

router = APIRouter(prefix="/v1/golden-items", tags=["review"])

LISTING = "golden-items"
FOLLOW: dict[str, Any] = {
    **{operation: link(operation, item_id="$response.body#/item_id") for operation in ("putGoldenItem", "retireGoldenItem")},
    "item": link("readItem", item_id="$response.body#/item_id"),
}
FIRST = {operation: link(operation, item_id="$response.body#/items/0/item_id") for operation in ("putGoldenItem", "retireGoldenItem")}


@router.get(
    "",
    operation_id="listGoldenItems",
    responses=answers(200, "A page of golden items", links=FIRST) | problems("cursor_invalid"),
)
def list_golden_items(
    principal: Organiser,
    services: Services,
    state: Annotated[Literal["all"] | None, Query(description="Retired ones, too; without it, only those in use.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> GoldenPage:
    """List the golden set."""
    listing = f"{LISTING}:{state}"
    after = _place(read_cursor(listing, cursor)) if cursor else None
    with transaction(services.engine) as session:
        found = store.list_golden(session, principal.tenant, retired=state is not None, after=after, limit=limit + 1)
    following = None
    if len(found) > limit:
        last = found[limit - 1]
        following = write_cursor(listing, [str(last.batch_id), last.ordinal])
    return GoldenPage(items=[_golden(row) for row in found[:limit]], next_cursor=following)


@router.put(
    "/{item_id:segment}",
    operation_id="putGoldenItem",
    responses=answers(200, "Changed, or as it was", links=FOLLOW)
    | answers(201, "Added", links=FOLLOW)
    | problems("not_found", "item_erased", "item_not_judged", "golden_box_invalid"),
)
def put_golden_item(item_id: ItemId, body: GoldenSubmitted, principal: Organiser, services: Services, response: Response) -> GoldenItem:
    """Say what the answer is: adds the item, corrects it, or brings it back. Answers given before are measured by the correction."""
    known = store.Known(
        verdict=Verdict(body.verdict), boxes=tuple(Box(*corners) for corners in body.boxes), note=body.note, revision=body.revision
    )
    with transaction(services.engine) as session:
        row, created = store.put_golden(session, principal.tenant, parse_item_id(item_id), known, actor=principal.actor)
        response.status_code = 201 if created else 200
        return _golden(row)


@router.delete(
    "/{item_id:segment}", operation_id="retireGoldenItem", responses=answers(200, "Retired", links=FOLLOW) | problems("not_found")
)
def retire_golden_item(item_id: ItemId, principal: Organiser, services: Services) -> GoldenItem:
    """Retire an item, now or before: nobody is asked about it any more. It stays on record, and so do the answers."""
    with transaction(services.engine) as session:
        return _golden(store.retire_golden(session, principal.tenant, parse_item_id(item_id), actor=principal.actor))


def _golden(row: GoldenItemRow) -> GoldenItem:
    return GoldenItem(
        item_id=public_id(row.batch_id, row.ordinal),
        revision=row.revision,
        verdict=Verdict(row.verdict).value,
        boxes=row.boxes,
        note=row.note,
        added_by=row.added_by,
        added_at=row.added_at,
        retired_by=row.retired_by,
        retired_at=row.retired_at,
    )


def _place(position: Any) -> tuple[UUID, int]:
    match position:
        case [str() as batch_id, int() as ordinal] if 0 <= ordinal < 2**31:
            try:
                return UUID(batch_id), ordinal
            except ValueError:
                pass
    raise ProblemError("cursor_invalid")
