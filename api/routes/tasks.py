"""Review tasks: find them, look at one, and everything that is done with a claim on one but answering."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.finding import found
from api.paths import ACTOR, TaskId
from api.preconditions import SeenVersion, etag
from api.problems import ProblemError
from api.reviewing import OF_CLAIM, OF_TASK, TASK_ETAG, Reviewer, Watcher, claimant_of, describe_case, describe_claim, describe_task
from api.schemas import review as bodies
from api.security.principal import Lead, Principal
from api.services import Services
from worker.moderation.policy import NAME
from worker.moderation.review import TaskState
from worker.store import review_claims as claims
from worker.store import review_tasks as store
from worker.store.review_cases import read_case
from worker.store.review_listing import Position, Wanted, list_tasks, task_progress
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["review"])

State = Literal["open", "held", "escalated", "done", "withdrawn"]
FIRST = {operation: link(operation, task_id="$response.body#/tasks/0/id") for operation in ("readTask", "listReviews")}
ITS_STATE = answers(200, "The task", links=OF_TASK, headers=TASK_ETAG)
OF_CLAIMED = ("not_found", "claim_lost")
OF_VERSION = ("precondition_missing", "precondition_failed")


@router.get("/claims", operation_id="listClaims", response_model=bodies.ClaimList)
def list_claims(principal: Reviewer, services: Services) -> Response:
    """List what you hold, each with its whole task: a page that is loaded again finds its place."""
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        held = [describe_claim(session, claim, claimant) for claim in claims.held_claims(session, claimant)]
    return written(bodies.ClaimList(claims=held))


@router.get(
    "/tasks",
    operation_id="listTasks",
    response_model=bodies.TaskPage,
    responses=answers(200, "A page of tasks", links=FIRST) | problems("cursor_invalid"),
)
def list_page(
    principal: Watcher,
    services: Services,
    queue: Annotated[str | None, Query(pattern=f"^{NAME.pattern}$", description="Of this queue alone.")] = None,
    state: Annotated[State | None, Query(description="In this state alone; without it, all that are unfinished.")] = None,
    assigned_to: Annotated[str | None, Query(pattern=ACTOR, description="Reserved for this reviewer alone.")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Response:
    """List review tasks: unfinished ones in the order in which they are offered, `done` and `withdrawn` ones newest first."""
    wanted = Wanted(queue=queue, state=TaskState(state) if state else None, assigned_to=assigned_to, viewer=principal.actor)
    listing = f"tasks/{queue}/{state}/{assigned_to}"
    after = _position(read_cursor(listing, cursor)) if cursor else None
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        found = list_tasks(session, principal.tenant, wanted, after=after, limit=limit + 1)
        given = task_progress(session, [task.id for task in found[:limit]], claimant.reviewer, lead=claimant.lead)
    page = [describe_task(task, given[task.id]) for task in found[:limit]]
    following = write_cursor(listing, [page[-1].priority, page[-1].due_at.isoformat(), page[-1].id]) if len(found) > limit else None
    return written(bodies.TaskPage(tasks=page, next_cursor=following))


@router.get(
    "/tasks/{task_id:segment}",
    operation_id="readTask",
    responses=answers(200, "The task", links=OF_TASK, headers=TASK_ETAG) | problems("not_found"),
)
def read_task(task_id: TaskId, principal: Watcher, services: Services, response: Response) -> bodies.WholeTask:
    """See a task with everything that is needed to judge it, and nothing of what other reviewers have answered. Each look is audited."""
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        case = read_case(session, task_id, claimant)
        store.note(session, case.task, claimant, "task.read", {})
    response.headers["ETag"] = etag(case.task.version)
    return describe_case(case)


@router.patch("/tasks/{task_id:segment}", operation_id="prioritiseTask", responses=ITS_STATE | problems("not_found", "task_finished"))
def prioritise(task_id: TaskId, body: bodies.Prioritise, principal: Lead, services: Services, response: Response) -> bodies.Task:
    """Put an unfinished task before or behind others. The question stays the same, and so do claims on it."""
    with transaction(services.engine) as session:
        store.prioritise_task(session, claimant_of(principal), task_id, priority=body.priority, due_at=body.due_at)
        return _standing(session, task_id, principal, response)


@router.post(
    "/tasks/{task_id:segment}:claim",
    operation_id="claimThisTask",
    response_model=bodies.Claim,
    responses=answers(200, "The claim", links=OF_CLAIM, headers=TASK_ETAG) | problems("not_found", "task_unavailable", "claims_too_many"),
)
def claim_this(task_id: TaskId, principal: Reviewer, services: Services) -> Response:
    """Claim this very task, or see the claim on it that you hold: after a lease was lost, or from a link."""
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        if (claim := found(claims.claim_this_task, session, claimant, task_id)) is None:
            raise ProblemError("task_unavailable")
        described = describe_claim(session, claim, claimant)
    answer = written(described)
    answer.headers["ETag"] = etag(described.task.version)
    return answer


@router.post("/tasks/{task_id:segment}:heartbeat", operation_id="heartbeatTask", responses=problems(*OF_CLAIMED))
def heartbeat(task_id: TaskId, body: bodies.Held, principal: Reviewer, services: Services) -> bodies.Renewed:
    """Keep a claim: it holds for the queue's lease time from now on."""
    with transaction(services.engine) as session:
        return bodies.Renewed(expires_at=claims.renew_claim(session, claimant_of(principal), task_id, body.lease_token))


@router.post("/tasks/{task_id:segment}:release", operation_id="releaseTask", responses=ITS_STATE | problems(*OF_CLAIMED, "task_finished"))
def release(task_id: TaskId, body: bodies.Held, principal: Reviewer, services: Services, response: Response) -> bodies.Task:
    """Give a task back: it is offered again, also to you."""
    with transaction(services.engine) as session:
        claims.release_claim(session, claimant_of(principal), task_id, body.lease_token)
        return _standing(session, task_id, principal, response)


@router.post("/tasks/{task_id:segment}:skip", operation_id="skipTask", responses=ITS_STATE | problems(*OF_CLAIMED, "task_finished"))
def skip(task_id: TaskId, body: bodies.Skip, principal: Reviewer, services: Services, response: Response) -> bodies.Task:
    """Give a task back for good: it is never offered to you again."""
    with transaction(services.engine) as session:
        claims.skip_task(session, claimant_of(principal), task_id, body.lease_token, reason=body.reason)
        return _standing(session, task_id, principal, response)


@router.post(
    "/tasks/{task_id:segment}:hold",
    operation_id="holdTask",
    responses=ITS_STATE | problems(*OF_CLAIMED, *OF_VERSION, "task_finished"),
)
def hold(task_id: TaskId, body: bodies.Hold, seen: SeenVersion, principal: Reviewer, services: Services, response: Response) -> bodies.Task:
    """Set a task aside until a time, or until it is reopened. All claims on it end."""
    with transaction(services.engine) as session:
        claims.hold_task(session, claimant_of(principal), task_id, body.lease_token, version=seen, reason=body.reason, until=body.until)
        return _standing(session, task_id, principal, response)


@router.post(
    "/tasks/{task_id:segment}:reopen",
    operation_id="reopenTask",
    responses=ITS_STATE | problems("not_found", *OF_VERSION, "task_finished", "task_state"),
)
def reopen(task_id: TaskId, seen: SeenVersion, principal: Reviewer, services: Services, response: Response) -> bodies.Task:
    """Offer a held task again."""
    with transaction(services.engine) as session:
        store.reopen_task(session, claimant_of(principal), task_id, version=seen)
        return _standing(session, task_id, principal, response)


@router.post(
    "/tasks/{task_id:segment}:reassign",
    operation_id="reassignTask",
    responses=ITS_STATE | problems("not_found", *OF_VERSION, "task_finished", "reviewer_barred"),
)
def reassign(
    task_id: TaskId, body: bodies.Reassign, seen: SeenVersion, principal: Lead, services: Services, response: Response
) -> bodies.Task:
    """Reserve an unfinished task for one reviewer, or let anybody claim it again. All claims on it end."""
    with transaction(services.engine) as session:
        store.reassign_task(session, claimant_of(principal), task_id, version=seen, to=body.to)
        return _standing(session, task_id, principal, response)


def _standing(session: Session, task_id: int, principal: Principal, response: Response) -> bodies.Task:
    claimant = claimant_of(principal)
    task = store.find_task(session, task_id, claimant)
    response.headers["ETag"] = etag(task.version)
    return describe_task(task, task_progress(session, [task_id], claimant.reviewer, lead=claimant.lead)[task_id])


def _position(position: Any) -> Position:
    match position:
        case [int(priority), str(due_at), int(task_id)] if abs(priority) < 2**15 and 0 < task_id < 2**63:
            try:
                return Position(priority, datetime.fromisoformat(due_at), task_id)
            except ValueError:
                raise ProblemError("cursor_invalid") from None
        case _:
            raise ProblemError("cursor_invalid")
