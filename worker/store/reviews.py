"""Reviews: a reviewer's answer to a task, and what follows when the last slot is filled: a decision, or a lead is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.events import EventType
from worker.moderation.identifiers import item_id, new_uuid7
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import (
    ESCALATED_BECAUSE,
    ClaimState,
    DecisionBasis,
    JudgementKind,
    RegionJudgement,
    ReviewVerdict,
    TaskKind,
    TaskState,
    agreed_verdict,
)
from worker.store import audit, outbox
from worker.store.appeals import settle_appeal
from worker.store.decisions import NewDecision, decide
from worker.store.models import DecisionRow, OutcomeRow, RegionJudgementRow, RegionRow, ReviewRow, ReviewTaskRow
from worker.store.review_answers import Answer, WrittenReview, find_answer
from worker.store.review_claims import end_claim
from worker.store.review_tasks import Claimant, check_task, lock_any_task

MOST_JUDGEMENTS = 64  # boxes a review may speak of; the model is allowed far fewer


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What an answer brought about. `decision_id` is None while the task waits for others, or for a lead.

    `repeated`: the very answer had been given under this claim before, and was not written again.
    """

    review_id: UUID
    task_state: TaskState
    task_version: int
    decision_id: UUID | None
    repeated: bool = False


def submit_review(session: Session, claimant: Claimant, task_id: int, token: UUID, answer: Answer, *, version: int) -> Submitted:
    """Records the answer under the claim, and with the last one decides the task, or asks a lead when reviewers differ.

    Raises FencedError; RejectedError: task_missing, task_finished, task_changed, region_unknown, region_judgement_invalid,
    judgements_too_many, lead_unsure, review_exists.
    """
    task = lock_any_task(session, task_id, claimant)
    if (given := find_answer(session, task_id, claimant.reviewer, token)) is not None:
        return _again(session, task, given, answer)
    check_task(task, version=version)
    _check_judgements(session, task, answer.judgements)
    claim = end_claim(session, claimant, task_id, token, ClaimState.SUBMITTED, reason=None)
    review_id = new_uuid7()
    review = {"id": review_id, "task_id": task_id, "slot": claim.slot, "reviewer": claimant.reviewer, "seconds": claim.seconds}
    session.execute(insert(ReviewRow).values(**review, verdict=answer.verdict, action=answer.action, note=answer.note))
    if answer.judgements:
        session.execute(insert(RegionJudgementRow), [_columns(review_id, *pair) for pair in enumerate(answer.judgements, 1)])
    before = task.state
    decision = _conclude(session, task, claimant)
    task.version += int(task.state != before)
    session.flush()
    decision_id = None if decision is None else _decide(session, task, decision)
    _tell(session, task, claimant, review_id, answer)
    return Submitted(review_id=review_id, task_state=TaskState(task.state), task_version=task.version, decision_id=decision_id)


def _again(session: Session, task: ReviewTaskRow, given: WrittenReview, answer: Answer) -> Submitted:
    """What the first of two equal answers under one claim brought about, as it stands now."""
    if given.answer != answer:
        raise RejectedError("review_exists", "Another answer was given under this claim before. An answer cannot be changed.")
    newest = select(DecisionRow.id).filter_by(task_id=task.id).order_by(DecisionRow.created_at.desc(), DecisionRow.id.desc()).limit(1)
    return Submitted(
        review_id=given.id,
        task_state=TaskState(task.state),
        task_version=task.version,
        decision_id=session.execute(newest).scalar_one_or_none(),
        repeated=True,
    )


def _conclude(session: Session, task: ReviewTaskRow, claimant: Claimant) -> NewDecision | None:
    """The decision that the reviews make together; None while some are missing, a lead must settle it, or the task only measures."""
    reviews = session.execute(select(ReviewRow).filter_by(task_id=task.id).order_by(ReviewRow.created_at, ReviewRow.id)).scalars().all()
    last = reviews[-1]
    if task.kind == TaskKind.GOLDEN:
        task.state, task.closed_at = TaskState.DONE, func.now()
        return None
    if task.state == TaskState.ESCALATED:
        if last.verdict == ReviewVerdict.UNSURE:
            raise RejectedError(
                "lead_unsure", "An escalated task is settled with real or generated. Hold it, or skip it, to leave it open."
            )
        return _closed(task, Verdict(last.verdict), Action(last.action), claimant.reviewer, last.note, DecisionBasis.LEAD)
    if len(reviews) < task.slots:
        return None
    verdict = agreed_verdict([ReviewVerdict(review.verdict) for review in reviews])
    if verdict is None or len({review.action for review in reviews}) > 1:
        task.state, task.state_reason, task.escalated = TaskState.ESCALATED, ESCALATED_BECAUSE, True
        task.slots, task.assigned_to = task.slots + 1, None
        return None
    names = ", ".join(sorted(review.reviewer for review in reviews))
    return _closed(task, verdict, Action(last.action), names, last.note, DecisionBasis.REVIEW)


def _closed(task: ReviewTaskRow, verdict: Verdict, action: Action, by: str, note: str, basis: DecisionBasis) -> NewDecision:
    task.state, task.state_reason, task.closed_at = TaskState.DONE, None, func.now()
    return NewDecision(
        tenant_id=task.tenant_id,
        batch_id=task.batch_id,
        ordinal=task.ordinal,
        revision=task.revision,
        basis=DecisionBasis.APPEAL if task.kind == TaskKind.APPEAL else basis,
        verdict=verdict,
        action=action,
        decided_by=by,
        reason=note,
        task_id=task.id,
    )


def _decide(session: Session, task: ReviewTaskRow, decision: NewDecision) -> UUID:
    if task.appeal_id is None:
        return decide(session, decision)
    return settle_appeal(session, task.appeal_id, decision)


def _check_judgements(session: Session, task: ReviewTaskRow, judgements: Sequence[RegionJudgement]) -> None:
    if len(judgements) > MOST_JUDGEMENTS:
        raise RejectedError("judgements_too_many", f"A review may judge {MOST_JUDGEMENTS} boxes; this one judges {len(judgements)}.")
    place: dict[str, Any] = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    known = set(session.execute(select(RegionRow.position).filter_by(**place)).scalars())
    named = [judgement.position for judgement in judgements if judgement.position is not None]
    if unknown := sorted(set(named) - known):
        raise RejectedError("region_unknown", f"The outcome of task {task.id} has no region {unknown[0]}.")
    if len(set(named)) < len(named):
        raise RejectedError("region_judgement_invalid", "A box is judged once in a review.")
    width, height = session.execute(select(OutcomeRow.width, OutcomeRow.height).filter_by(**place)).one()
    for judgement in judgements:
        box = judgement.box
        if box is not None and not (0 <= box.x0 < box.x1 <= (width or 0) and 0 <= box.y0 < box.y1 <= (height or 0)):
            raise RejectedError("region_judgement_invalid", f"{judgement.kind}: the box {box.corners()} does not lie in the image.")


def _columns(review_id: UUID, number: int, judgement: RegionJudgement) -> dict[str, object]:
    corners = judgement.box.corners() if judgement.kind in (JudgementKind.ADD, JudgementKind.MOVE) and judgement.box else (None,) * 4
    box = dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True))
    return {"review_id": review_id, "number": number, "kind": judgement.kind, "position": judgement.position, **box}


def _tell(session: Session, task: ReviewTaskRow, claimant: Claimant, review_id: UUID, answer: Answer) -> None:
    place: dict[str, Any] = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    told = {"review_id": str(review_id), "task_id": task.id, "item_id": item_id(task.batch_id, task.ordinal), "task_state": task.state}
    if task.kind != TaskKind.GOLDEN:
        outbox.publish(session, task.tenant_id, EventType.REVIEW_COMPLETED, told)
    detail = {"review": str(review_id), "task": task.id, "verdict": answer.verdict, "judgements": len(answer.judgements)}
    audit.record(session, actor=claimant.reviewer, action="review.submitted", **place, detail=detail)
