"""Batches: submit, list, look, cancel, resume, rescan."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Body, Response
from sqlalchemy.orm import Session

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.paths import BatchId
from api.preconditions import IfNoneMatch, tagged, tagged_answers
from api.problems import ProblemError
from api.schemas.batches import (
    Batch,
    BatchFromSource,
    BatchJudges,
    BatchPage,
    BatchSubmitted,
    Counts,
    JudgingRelease,
    Rescan,
    RescanStarted,
    Rows,
)
from api.security.principal import Reader, Submitter
from api.services import Services
from api.submitting import IdempotencyKey, accepted, rows_of, submission
from worker.intake.background import submit_source
from worker.intake.inline import submit_references
from worker.moderation.outcomes import OutcomeKind
from worker.store import batches as store
from worker.store import progress
from worker.store.models import BatchRow
from worker.store.models.intake import BatchState
from worker.store.session import transaction

router = APIRouter(prefix="/v1/batches", tags=["batches"])

LISTING = "batches"
OF_A_SOURCE = (
    "source_unknown",
    "source_empty",
    "object_missing",
    "bucket_missing",
    "bucket_not_allowed",
    "prefix_refused",
    "bucket_denied",
    "key_invalid",
)
OF_A_POLICY = ("policy_missing", "policy_not_live")
OF_A_KEY = ("idempotency_key_missing", "idempotency_key_invalid", "idempotency_key_reused", "idempotency_key_in_flight")
FOLLOW: Mapping[str, Any] = {
    "attention": link("readBatchAttention", batch_id="$response.body#/id"),
    "batch": link("readBatch", batch_id="$response.body#/id"),
    "items": link("listItems", batch_id="$response.body#/id"),
    "judges": link("readBatchJudges", batch_id="$response.body#/id"),
    "faithfulness": link("readBatchFaithfulness", batch_id="$response.body#/id"),
    "results": link("exportResults", batch_id="$response.body#/id"),
    "errors": link("exportRowErrors", batch_id="$response.body#/id"),
    "cancel": link("cancelBatch", batch_id="$response.body#/id"),
    "resume": link("resumeBatch", batch_id="$response.body#/id"),
    "rescan": link("rescanBatch", batch_id="$response.body#/id"),
}
NEWEST: Mapping[str, Any] = {
    "batch": link("readBatch", batch_id="$response.body#/batches/0/id"),
    "items": link("listItems", batch_id="$response.body#/batches/0/id"),
    "rescan": link("rescanBatch", batch_id="$response.body#/batches/0/id"),
}
SUBMITTED = answers(
    202,
    "Accepted. Its intake may go on in the background: `state` and `rows` tell.",
    links=FOLLOW,
    headers={"Location": "The batch", "Idempotency-Replayed": "`true`, when the key had been used for it before"},
)


@router.post(
    "",
    operation_id="submitBatch",
    status_code=202,
    response_model=Batch,
    responses=SUBMITTED
    | problems(*OF_A_KEY, *OF_A_POLICY, *OF_A_SOURCE, "scheme_refused", "userinfo_refused", "credential_in_key", "object_store_refused"),
)
async def submit_batch(
    body: Annotated[BatchSubmitted, Body()],
    idempotency_key: IdempotencyKey,
    principal: Submitter,
    services: Services,
    response: Response,
) -> Batch:
    """Submit an S3 prefix or manifest, or a small set of references. A manifest is only looked at: a million rows are accepted at once."""
    wanted = submission(principal, idempotency_key, body.model_dump(by_alias=True, exclude_none=True), body)
    if isinstance(body, BatchFromSource):
        submit = partial(submit_source, body.source, wanted, services.settings, services.engine, services.storage)
    else:
        submit = partial(submit_references, rows_of(body.items), wanted, services.settings, services.engine)
    taken = await services.beside(submit)
    accepted(response, taken.batch.id, created=taken.created)
    return await services.beside(partial(_read, services, taken.batch))


@router.get(
    "",
    operation_id="listBatches",
    response_model=BatchPage,
    responses=answers(200, "A page of batches", links=NEWEST) | problems("cursor_invalid"),
)
def list_batches(principal: Reader, services: Services, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """List batches, newest first."""
    before = _position(cursor) if cursor else None
    with transaction(services.engine) as session:
        rows = store.list_batches(session, tenant_id=principal.tenant, before=before, limit=limit + 1)
        counts = progress.count_items(session, [row.id for row in rows[:limit]])
    page = [describe(row, counts[row.id]) for row in rows[:limit]]
    return written(BatchPage(batches=page, next_cursor=write_cursor(LISTING, str(page[-1].id)) if len(rows) > limit else None))


@router.get(
    "/{batch_id:segment}",
    operation_id="readBatch",
    response_model=Batch,
    responses=tagged_answers("The batch", links=FOLLOW) | problems("not_found"),
)
def read_batch(batch_id: BatchId, principal: Reader, services: Services, if_none_match: IfNoneMatch = None) -> Response:
    """See where a batch stands: rows taken in, and items by outcome, which always add up."""
    with transaction(services.engine) as session:
        row = store.find_batch(session, batch_id, tenant_id=principal.tenant)
        batch = _described(session, row)
    return tagged(batch, if_none_match)


@router.get("/{batch_id:segment}/judges", operation_id="readBatchJudges", responses=answers(200, "What judged it") | problems("not_found"))
def read_judges(batch_id: BatchId, principal: Reader, services: Services) -> BatchJudges:
    """See which releases judged a batch, how far each can be trusted, and how much their cache helped."""
    with transaction(services.engine) as session:
        found = progress.judges(session, store.find_batch(session, batch_id, tenant_id=principal.tenant))
    return BatchJudges(
        releases=[JudgingRelease(id=name, training=training) for name, training in found.releases],
        cached_prompt_share=found.cached_prompt_share,
        cached_attainable_share=found.cached_attainable_share,
    )


@router.post(
    "/{batch_id:segment}:cancel", operation_id="cancelBatch", responses=answers(200, "Its state", links=FOLLOW) | problems("not_found")
)
def cancel_batch(batch_id: BatchId, principal: Submitter, services: Services) -> Batch:
    """Cancel a batch: what is not judged yet becomes `cancelled`. One that has ended stays as it is."""
    with transaction(services.engine) as session:
        store.find_batch(session, batch_id, tenant_id=principal.tenant)
        store.cancel_batch(session, batch_id, actor=principal.actor)
        return _described(session, store.find_batch(session, batch_id))


@router.post(
    "/{batch_id:segment}:resume",
    operation_id="resumeBatch",
    responses=answers(200, "Its state", links=FOLLOW) | problems("not_found", "batch_not_paused"),
)
def resume_batch(batch_id: BatchId, principal: Submitter, services: Services) -> Batch:
    """Let a paused batch go on, once what `pause_reason` names is mended."""
    with transaction(services.engine) as session:
        store.find_batch(session, batch_id, tenant_id=principal.tenant)
        store.resume_batch(session, batch_id, actor=principal.actor)
        return _described(session, store.find_batch(session, batch_id))


@router.post(
    "/{batch_id:segment}:rescan",
    operation_id="rescanBatch",
    status_code=202,
    responses=answers(202, "A new revision has begun", links={"batch": link("readBatch", batch_id="$response.body#/batch_id")})
    | problems("not_found", "batch_unfinished", "nothing_to_rescan"),
)
def rescan_batch(
    batch_id: BatchId, principal: Submitter, services: Services, response: Response, body: Rescan | None = None
) -> RescanStarted:
    """Judge a finished batch again, or only items of some kinds. Earlier outcomes stay."""
    only = frozenset(OutcomeKind(kind) for kind in body.only) if body and body.only else None
    with transaction(services.engine) as session:
        store.find_batch(session, batch_id, tenant_id=principal.tenant)
        items = store.rescan_batch(session, batch_id, only=only, chunk_items=services.settings.chunk_items, actor=principal.actor)
        revision = store.find_batch(session, batch_id).revision
    response.headers["Location"] = f"/v1/batches/{batch_id}"
    return RescanStarted(batch_id=batch_id, revision=revision, items=items)


def describe(row: BatchRow, counts: progress.Counts) -> Batch:
    """A batch's row and counts as the API shows them."""
    return Batch(
        id=row.id,
        state=BatchState(row.state),
        pause_reason=row.pause_reason,
        source=row.source,
        tenant=row.tenant_id,
        policy=row.policy,
        priority=row.priority,
        revision=row.revision,
        rows=Rows(accepted=row.items_accepted, rejected=row.rows_rejected),
        counts=Counts(
            scope=counts.scope,
            verdict=counts.verdicts,
            unreadable=counts.unreadable,
            failed=counts.failed,
            cancelled=counts.cancelled,
            pending=counts.pending,
            flagged=counts.flagged,
        ),
        created_at=row.created_at,
        received_at=row.received_at,
        finished_at=row.finished_at,
    )


def _described(session: Session, row: BatchRow) -> Batch:
    return describe(row, progress.count_items(session, [row.id])[row.id])


def _read(services: Services, row: BatchRow) -> Batch:
    with transaction(services.engine) as session:
        return _described(session, row)


def _position(cursor: str) -> UUID:
    try:
        return UUID(read_cursor(LISTING, cursor))
    except (ValueError, TypeError, AttributeError):
        raise ProblemError("cursor_invalid") from None
