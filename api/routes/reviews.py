"""Answers to review tasks: give one, and read those that may be seen."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api.answering import written
from api.describing import answers, link, problems
from api.paths import TaskId
from api.preconditions import SeenVersion, etag
from api.reviewing import OF_CLAIM, TASK_ETAG, Reviewer, Watcher, claimant_of, describe_claim
from api.schemas import review as bodies
from api.services import Services
from worker.moderation.boxes import Box
from worker.moderation.policy import Action
from worker.moderation.review import JudgementKind, RegionJudgement, ReviewVerdict
from worker.store.review_answers import Answer, WrittenReview, visible_reviews
from worker.store.review_tasks import find_task
from worker.store.reviews import submit_review, undo_review
from worker.store.session import transaction

router = APIRouter(prefix="/v1", tags=["review"])

UNDER_CLAIM = ("not_found", "claim_lost", "precondition_missing", "precondition_failed", "task_finished", "review_exists")
OF_ANSWER = (
    "region_unknown",
    "region_judgement_invalid",
    "lead_unsure",
    "scope_missing",
    "item_erased",
    "clause_unknown",
    "clause_required",
    "reason_required",
)
FOLLOW = {
    **{operation: link(operation, task_id="$response.body#/task_id") for operation in ("readTask", "listReviews")},
    "undoReview": link("undoReview", review_id="$response.body#/review_id"),
}
ReviewId = Annotated[UUID, Path(description="An answer's id.")]
HEADERS = {**TASK_ETAG, "Idempotency-Replayed": "`true`, when this answer had been given under the claim before"}


@router.post(
    "/tasks/{task_id:segment}/reviews",
    operation_id="submitReview",
    status_code=201,
    responses=answers(201, "Recorded", links=FOLLOW, headers=HEADERS) | problems(*UNDER_CLAIM, *OF_ANSWER, "decision_conflict"),
)
def submit(
    task_id: TaskId, body: bodies.ReviewSubmitted, seen: SeenVersion, principal: Reviewer, services: Services, response: Response
) -> bodies.Submitted:
    """Answer a task under your claim. Sent twice, the same answer is recorded once; with the last one the task is decided.

    With `undo_seconds` the answer is recorded at once, and takes effect when they are over.
    """
    said, claimant = _answer(body), claimant_of(principal)
    with transaction(services.engine) as session:
        done = submit_review(session, claimant, task_id, body.lease_token, said, version=seen, undo_seconds=body.undo_seconds)
    response.headers["ETag"] = etag(done.task_version)
    if done.repeated:
        response.headers["Idempotency-Replayed"] = "true"
    return bodies.Submitted(
        review_id=done.review_id, task_id=task_id, task_state=done.task_state, decision_id=done.decision_id, final_at=done.final_at
    )


@router.post(
    "/reviews/{review_id:segment}:undo",
    operation_id="undoReview",
    responses=answers(200, "The task, claimed again", links=OF_CLAIM, headers=TASK_ETAG) | problems("not_found", "undo_too_late"),
)
def undo(review_id: ReviewId, principal: Reviewer, services: Services, response: Response) -> bodies.Claim:
    """Take your answer back, before its `final_at`: you hold the task again. Sent twice, it is done once."""
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        claim = describe_claim(session, undo_review(session, claimant, review_id), claimant)
    response.headers["ETag"] = etag(claim.task.version)
    return claim


@router.get(
    "/tasks/{task_id:segment}/reviews", operation_id="listReviews", response_model=bodies.ReviewList, responses=problems("not_found")
)
def list_reviews(task_id: TaskId, principal: Watcher, services: Services) -> Response:
    """List a task's answers: all for leads, for whoever has answered for good, and once the task is finished; else your own."""
    claimant = claimant_of(principal)
    with transaction(services.engine) as session:
        found = visible_reviews(session, find_task(session, task_id, claimant), claimant)
    return written(bodies.ReviewList(reviews=[_review(review) for review in found]))


def _answer(body: bodies.ReviewSubmitted) -> Answer:
    return Answer(
        verdict=ReviewVerdict(body.verdict),
        action=Action(body.action),
        note=body.note,
        clause=body.clause,
        exposure_seconds=body.exposure_seconds,
        judgements=tuple(_judgement(judgement) for judgement in body.judgements),
    )


def _judgement(body: bodies.Judgement) -> RegionJudgement:
    match body:
        case bodies.Add():
            return RegionJudgement(kind=JudgementKind.ADD, box=Box(*body.box))
        case bodies.Move():
            return RegionJudgement(kind=JudgementKind.MOVE, position=body.position, box=Box(*body.box))
        case _:
            return RegionJudgement(kind=JudgementKind(body.kind), position=body.position)


def _review(review: WrittenReview) -> bodies.Review:
    said = review.answer
    return bodies.Review(
        id=review.id,
        reviewer=review.reviewer,
        verdict=said.verdict,
        action=said.action,
        note=said.note,
        judgements=[
            bodies.JudgementBody(kind=one.kind, position=one.position, box=list(one.box.corners()) if one.box else None)
            for one in said.judgements
        ],
        clause=said.clause,
        seconds=review.seconds,
        exposure_seconds=said.exposure_seconds,
        created_at=review.created_at,
        final_at=review.pending_until,
    )
