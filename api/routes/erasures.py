"""Erasing one image, and everything that shows or describes it."""

from fastapi import APIRouter

from api.describing import answers, link, problems
from api.paths import ItemId
from api.schemas.retention import EraseRequest, Erasure
from api.security.principal import Admin
from api.services import Services
from worker.moderation.identifiers import parse_item_id
from worker.moderation.retention import DEFAULT_REASON
from worker.store.erasures import Erasing, erase_item
from worker.store.session import transaction

router = APIRouter(prefix="/v1/items", tags=["items"])


@router.post(
    "/{item_id:segment}:erase",
    operation_id="eraseItem",
    responses=answers(200, "Erased, now or before", links={"item": link("readItem", item_id="$response.body#/item_id")})
    | problems("not_found", "item_held", "item_contested"),
)
def erase(item_id: ItemId, principal: Admin, services: Services, body: EraseRequest | None = None) -> Erasure:
    """Erase an image: crops, boxes, words, traces, metadata, its names, and our own upload of it. Erasing twice is fine.

    Counts still add up, and the audit trail verifies. Objects leave our buckets within a minute; the original in your bucket is yours.
    """
    batch_id, ordinal = parse_item_id(item_id)
    erasing = Erasing(principal.actor, body.reason if body else DEFAULT_REASON, services.settings.upload_bucket)
    with transaction(services.engine) as session:
        tombstone = erase_item(session, principal.tenant, batch_id, ordinal, erasing)
    return Erasure(item_id=item_id, erased_at=tombstone.erased_at, reason=tombstone.reason)
