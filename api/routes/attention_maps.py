"""Attention maps: ask for them, see them, and how far a batch's lie in the boxes it names."""

from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from api.answering import written
from api.describing import answers, link, problems, raw
from api.evidence import ARRAYS, Asker, Look, Viewer, show
from api.paths import BatchId, ItemId
from api.problems import ProblemError
from api.routes.explanation_jobs import described as described_job
from api.schemas import attention as bodies
from api.security.principal import Principal, Reader
from api.services import ApiServices, Services
from worker.moderation.identifiers import item_id as public_id
from worker.moderation.identifiers import parse_item_id
from worker.moderation.opening import OutcomePlace
from worker.moderation.outcomes import OutcomeKind
from worker.moderation.release import Training
from worker.store import attention_maps as store
from worker.store.batches import find_batch
from worker.store.items import check_item, outcome_kind
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["explanations"])

MapId = Annotated[UUID, Path(description="An attention map's id.")]
VERDICT = "zoom-verdict"
TARGET = r"^(scan|zoom)-(verdict|(sentence|box)-[1-9][0-9]{0,2})$"
Target = Annotated[str, Path(pattern=TARGET, description="A target's name.", examples=[VERDICT])]
QueriedTarget = Annotated[str, Query(pattern=TARGET, description="A target's name.", examples=[VERDICT])]
FILES = problems("not_found", "attention_map_missing", "attention_map_damaged")
THERE = {"map": link("readAttentionMap", map_id="$response.body#/map/id")}
BEGUN = {"job": link("readExplanationJob", job_id="$response.body#/job/id")}
SHOWN = {
    "overlay": link("readAttentionOverlay", map_id="$response.body#/id"),
    "values": link("readAttentionValues", map_id="$response.body#/id"),
    "layer": link("readAttentionLayer", map_id="$response.body#/id", target="$response.body#/targets/0/name"),
    "item": link("readItem", item_id="$response.body#/item_id"),
}


@router.post(
    "/items/{item_id:segment}/attention-maps",
    operation_id="askForAttentionMap",
    response_model=bodies.AttentionAnswer,
    responses=answers(200, "They are there", links=THERE)
    | {202: {**answers(202, "They are to be drawn", links=BEGUN, headers={"Location": "The job"})[202], "model": bodies.AttentionAnswer}}
    | problems("not_found", "no_verdict", "item_erased", "attention_maps_waiting"),
)
def ask_for_attention_map(item_id: ItemId, principal: Asker, services: Services, body: bodies.AttentionAsked | None = None) -> Response:
    """Ask for the attention maps of an item's newest outcome, or of one revision. Asked again, it is one job; a failed one begins anew."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, batch_id, ordinal)
        outcome = outcome_kind(session, batch_id, ordinal, body.revision if body else None)
        if outcome is None and body is not None and body.revision is not None:
            raise ProblemError("not_found")
        if outcome is None or outcome[1] is not OutcomeKind.VERDICT:
            raise ProblemError("no_verdict")
        revision, _ = outcome
        wanted = store.maps_job(principal.tenant, OutcomePlace(batch_id, ordinal, revision), asked_by=principal.actor)
        found = store.ask_for_maps(session, wanted)
        if isinstance(found, store.RecordedMaps):
            return written(bodies.AttentionAnswer(map=_map(found), job=None))
        job = described_job(found)
    answer = written(bodies.AttentionAnswer(map=None, job=job))
    answer.status_code = 202
    answer.headers["Location"] = f"/v1/explanation-jobs/{job.id}"
    return answer


@router.get(
    "/items/{item_id:segment}/attention-maps",
    operation_id="listAttentionMaps",
    responses=answers(200, "Its maps", links={"map": link("readAttentionMap", map_id="$response.body#/maps/0/id")}) | problems("not_found"),
)
def list_attention_maps(item_id: ItemId, principal: Viewer, services: Services) -> bodies.AttentionList:
    """List the attention maps of an item, and the jobs that are to draw some."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, batch_id, ordinal)
        maps = [_map(maps) for maps in store.item_maps(session, batch_id, ordinal)]
        jobs = [described_job(job) for job in store.open_map_jobs(session, batch_id, ordinal)]
    return bodies.AttentionList(maps=maps, jobs=jobs)


@router.get(
    "/attention-maps/{map_id:segment}", operation_id="readAttentionMap", responses=answers(200, "It", links=SHOWN) | problems("not_found")
)
def read_attention_map(map_id: MapId, principal: Viewer, services: Services) -> bodies.AttentionMap:
    """See an outcome's attention maps: figures, and what each explains."""
    with transaction(services.engine) as session:
        return _map(store.find_maps(session, principal.tenant, map_id))


@router.get(
    "/attention-maps/{map_id:segment}/layers/{target:segment}",
    operation_id="readAttentionLayer",
    response_class=Response,
    responses=raw(200, "Heat, transparent where nothing is: to be laid over the image as sent", "image/png") | FILES,
)
async def read_attention_layer(map_id: MapId, target: Target, principal: Viewer, services: Services) -> Response:
    """See a target's map alone, of the size of the image as it was sent. Every look is an audit event."""
    return await services.beside(partial(_file, services, principal, map_id, "layer", target))


@router.get(
    "/attention-maps/{map_id:segment}/overlay",
    operation_id="readAttentionOverlay",
    response_class=Response,
    responses=raw(200, "The image, the map over it, the boxes, and a legend", "image/png") | FILES,
)
async def read_attention_overlay(map_id: MapId, principal: Viewer, services: Services, target: QueriedTarget = VERDICT) -> Response:
    """See a target's map over the image, as a picture that says what it shows. Every look is an audit event."""
    return await services.beside(partial(_file, services, principal, map_id, "overlay", target))


@router.get(
    "/attention-maps/{map_id:segment}/values",
    operation_id="readAttentionValues",
    response_class=Response,
    responses=raw(200, "NumPy's npz: an array for each target and image, and an `index` that says what they are", *ARRAYS) | FILES,
)
async def read_attention_values(map_id: MapId, principal: Viewer, services: Services) -> Response:
    """Take the raw arrays of all targets. Every look is an audit event."""
    return await services.beside(partial(_file, services, principal, map_id, "values", None))


@router.get("/batches/{batch_id:segment}/attention", operation_id="readBatchAttention", responses=problems("not_found"))
def read_batch_attention(batch_id: BatchId, principal: Reader, services: Services) -> bodies.BatchAttention:
    """See how far the attention of a batch's verdicts lies in the boxes that they name, against chance."""
    with transaction(services.engine) as session:
        find_batch(session, batch_id, tenant_id=principal.tenant)
        found = store.batch_attention(session, batch_id)
    return bodies.BatchAttention(
        sampled=_figures(found.sampled), asked_for=_figures(found.asked_for), waiting=found.waiting, failed=found.failed
    )


def _file(services: ApiServices, principal: Principal, map_id: UUID, file: str, target: str | None) -> Response:
    with transaction(services.engine) as session:
        found = store.find_file(session, principal.tenant, map_id, file, target)
    detail = {"map": str(map_id), "file": file, **({"target": target} if target else {})}
    place: dict[str, Any] = {"batch_id": found.batch_id, "ordinal": found.ordinal, "revision": found.revision}
    return show(services, found.stored, Look(principal=principal, noun="attention_map", detail=detail, **place))


def _map(maps: store.RecordedMaps) -> bodies.AttentionMap:
    row = maps.row
    ratio = row.mass_in_regions / row.mass_in_random if row.mass_in_regions is not None and row.mass_in_random else None
    return bodies.AttentionMap(
        id=row.id,
        item_id=public_id(row.batch_id, row.ordinal),
        revision=row.revision,
        sampled=row.sampled,
        method=row.method,
        release=row.release_id,
        training=Training(maps.training),
        logprob_gap=row.logprob_gap,
        mass_in_regions=row.mass_in_regions,
        mass_in_random=row.mass_in_random,
        ratio=ratio,
        pointing_game=row.pointing_game,
        seconds=row.seconds,
        targets=[bodies.AttentionTarget.model_validate(target, from_attributes=True) for target in maps.targets],
        created_at=row.created_at,
    )


def _figures(figures: store.MapFigures) -> bodies.AttentionFigures:
    return bodies.AttentionFigures.model_validate(figures, from_attributes=True)
