"""Regions' crops: the very pixels the model was sent."""

from functools import partial

from fastapi import APIRouter, Response

from api.describing import problems, raw
from api.evidence import SIGNATURES, Look, Viewer, show
from api.paths import RegionId
from api.security.principal import Principal
from api.services import ApiServices, Services
from worker.moderation.identifiers import RegionPlace, parse_region_id
from worker.store.items import find_crop
from worker.store.session import transaction

router = APIRouter(prefix="/v1/regions", tags=["regions"])


@router.get(
    "/{region_id:segment}/crop",
    operation_id="readCrop",
    response_class=Response,
    responses=raw(200, "The crop, losslessly encoded", *SIGNATURES) | problems("not_found", "crop_missing", "crop_damaged", "item_erased"),
)
async def read_crop(region_id: RegionId, principal: Viewer, services: Services) -> Response:
    """See the crop that the model was sent. Every look is an audit event."""
    return await services.beside(partial(_read, services, principal, parse_region_id(region_id)))


def _read(services: ApiServices, principal: Principal, place: RegionPlace) -> Response:
    with transaction(services.engine) as session:
        crop = find_crop(session, principal.tenant, place)
    look = Look(
        principal=principal,
        noun="crop",
        batch_id=place.batch_id,
        ordinal=place.ordinal,
        revision=place.revision,
        detail={"position": place.position},
    )
    return show(services, crop, look)
