"""Items: submit a few, and everything that is recorded of one."""

from functools import partial
from uuid import UUID

from fastapi import APIRouter, Response

from api.cursors import Revision
from api.describing import answers, link, problems, raw
from api.evidence import SIGNATURES, Look, Viewer, show
from api.paths import ItemId
from api.preconditions import IfNoneMatch, tagged, tagged_answers
from api.problems import ProblemError
from api.routes.batches import OF_A_KEY, OF_A_POLICY, SUBMITTED
from api.routes.batches import describe as describe_batch
from api.schemas.batches import Batch, RescanStarted
from api.schemas.items import (
    BorderBody,
    DegradationBody,
    ErrorBody,
    Item,
    ItemsSubmitted,
    OutcomeBody,
    OutcomeList,
    RegionBody,
    RegionList,
    TraceBody,
    TraceList,
)
from api.security.principal import Principal, Reader, Submitter
from api.services import ApiServices, Services
from api.submitting import IdempotencyKey, accepted, rows_of, submission
from worker.intake.inline import submit_references
from worker.moderation.degradation import DegradationBand
from worker.moderation.identifiers import RegionPlace, item_id, parse_item_id, region_id
from worker.moderation.outcomes import OutcomeKind, Stage, Verdict, ZoomPath
from worker.store import items as store
from worker.store.batches import rescan_item
from worker.store.models import OutcomeRow, RegionRow, TraceRow
from worker.store.progress import count_items
from worker.store.session import transaction

router = APIRouter(prefix="/v1/items", tags=["items"])

FOLLOW = {
    "outcomes": link("listOutcomes", item_id="$response.body#/id"),
    "regions": link("listRegions", item_id="$response.body#/id"),
    "traces": link("listTraces", item_id="$response.body#/id"),
    "coverage": link("readCoverage", item_id="$response.body#/id"),
    "faithfulness": link("readFaithfulness", item_id="$response.body#/id"),
    "image": link("readImage", item_id="$response.body#/id"),
    "look": link("askLook", item_id="$response.body#/id"),
    "looks": link("listLooks", item_id="$response.body#/id"),
    "attention": link("askForAttentionMap", item_id="$response.body#/id"),
    "attention_maps": link("listAttentionMaps", item_id="$response.body#/id"),
    "translate": link("translateItem", item_id="$response.body#/id"),
    "translations": link("listTranslations", item_id="$response.body#/id"),
    "rescan": link("rescanItem", item_id="$response.body#/id"),
    "decisions": link("listItemDecisions", item_id="$response.body#/id"),
    "decide": link("decideItem", item_id="$response.body#/id"),
    "golden": link("putGoldenItem", item_id="$response.body#/id"),
    "erase": link("eraseItem", item_id="$response.body#/id"),
    "batch": link("readBatch", batch_id="$response.body#/batch_id"),
}
CROP = {
    "crop": link("readCrop", region_id="$response.body#/regions/0/id"),
    "look": link("askLook", {"box": "$response.body#/regions/0/box"}, item_id="$request.path.item_id"),
}


@router.post("", operation_id="submitItems", status_code=202, responses=SUBMITTED | problems(*OF_A_KEY, *OF_A_POLICY))
def submit_items(
    body: ItemsSubmitted, idempotency_key: IdempotencyKey, principal: Submitter, services: Services, response: Response
) -> Batch:
    """Submit a small set of references: it becomes a batch, taken in at once. Bad rows become row errors of it."""
    rows = rows_of(body.items)
    wanted = submission(principal, idempotency_key, {"items": rows, "priority": body.priority, "policy": body.policy}, body)
    taken = submit_references(rows, wanted, services.settings, services.engine)
    accepted(response, taken.batch.id, created=taken.created)
    with transaction(services.engine) as session:
        return describe_batch(taken.batch, count_items(session, [taken.batch.id])[taken.batch.id])


@router.get(
    "/{item_id:segment}",
    operation_id="readItem",
    response_model=Item,
    responses=tagged_answers("The item", links=FOLLOW) | problems("not_found"),
)
def read_item(item_id: ItemId, principal: Reader, services: Services, if_none_match: IfNoneMatch = None) -> Response:
    """See an item and its newest outcome."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        item = describe(store.find_item(session, principal.tenant, batch_id, ordinal))
    return tagged(item, if_none_match)


@router.get("/{item_id:segment}/outcomes", operation_id="listOutcomes", responses=problems("not_found"))
def list_outcomes(item_id: ItemId, principal: Reader, services: Services) -> OutcomeList:
    """List an item's outcomes, one per revision, newest first."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        store.check_item(session, principal.tenant, batch_id, ordinal)
        return OutcomeList(outcomes=[_outcome(row) for row in store.item_outcomes(session, batch_id, ordinal)])


@router.get(
    "/{item_id:segment}/regions",
    operation_id="listRegions",
    responses=answers(200, "Its regions", links=CROP) | problems("not_found"),
)
def list_regions(item_id: ItemId, principal: Reader, services: Services, revision: Revision = None) -> RegionList:
    """List the regions of an item's newest outcome, or of one revision."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        store.check_item(session, principal.tenant, batch_id, ordinal)
        return RegionList(regions=[describe_region(row) for row in store.item_regions(session, batch_id, ordinal, revision)])


@router.get("/{item_id:segment}/traces", operation_id="listTraces", responses=problems("not_found"))
def list_traces(item_id: ItemId, principal: Reader, services: Services, revision: Revision = None) -> TraceList:
    """List what was sent to the model and what came back, enough to replay."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        store.check_item(session, principal.tenant, batch_id, ordinal)
        return TraceList(traces=[_trace(row) for row in store.item_traces(session, batch_id, ordinal, revision)])


@router.get(
    "/{item_id:segment}/image",
    operation_id="readImage",
    response_class=Response,
    responses=raw(200, "The image, losslessly encoded", *SIGNATURES)
    | problems("not_found", "image_missing", "image_damaged", "item_erased"),
)
async def read_image(item_id: ItemId, principal: Viewer, services: Services, revision: Revision = None) -> Response:
    """See the whole image, shrunken as the model was sent it. Every look is an audit event."""
    return await services.beside(partial(_show_image, services, principal, parse_item_id(item_id), revision))


@router.post(
    "/{item_id:segment}:rescan",
    operation_id="rescanItem",
    status_code=202,
    responses=answers(202, "A new revision has begun", links={"batch": link("readBatch", batch_id="$response.body#/batch_id")})
    | problems("not_found", "batch_unfinished", "item_erased"),
)
def rescan(item_id: ItemId, principal: Submitter, services: Services, response: Response) -> RescanStarted:
    """Judge one item again, once its batch has finished. Earlier outcomes stay."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        store.check_item(session, principal.tenant, batch_id, ordinal)
        revision = rescan_item(session, batch_id, ordinal, actor=principal.actor)
    response.headers["Location"] = f"/v1/items/{item_id}"
    return RescanStarted(batch_id=batch_id, revision=revision, items=1)


def _show_image(services: ApiServices, principal: Principal, item: tuple[UUID, int], revision: int | None) -> Response:
    with transaction(services.engine) as session:
        image = store.find_image(session, principal.tenant, *item, revision)
    if image is None:
        raise ProblemError("image_missing")
    look = Look(principal=principal, noun="image", batch_id=item[0], ordinal=item[1], revision=image.revision)
    return show(services, image.evidence, look)


def describe(item: store.ItemStanding) -> Item:
    """An item as the API shows it."""
    return Item(
        id=item_id(item.batch_id, item.ordinal),
        batch_id=item.batch_id,
        ordinal=item.ordinal,
        custom_id=item.custom_id,
        source=item.source,
        version_id=item.version_id,
        line=item.line,
        metadata=item.metadata,
        state=item.state.value if item.state else "pending",
        revision=item.revision,
        verdict=Verdict(item.verdict) if item.verdict else None,
        p_generated=item.p_generated,
        explanation=item.explanation,
        path=ZoomPath(item.path) if item.path else None,
        release=item.release,
        training=item.training,
        error=ErrorBody.of(item.error.code, item.error.message) if item.error else None,
        erased_at=item.erased_at,
    )


def _outcome(row: OutcomeRow) -> OutcomeBody:
    return OutcomeBody(
        revision=row.revision,
        kind=OutcomeKind(row.kind),
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        p_generated_raw=row.p_generated_raw,
        scan_verdict=Verdict(row.scan_verdict) if row.scan_verdict else None,
        scan_p_generated=row.scan_p_generated,
        explanation=row.explanation,
        scan_explanation=row.scan_explanation,
        path=ZoomPath(row.path) if row.path else None,
        release=row.release_id,
        image_sha256=row.image_sha256,
        etag=row.etag,
        version_id=row.version_id,
        byte_count=row.byte_count,
        media_type=row.media_type,
        width=row.width,
        height=row.height,
        sent_sha256=row.sent_sha256,
        degradation=_degradation(row),
        error=ErrorBody.of(row.error_code, row.error_message),
        created_at=row.created_at,
    )


def _degradation(row: OutcomeRow) -> DegradationBody | None:
    if row.degradation_band is None:
        return None
    left, top, right, bottom = row.border or [0, 0, 0, 0]
    return DegradationBody(
        band=DegradationBand(row.degradation_band),
        jpeg_quality=row.jpeg_quality,
        blur=row.blur,
        rescaling=row.rescaling,
        border=BorderBody(left=left, top=top, right=right, bottom=bottom),
    )


def describe_region(row: RegionRow) -> RegionBody:
    """A region as the API shows it."""
    crop = (row.crop_x0, row.crop_y0, row.crop_x1, row.crop_y1)
    return RegionBody(
        id=region_id(RegionPlace(row.batch_id, row.ordinal, row.revision, row.position)),
        revision=row.revision,
        position=row.position,
        box=[row.x0, row.y0, row.x1, row.y1],
        reason=row.reason,
        finding=row.finding,
        crop_box=[side for side in crop if side is not None] if None not in crop else None,
        crop_sha256=row.crop_sha256,
        scale=row.scale,
    )


def _trace(row: TraceRow) -> TraceBody:
    return TraceBody(
        revision=row.revision,
        stage=Stage(row.stage),
        attempt=row.attempt,
        request=row.request,
        reply=row.reply,
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        cached_tokens=row.cached_tokens,
        completion_tokens=row.completion_tokens,
        seconds=row.seconds,
    )
