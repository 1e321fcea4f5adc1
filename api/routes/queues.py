"""Review queues: what each asks for, what waits in it, and the next task of it."""

from dataclasses import asdict, replace
from typing import Any

from fastapi import APIRouter, Response

from api.answering import written
from api.cursors import DEFAULT_LIMIT, Cursor, Limit, read_cursor, write_cursor
from api.describing import answers, link, problems
from api.finding import found
from api.paths import QueueName
from api.preconditions import SeenVersion, etag
from api.problems import ProblemError
from api.reviewing import OF_CLAIM, TASK_ETAG, Organiser, Reviewer, Watcher, claimant_of, describe_claim
from api.schemas import review as bodies
from api.services import Services
from worker.moderation.policy import NAME
from worker.store import review_queues as store
from worker.store.review_claims import claim_task
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

router = APIRouter(prefix="/v1/queues", tags=["review"])

LISTING = "queues"
ETAG = {"ETag": "The version of its settings"}
_NAME = "$response.body#/name"
OF_QUEUE = {
    "readQueue": link("readQueue", queue=_NAME),
    "changeQueue": link("changeQueue", seen=True, queue=_NAME),
    "claimTask": link("claimTask", queue=_NAME),
}


@router.get("", operation_id="listQueues", response_model=bodies.QueuePage, responses=problems("cursor_invalid"))
def list_queues(principal: Watcher, services: Services, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Response:
    """List review queues, by name, with what waits in each."""
    after = _text(read_cursor(LISTING, cursor)) if cursor else ""
    with transaction(services.engine) as session:
        ensure_tenant(session, principal.tenant)
        queues = store.list_queues(session, principal.tenant, after=after, limit=limit + 1)
    page = [_queue(queue) for queue in queues[:limit]]
    return written(bodies.QueuePage(queues=page, next_cursor=write_cursor(LISTING, page[-1].name) if len(queues) > limit else None))


@router.post(
    "",
    operation_id="createQueue",
    status_code=201,
    responses=answers(201, "Made", links=OF_QUEUE, headers={"Location": "The queue", **ETAG}) | problems("queue_exists"),
)
def create_queue(body: bodies.QueueSubmitted, principal: Organiser, services: Services, response: Response) -> bodies.Queue:
    """Make a review queue. Policy versions send images to it by its name."""
    settings = store.QueueSettings(**body.model_dump(exclude={"name"}))
    with transaction(services.engine) as session:
        ensure_tenant(session, principal.tenant)
        store.create_queue(session, principal.tenant, body.name, settings, actor=principal.actor)
        made = store.read_queue(session, principal.tenant, body.name)
    response.headers["Location"] = f"/v1/queues/{body.name}"
    response.headers["ETag"] = etag(made.version)
    return _queue(made)


@router.get(
    "/{queue:segment}",
    operation_id="readQueue",
    responses=answers(200, "The queue", links=OF_QUEUE, headers=ETAG) | problems("not_found"),
)
def read_queue(queue: QueueName, principal: Watcher, services: Services, response: Response) -> bodies.Queue:
    """See a review queue, and what waits in it."""
    with transaction(services.engine) as session:
        seen = found(store.read_queue, session, principal.tenant, queue)
    response.headers["ETag"] = etag(seen.version)
    return _queue(seen)


@router.patch(
    "/{queue:segment}",
    operation_id="changeQueue",
    responses=answers(200, "The queue", links=OF_QUEUE, headers=ETAG)
    | problems("not_found", "precondition_missing", "precondition_failed"),
)
def change_queue(
    queue: QueueName, body: bodies.QueueChange, seen: SeenVersion, principal: Organiser, services: Services, response: Response
) -> bodies.Queue:
    """Change a review queue's settings. Tasks that are there keep their slots and due times."""
    changes: dict[str, Any] = body.model_dump(exclude_none=True)
    with transaction(services.engine) as session:
        settings = replace(found(store.read_queue, session, principal.tenant, queue).settings, **changes)
        store.change_queue(session, principal.tenant, queue, settings, version=seen, actor=principal.actor)
        changed = store.read_queue(session, principal.tenant, queue)
    response.headers["ETag"] = etag(changed.version)
    return _queue(changed)


@router.post(
    "/{queue:segment}:claim",
    operation_id="claimTask",
    response_model=bodies.Claim,
    responses=answers(200, "A task, claimed", links=OF_CLAIM, headers=TASK_ETAG)
    | answers(204, "Nothing waits for this reviewer")
    | problems("not_found", "claims_too_many"),
)
def claim(queue: QueueName, principal: Reviewer, services: Services) -> Response:
    """Claim the queue's most pressing task that this reviewer may answer. Three may be held at a time, so that the next can be prepared."""
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        claimed = found(claim_task, session, claimant, queue)
        described = describe_claim(session, claimed, claimant) if claimed is not None else None
    if described is None:
        return Response(status_code=204)
    answer = written(described)
    answer.headers["ETag"] = etag(described.task.version)
    return answer


def _queue(queue: store.Queue) -> bodies.Queue:
    return bodies.Queue(
        name=queue.name,
        **asdict(queue.settings),
        version=queue.version,
        created_at=queue.created_at,
        waiting=bodies.Waiting(**asdict(queue.waiting)),
    )


def _text(position: Any) -> str:
    if not isinstance(position, str) or not NAME.fullmatch(position):
        raise ProblemError("cursor_invalid")
    return position
