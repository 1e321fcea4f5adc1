"""`/review/queues/{queue}`: where a person judges one image after the other. Tasks come as pieces of HTML, the next one ahead of time.

Answers, heartbeats, skips and the rest go to the API; only claiming is here, since a claimed task comes with its HTML.
"""

from typing import Any

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session
from starlette.responses import HTMLResponse

from api.finding import found
from api.paths import QueueName, TaskId
from api.review_page.rendering import HEADERS, page, render
from api.review_page.task_view import TaskView, view_task
from api.review_page.visitors import MayJudge, Visit, Visitor
from api.reviewing import claimant_of
from api.services import Services
from worker.moderation.policy import Action
from worker.store import review_queues
from worker.store.review_answers import visible_reviews
from worker.store.review_cases import read_case
from worker.store.review_claims import Claim, claim_task, claim_this_task, held_claims
from worker.store.review_tasks import find_task
from worker.store.session import transaction

router = APIRouter(prefix="/review", include_in_schema=False, dependencies=[MayJudge])

UNDO_SECONDS = 10  # as long as a hand needs to notice; the platform is told of the decision when they are over
ACTIONS = {
    Action.LABEL: "Label it",
    Action.RESTRICT: "Restrict it",
    Action.REMOVE: "Remove it",
    Action.NONE: "Leave it as it is",
}


@router.get("/queues/{queue:segment}", response_class=HTMLResponse)
def judge(queue: QueueName, visit: Visitor, services: Services) -> HTMLResponse:
    """The page, with what the reviewer already holds of this queue: loaded again, it finds its place."""
    claimant = claimant_of(visit.principal)
    with transaction(services.engine) as session:
        settings = found(review_queues.read_queue, session, claimant.tenant_id, queue)
        held = held_claims(session, claimant)
        tasks = [_view(session, claim, visit) for claim in held if find_task(session, claim.task_id, claimant).queue == queue]
    return page("judging.html", visit, queue=settings, tasks=tasks, **_terms())


@router.post("/queues/{queue:segment}/claims", response_class=HTMLResponse)
def claim_next(queue: QueueName, visit: Visitor, services: Services) -> Response:
    """Claims the next task: its HTML, or 204 when nothing waits for this reviewer. Raises as `POST /v1/queues/{queue}:claim`."""
    claimant = claimant_of(visit.principal)
    with transaction(services.engine) as session:
        claim = found(claim_task, session, claimant, queue)
        task = _view(session, claim, visit) if claim is not None else None
    return _piece(task, visit)


@router.post("/tasks/{task_id:segment}/claims", response_class=HTMLResponse)
def claim_again(task_id: TaskId, visit: Visitor, services: Services) -> Response:
    """The HTML of one task: the claim on it that the reviewer holds, or a new one; 204 when it is not to be had."""
    claimant = claimant_of(visit.principal)
    with transaction(services.engine) as session:
        claim = found(claim_this_task, session, claimant, task_id)
        task = _view(session, claim, visit) if claim is not None else None
    return _piece(task, visit)


def _view(session: Session, claim: Claim, visit: Visit) -> TaskView:
    claimant = claimant_of(visit.principal)
    case = read_case(session, claim.task_id, claimant)
    # Two who judge beside each other stay blind; who settles what they differ on sees what they said.
    answers = visible_reviews(session, case.task, claimant) if case.task.escalated else []
    return view_task(claim, case, answers)


def _piece(task: TaskView | None, visit: Visit) -> Response:
    if task is None:
        return Response(status_code=204)
    return HTMLResponse(render("task.html", visit, task=task, **_terms()), headers=HEADERS)


def _terms() -> dict[str, Any]:
    return {"actions": ACTIONS, "undo_seconds": UNDO_SECONDS}
