"""Coverage: which parts of an image the model saw, and how closely."""

from fastapi import APIRouter

from api.cursors import Revision
from api.describing import problems
from api.evidence import Viewer
from api.paths import ItemId
from api.problems import ProblemError
from api.schemas.coverage import AreaBody, CoverageBody
from api.services import Services
from worker.moderation.identifiers import parse_item_id
from worker.store.coverage import SeenImage, read_coverage
from worker.store.items import check_item
from worker.store.session import transaction

router = APIRouter(prefix="/v1/items", tags=["items"])


@router.get("/{item_id:segment}/coverage", operation_id="readCoverage", responses=problems("not_found", "coverage_missing"))
def read(item_id: ItemId, principal: Viewer, services: Services, revision: Revision = None) -> CoverageBody:
    """See what the model looked at for the newest verdict, or for one revision's, and at what resolution."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, batch_id, ordinal)
        seen = read_coverage(session, batch_id, ordinal, revision)
    if seen is None:
        raise ProblemError("coverage_missing")
    return _describe(item_id, seen)


def _describe(item_id: str, seen: SeenImage) -> CoverageBody:
    coverage = seen.coverage
    return CoverageBody(
        item_id=item_id,
        revision=seen.revision,
        width=coverage.size.width,
        height=coverage.size.height,
        sent_width=coverage.sent.width,
        sent_height=coverage.sent.height,
        resolution_least=coverage.least,
        resolution_mean=coverage.mean,
        share_half=coverage.share_half,
        share_native=coverage.share_native,
        areas=[AreaBody(position=area.position, box=list(area.box.corners()), resolution=area.resolution) for area in seen.areas],
    )
