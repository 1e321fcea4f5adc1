"""Explanations in other languages: ask for one, and see what there is, the original beside it."""

from fastapi import APIRouter, Response

from api.cursors import Revision
from api.describing import answers, link, problems
from api.evidence import Asker, Viewer
from api.paths import ItemId
from api.routes.explanation_jobs import described
from api.schemas.translations import LanguageBody, PassageBody, Translation, TranslationAsked, TranslationList, TranslationRequest
from api.services import Services
from api.translating import InLanguage, Wanted, ask_for_translation, overview
from worker.moderation.identifiers import item_id as id_of
from worker.moderation.identifiers import parse_item_id
from worker.moderation.translation.catalogue import catalogue_of
from worker.moderation.translation.facts import Kind
from worker.moderation.translation.languages import SOURCE, Language
from worker.store.items import check_item
from worker.store.session import transaction

router = APIRouter(prefix="/v1/items", tags=["explanations"])

SPOKEN = {"Content-Language": "The languages of the texts, the original's first"}
LIST = {"translations": link("listTranslations", item_id="$response.body#/item_id")}
JOB = {"job": link("readExplanationJob", job_id="$response.body#/job/id")}
ASKED = problems("not_found", "item_erased", "explanation_missing", "language_unsupported", "language_not_offered", "translations_waiting")


@router.post(
    "/{item_id:segment}/translations",
    operation_id="translateItem",
    responses=answers(200, "It is there", links=LIST, headers=SPOKEN)
    | {202: {"model": TranslationAsked, "description": "It is being made", "links": {**LIST, **JOB}}}
    | ASKED,
)
def translate_item(item_id: ItemId, body: TranslationRequest, principal: Asker, services: Services, response: Response) -> TranslationAsked:
    """Ask for an item's explanation in a language that its policy lists. Asking again gives the same; a failed job begins anew.

    What nano says comes from a catalogue, at once. Anything else is translated by a machine, verified, and marked as such.
    """
    batch_id, ordinal = parse_item_id(item_id)
    wanted = Wanted(tenant=principal.tenant, actor=principal.actor, batch_id=batch_id, ordinal=ordinal, revision=body.revision)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, batch_id, ordinal)
        translation, job = ask_for_translation(session, wanted, body.language)
        asked = TranslationAsked(
            item_id=item_id, translation=describe(translation) if translation else None, job=described(job) if job else None
        )
    if asked.job is not None:
        response.status_code = 202
        response.headers["Location"] = f"/v1/explanation-jobs/{asked.job.id}"
    if asked.translation is not None:
        response.headers["Content-Language"] = f"{SOURCE}, {asked.translation.language.tag}"
    return asked


@router.get(
    "/{item_id:segment}/translations",
    operation_id="listTranslations",
    responses=answers(200, "Them", headers=SPOKEN) | problems("not_found", "item_erased", "explanation_missing"),
)
def list_translations(
    item_id: ItemId, principal: Viewer, services: Services, response: Response, revision: Revision = None
) -> TranslationList:
    """List what there is of an item's newest outcome, or of one revision, in other languages, and which may be asked for."""
    batch_id, ordinal = parse_item_id(item_id)
    wanted = Wanted(tenant=principal.tenant, actor=principal.actor, batch_id=batch_id, ordinal=ordinal, revision=revision)
    with transaction(services.engine) as session:
        check_item(session, principal.tenant, batch_id, ordinal)
        there = overview(session, wanted)
        translations = [describe(each) for each in there.translations]
        jobs = [described(row) for row in there.jobs]
    response.headers["Content-Language"] = ", ".join((SOURCE, *(each.language.tag for each in translations)))
    offered = [describe_language(language) for language in there.offered]
    return TranslationList(item_id=item_id, revision=there.revision, offered=offered, translations=translations, jobs=jobs)


def describe(there: InLanguage) -> Translation:
    """A translation's body."""
    row = there.row
    return Translation(
        item_id=id_of(row.batch_id, row.ordinal),
        revision=row.revision,
        language=describe_language(there.language),
        machine=row.machine,
        source=row.source,
        passages=[
            PassageBody(field=before.field, position=before.position, original=before.text, text=after.text)
            for before, after in zip(there.original, there.passages, strict=True)
        ],
        facts={Kind(kind): count for kind, count in row.verified["facts"].items()},
        detected=row.verified["detected"],
        created_at=row.created_at,
    )


def describe_language(language: Language) -> LanguageBody:
    """A language's body."""
    return LanguageBody(
        tag=language.tag,
        name=language.name,
        own_name=language.own_name,
        direction="rtl" if language.direction == "rtl" else "ltr",
        catalogue=catalogue_of(language) is not None,
    )
