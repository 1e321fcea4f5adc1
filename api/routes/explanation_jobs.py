"""Explanation jobs: where the making of an attention map, a look or a translation stands."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path

from api.describing import answers, link, problems
from api.evidence import Viewer
from api.schemas.explanations import ExplanationJob, JobError
from api.services import Services
from worker.moderation.explanation_jobs import JobState
from worker.moderation.identifiers import item_id
from worker.store import explanation_jobs as store
from worker.store.models import ExplanationJobRow
from worker.store.session import transaction

router = APIRouter(prefix="/v1/explanation-jobs", tags=["explanations"])

JobId = Annotated[UUID, Path(description="An explanation job's id.")]
FOLLOW = {"job": link("readExplanationJob", job_id="$response.body#/id"), "item": link("readItem", item_id="$response.body#/item_id")}
RETRIED = "last_attempt_failed"  # what the caller is told of an attempt that is to be repeated; its own code is for the log


@router.get("/{job_id:segment}", operation_id="readExplanationJob", responses=answers(200, "It", links=FOLLOW) | problems("not_found"))
def read_explanation_job(job_id: JobId, principal: Viewer, services: Services) -> ExplanationJob:
    """See where an explanation job stands. Ask again every second or so until it is `done` or `failed`."""
    with transaction(services.engine) as session:
        return described(store.find_job(session, principal.tenant, job_id))


def described(row: ExplanationJobRow) -> ExplanationJob:
    """A job's body. That it waits in Redis and not in Postgres is nobody's concern."""
    announced = JobState(row.state) is JobState.ANNOUNCED
    error = JobError(code=row.error_code or RETRIED, message=row.error_message) if row.error_message is not None else None
    return ExplanationJob(
        id=row.id,
        kind=row.kind,
        item_id=item_id(row.batch_id, row.ordinal),
        revision=row.revision,
        state="waiting" if announced else row.state,
        attempts=row.attempts,
        error=error,
        asked_by=row.asked_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )
