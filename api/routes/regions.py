"""Regions' crops: the very pixels the model was sent, and a record of everybody who looked."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from api.describing import problems, raw
from api.paths import RegionId
from api.problems import ProblemError
from api.security.principal import Principal, require
from api.services import ApiServices, Services
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import RegionPlace, parse_region_id
from worker.moderation.scopes import Scope
from worker.store import audit
from worker.store.items import StoredCrop, find_crop
from worker.store.session import transaction

router = APIRouter(prefix="/v1/regions", tags=["regions"])

# Evidence is written by our own encoder alone, so it is passed on as it is, once its sha256 is right: nothing is decoded here.
SIGNATURES = {"image/webp": b"RIFF", "image/png": b"\x89PNG\r\n\x1a\n"}
MAX_CROP_BYTES = 50_000_000  # more than the model can be sent
CROP_SECONDS = 10.0
Viewer = Annotated[Principal, Depends(require(Scope.READ, Scope.REVIEW))]


@router.get(
    "/{region_id:segment}/crop",
    operation_id="readCrop",
    response_class=Response,
    responses=raw(200, "The crop, losslessly encoded", *SIGNATURES) | problems("not_found", "crop_missing", "crop_damaged", "item_erased"),
)
async def read_crop(region_id: RegionId, principal: Viewer, services: Services) -> Response:
    """See the crop that the model was sent. Every look is an audit event."""
    place = parse_region_id(region_id)
    crop, body = await services.beside(lambda: _read(services, principal, place))
    return Response(body, media_type=crop.media_type, headers={"Content-Disposition": f'inline; filename="{crop.sha256[:16]}"'})


def _read(services: ApiServices, principal: Principal, place: RegionPlace) -> tuple[StoredCrop, bytes]:
    with transaction(services.engine) as session:
        crop = find_crop(session, principal.tenant, place)
    if crop is None:
        raise ProblemError("crop_missing")
    try:
        body = services.storage.get(crop.bucket, crop.key, max_bytes=MAX_CROP_BYTES, timeout_seconds=CROP_SECONDS).body
    except RejectedError:  # erased, or past its retention
        raise ProblemError("crop_missing") from None
    signature = SIGNATURES.get(crop.media_type, b"\x00")
    if hashlib.sha256(body).hexdigest() != crop.sha256 or not body.startswith(signature):
        raise ProblemError("crop_damaged")
    with transaction(services.engine) as session:
        audit.record(
            session,
            actor=principal.actor,
            action="crop.read",
            batch_id=place.batch_id,
            ordinal=place.ordinal,
            revision=place.revision,
            payload_digest=crop.sha256,
            detail={"position": place.position},
        )
    return crop, body
