"""Duplicates of a task's image: find them, and answer their tasks together with yours."""

from fastapi import APIRouter, Response

from api.answering import written
from api.describing import problems
from api.paths import TaskId
from api.reviewing import Reviewer, Watcher, claimant_of, describe_decision
from api.schemas import duplicates as bodies
from api.services import Services
from worker.moderation.duplicates import MEANING
from worker.moderation.identifiers import item_id, region_id
from worker.moderation.policy import Action
from worker.moderation.review import ReviewVerdict
from worker.store.duplicates import Duplicate, Duplicates, find_duplicates
from worker.store.review_answers import Answer
from worker.store.reviews_together import Together, answer_together
from worker.store.session import transaction
from worker.store.task_standings import TaskStanding

router = APIRouter(prefix="/v1/tasks", tags=["review"])

UNDER_CLAIM = ("not_found", "claim_lost", "task_alone", "review_exists", "decision_conflict")
OF_ANSWER = ("clause_unknown", "clause_required", "reason_required")


@router.get(
    "/{task_id:segment}/duplicates",
    operation_id="listDuplicates",
    response_model=bodies.DuplicateList,
    responses=problems("not_found"),
)
def list_duplicates(task_id: TaskId, principal: Watcher, services: Services) -> Response:
    """List other items with the task's image, and where each stands: the same bytes, and by a perceptual hash what looks alike."""
    with transaction(services.engine) as session:
        found = find_duplicates(session, task_id, claimant_of(principal))
    return written(describe_duplicates(found))


@router.post(
    "/{task_id:segment}:decide-duplicates",
    operation_id="decideDuplicates",
    response_model=bodies.DecidedTogetherList,
    responses=problems(*UNDER_CLAIM, *OF_ANSWER),
)
def decide_duplicates(task_id: TaskId, body: bodies.DuplicatesDecided, principal: Reviewer, services: Services) -> Response:
    """Give your answer to a task also to tasks of its duplicates, each as a review of its own. Those that merely look alike need a lead.

    All in one transaction; sent twice, it is given once. Every task is named with what became of it.
    """
    answer = Answer(verdict=ReviewVerdict(body.verdict), action=Action(body.action), note=body.note, clause=body.clause)
    seen = {task.task_id: task.version for task in body.tasks}
    with transaction(services.engine) as session:
        done = answer_together(session, claimant_of(principal), task_id, body.lease_token, answer, seen, undo_seconds=body.undo_seconds)
    return written(bodies.DecidedTogetherList(results=[_together(one) for one in done]))


def describe_duplicates(found: Duplicates) -> bodies.DuplicateList:
    """Duplicates as the API and the judging page show them."""
    exact, near = ([_duplicate(one) for one in some] for some in (found.exact, found.near))
    return bodies.DuplicateList(exact=exact, near=near, more=found.more)


def _duplicate(one: Duplicate) -> bodies.Duplicate:
    place = item_id(one.batch_id, one.ordinal)
    return bodies.Duplicate(
        item_id=place,
        revision=one.revision,
        custom_id=one.custom_id,
        source=one.source,
        distance=one.distance,
        verdict=one.verdict,
        p_generated=one.p_generated,
        image=f"/v1/items/{place}/image?revision={one.revision}" if one.shown else None,
        crops=[f"/v1/regions/{region_id(crop)}/crop" for crop in one.crops],
        task=_task(one.task) if one.task is not None else None,
        decision=describe_decision(one.decision) if one.decision is not None else None,
    )


def _task(task: TaskStanding) -> bodies.DuplicateTask:
    return bodies.DuplicateTask(
        id=task.id,
        version=task.version,
        state=task.state,
        obstacle=task.obstacle,
        obstacle_meaning=MEANING[task.obstacle] if task.obstacle is not None else None,
    )


def _together(one: Together) -> bodies.DecidedTogether:
    return bodies.DecidedTogether(
        task_id=one.task_id,
        result=one.result,
        meaning=MEANING[one.result],
        task_state=one.submitted.task_state if one.submitted else None,
        review_id=one.submitted.review_id if one.submitted else None,
        decision_id=one.submitted.decision_id if one.submitted else None,
        final_at=one.submitted.final_at if one.submitted else None,
    )
