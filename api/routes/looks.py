"""Looks: ask the model to zoom in once more, and read what it said there. None changes a verdict."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.cursors import Revision
from api.describing import answers, link, problems, raw
from api.evidence import SIGNATURES, Asker, Viewer, show
from api.evidence import Look as Glance
from api.paths import ItemId
from api.reviewing import claimant_of
from api.schemas import looks as bodies
from api.schemas.items import ErrorBody
from api.security.principal import Principal
from api.services import ApiServices, Services
from worker.moderation.boxes import Box
from worker.moderation.identifiers import item_id as public_id
from worker.moderation.identifiers import parse_item_id
from worker.moderation.looks import WantedLook
from worker.moderation.outcomes import Verdict
from worker.moderation.release import HONESTY
from worker.moderation.text import clean
from worker.store import looks as store
from worker.store.look_asking import ask_look
from worker.store.models import LookAnswerRow
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["explanations"])

LookId = Annotated[UUID, Path(description="A look's id.")]
FOLLOW = {operation: link(operation, look_id="$response.body#/id") for operation in ("readLook", "readLookCrop")}
FIRST = {"look": link("readLook", look_id="$response.body#/looks/0/id")}
REFUSED = (
    "not_found",
    "item_erased",
    "look_unseen",
    "look_trace_ended",
    "look_box_invalid",
    "region_unknown",
    "looks_full",
    "looks_waiting",
)


@router.post(
    "/items/{item_id:segment}/looks",
    operation_id="askLook",
    status_code=202,
    responses=answers(202, "It will be looked at; the same look as before, when the same was asked", links=FOLLOW) | problems(*REFUSED),
)
def ask(item_id: ItemId, body: bodies.LookWanted, principal: Asker, services: Services, response: Response) -> bodies.Look:
    """Ask the model to look at one place more closely: the full-resolution crop, beside the whole image, as the verdict's own zoom.

    Your earlier looks at the same outcome are part of the conversation, as far as they fit; others' never are. Nothing is decided by it.
    """
    batch_id, ordinal = parse_item_id(item_id)
    wanted = WantedLook(
        tenant_id=principal.tenant,
        batch_id=batch_id,
        ordinal=ordinal,
        revision=body.revision,
        author=principal.actor,
        box=Box(*body.box) if body.box is not None else None,
        region=body.region,
        question=clean(body.question),
    )
    with transaction(services.engine) as session:
        look_id = ask_look(session, wanted)
        look = store.find_look(session, claimant_of(principal), look_id)
    response.headers["Location"] = f"/v1/looks/{look_id}"
    return bodies.Look(**_described(look))


@router.get(
    "/items/{item_id:segment}/looks",
    operation_id="listLooks",
    responses=answers(200, "Its looks", links=FIRST) | problems("not_found"),
)
def list_looks(item_id: ItemId, principal: Viewer, services: Services, revision: Revision = None) -> bodies.LookList:
    """List the looks at an item's newest outcome, or at one revision's, as far as you may see them. At most the newest 200."""
    batch_id, ordinal = parse_item_id(item_id)
    with transaction(services.engine) as session:
        looks = store.item_looks(session, claimant_of(principal), batch_id, ordinal, revision)
    return bodies.LookList(looks=[bodies.Look(**_described(look)) for look in looks])


@router.get("/looks/{look_id:segment}", operation_id="readLook", responses=answers(200, "It", links=FOLLOW) | problems("not_found"))
def read_look(look_id: LookId, principal: Viewer, services: Services) -> bodies.WholeLook:
    """See a look, and what was sent to the model and came back. Ask again every second or so until it has an answer or an error."""
    with transaction(services.engine) as session:
        look = store.find_look(session, claimant_of(principal), look_id)
        traces = [_trace(row) for row in store.look_traces(session, look_id)]
    return bodies.WholeLook(**_described(look), traces=traces)


@router.get(
    "/looks/{look_id:segment}/crop",
    operation_id="readLookCrop",
    response_class=Response,
    responses=raw(200, "The crop, losslessly encoded", *SIGNATURES) | problems("not_found", "crop_missing", "crop_damaged"),
)
async def read_crop(look_id: LookId, principal: Viewer, services: Services) -> Response:
    """See the crop that the model was sent for a look. Every look at it is an audit event."""
    return await services.beside(partial(_show_crop, services, principal, look_id))


def _show_crop(services: ApiServices, principal: Principal, look_id: UUID) -> Response:
    with transaction(services.engine) as session:
        look = store.find_look(session, claimant_of(principal), look_id)
        crop = store.find_look_crop(session, look_id)
    glance = Glance(
        principal=principal,
        noun="crop",
        batch_id=look.batch_id,
        ordinal=look.ordinal,
        revision=look.revision,
        detail={"look": str(look_id)},
    )
    return show(services, crop, glance)


def _described(look: store.Look) -> dict[str, object]:
    return {
        "id": look.id,
        "item_id": public_id(look.batch_id, look.ordinal),
        "revision": look.revision,
        "number": look.number,
        "author": look.author,
        "box": list(look.box),
        "region": look.position,
        "question": look.question,
        "state": look.state,
        "error": ErrorBody.of(look.error_code, look.error_message),
        "answer": _said(look, look.answer) if look.answer else None,
        "created_at": look.created_at,
    }


def _said(look: store.Look, answer: store.LookAnswered) -> bodies.LookSaid:
    return bodies.LookSaid(
        finding=answer.finding,
        explanation=answer.explanation,
        verdict=Verdict(answer.verdict) if answer.verdict else None,
        p_generated=answer.p_generated,
        question_put=answer.question_put,
        release=answer.release,
        other_release=answer.other_release,
        training=answer.training,
        honesty=HONESTY[answer.training],
        crop_box=list(answer.crop_box),
        scale=answer.scale,
        crop=f"/v1/looks/{look.id}/crop",
        created_at=answer.at,
    )


def _trace(row: LookAnswerRow) -> bodies.LookTrace:
    return bodies.LookTrace(
        attempt=row.attempt,
        wording=row.wording,
        request=row.request,
        reply=row.reply,
        finish_reason=row.finish_reason,
        prompt_tokens=row.prompt_tokens,
        cached_tokens=row.cached_tokens,
        completion_tokens=row.completion_tokens,
        seconds=row.seconds,
    )
