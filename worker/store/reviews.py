"""Reviews: a reviewer's answer to a task, given under a claim, and taken back while it has no effect yet."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import new_uuid7
from worker.moderation.review import ClaimState, JudgementKind, RegionJudgement, TaskState
from worker.store.models import DecisionRow, RegionJudgementRow, ReviewRow, ReviewTaskRow
from worker.store.review_answers import Answer, WrittenReview, find_answer
from worker.store.review_checks import check_answer
from worker.store.review_claims import Claim, Ended, end_claim, held_claims, return_slot, take_slot
from worker.store.review_conclusion import conclude
from worker.store.review_tasks import Claimant, check_task, lock_any_task, note


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What an answer brought about. `decision_id` is None while the task waits for others, for a lead, or for `final_at`.

    `final_at`: until then the answer can be taken back; None when it has taken effect.
    `repeated`: the very answer had been given under this claim before, and was not written again.
    """

    review_id: UUID
    task_state: TaskState
    task_version: int
    decision_id: UUID | None
    final_at: datetime | None = None
    repeated: bool = False


def submit_review(
    session: Session,
    claimant: Claimant,
    task_id: int,
    token: UUID,
    answer: Answer,
    *,
    version: int,
    undo_seconds: int = 0,
    answered_with: int | None = None,
) -> Submitted:
    """Records the answer under the claim. It takes effect at once, or after `undo_seconds`, in which it can be taken back.

    `answered_with`: the task whose answer it repeats, see `worker.store.reviews_together`.

    Raises FencedError; RejectedError: task_missing, task_finished, task_changed, review_exists, and those of `check_answer`.
    """
    task = lock_any_task(session, task_id, claimant)
    if (given := find_answer(session, task_id, claimant.reviewer, token)) is not None:
        return _again(session, task, given, answer)
    check_task(task, version=version)
    check_answer(session, task, claimant, answer)
    claim = end_claim(session, claimant, task_id, token, ClaimState.SUBMITTED, reason=None)
    review_id, final_at = _write(session, task, claimant, claim, answer, undo_seconds, answered_with)
    decision_id = conclude(session, task, [review_id]) if final_at is None else None
    detail = {"review": str(review_id), "verdict": answer.verdict, "judgements": len(answer.judgements), "undo_seconds": undo_seconds}
    detail |= {"bulk": True, "answered_with": answered_with} if answered_with is not None else {}
    note(session, task, claimant, "review.submitted", detail)
    return Submitted(
        review_id=review_id,
        task_state=TaskState(task.state),
        task_version=task.version,
        decision_id=decision_id,
        final_at=final_at,
    )


def undo_review(session: Session, claimant: Claimant, review_id: UUID) -> Claim:
    """Takes the claimant's own answer back while it has no effect yet: a claim on the task, to answer it anew.

    What was answered together with it, see `worker.store.reviews_together`, is taken back with it. Twice is the same as once.
    Raises RejectedError: review_missing; undo_too_late, also when the task was held or reassigned meanwhile.
    """
    mine = (
        select(ReviewRow.task_id)
        .join(ReviewTaskRow, ReviewTaskRow.id == ReviewRow.task_id)
        .filter(ReviewRow.id == review_id, ReviewRow.reviewer == claimant.reviewer)
    )
    task_id = session.execute(mine.where(ReviewTaskRow.tenant_id == claimant.tenant_id)).scalar_one_or_none()
    if task_id is None:
        raise RejectedError("review_missing", f"There is no review {review_id} of yours.")
    task = lock_any_task(session, task_id, claimant)
    review = session.get_one(ReviewRow, review_id, populate_existing=True)
    held = [claim for claim in held_claims(session, claimant) if claim.task_id == task_id]
    if review.taken_back_at is not None and held:
        return held[0]
    if not session.execute(select(ReviewRow.pending_until > func.now()).filter_by(id=review_id)).scalar_one():
        raise RejectedError("undo_too_late", "The answer has taken effect. A lead can decide again, and an appeal can be opened.")
    if task.state == TaskState.HELD or task.assigned_to not in {None, claimant.reviewer}:
        raise RejectedError("undo_too_late", f"Task {task_id} was held, or given to somebody else, meanwhile: the answer stands.")
    review.pending_until, review.taken_back_at = None, func.now()
    session.flush()
    return_slot(session, task_id, claimant)
    claim = take_slot(session, claimant, task_id)
    if claim is None:
        raise RuntimeError(f"the slot of review {review_id} was given back and is not free")
    note(session, task, claimant, "review.taken_back", {"review": str(review_id), "slot": claim.slot})
    _take_back_repeats(session, claimant, task_id)
    return claim


def _take_back_repeats(session: Session, claimant: Claimant, task_id: int) -> None:
    """What was answered together with the task, too, as far as it has no effect yet. Those tasks are open again, and nobody's."""
    repeats = select(ReviewTaskRow).join(ReviewRow, ReviewRow.task_id == ReviewTaskRow.id).with_for_update(of=ReviewTaskRow)
    repeats = repeats.filter(
        ReviewRow.answered_with == task_id, ReviewRow.reviewer == claimant.reviewer, ReviewRow.pending_until > func.now()
    )
    open_ones = repeats.where(ReviewTaskRow.state == TaskState.OPEN).order_by(ReviewTaskRow.id)
    for task in session.execute(open_ones.execution_options(populate_existing=True)).scalars().all():
        pending = update(ReviewRow).filter_by(task_id=task.id, answered_with=task_id).where(ReviewRow.pending_until > func.now())
        taken_back = pending.values(pending_until=None, taken_back_at=func.now()).returning(ReviewRow.id)
        review_id = session.execute(taken_back).scalar_one_or_none()
        if review_id is None:
            continue
        return_slot(session, task.id, claimant)
        note(session, task, claimant, "review.taken_back", {"review": str(review_id), "bulk": True, "answered_with": task_id})


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
        final_at=given.pending_until,
        repeated=True,
    )


def _write(
    session: Session,
    task: ReviewTaskRow,
    claimant: Claimant,
    claim: Ended,
    answer: Answer,
    undo_seconds: int,
    answered_with: int | None,
) -> tuple[UUID, datetime | None]:
    """The answer's rows: its id, and until when it waits."""
    review = {
        "id": new_uuid7(),
        "task_id": task.id,
        "slot": claim.slot,
        "reviewer": claimant.reviewer,
        "verdict": answer.verdict,
        "action": answer.action,
        "note": answer.note,
        "clause": answer.clause,
        "seconds": claim.seconds,
        "exposure_seconds": answer.exposure_seconds,
        "pending_until": func.now() + func.make_interval(0, 0, 0, 0, 0, 0, undo_seconds) if undo_seconds else None,
        "answered_with": answered_with,
    }
    row = session.execute(insert(ReviewRow).values(**review).returning(ReviewRow.id, ReviewRow.pending_until)).one()
    if answer.judgements:
        session.execute(insert(RegionJudgementRow), [_columns(row.id, *pair) for pair in enumerate(answer.judgements, 1)])
    return row.id, row.pending_until


def _columns(review_id: UUID, number: int, judgement: RegionJudgement) -> dict[str, object]:
    corners = judgement.box.corners() if judgement.kind in (JudgementKind.ADD, JudgementKind.MOVE) and judgement.box else (None,) * 4
    box = dict(zip(("x0", "y0", "x1", "y1"), corners, strict=True))
    return {"review_id": review_id, "number": number, "kind": judgement.kind, "position": judgement.position, **box}
