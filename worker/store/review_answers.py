"""Answers as reviewers gave them, and who may see them: nobody sees another's before having given one's own."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box
from worker.moderation.policy import Action
from worker.moderation.review import UNFINISHED_TASKS, ClaimState, JudgementKind, RegionJudgement, ReviewVerdict, TaskKind
from worker.store.models import RegionJudgementRow, ReviewClaimRow, ReviewRow, ReviewTaskRow
from worker.store.review_tasks import Claimant

_UNFINISHED = ", ".join(repr(state.value) for state in UNFINISHED_TASKS)
# The rule of `visible_reviews` in SQL: whether :viewer, a lead or not, may see reviews AS r of review_tasks AS t. Answers to golden tasks
# are nobody's to find: who knows of them knows which images are golden.
VISIBLE = f"""
    r.taken_back_at IS NULL AND t.kind <> '{TaskKind.GOLDEN}'
    AND (:lead OR t.state NOT IN ({_UNFINISHED}) OR r.reviewer = :viewer
               OR EXISTS (SELECT FROM reviews AS mine WHERE mine.task_id = t.id AND mine.reviewer = :viewer
                                                        AND mine.taken_back_at IS NULL AND mine.pending_until IS NULL))
"""
# Items of which nothing that people said may be shown to :viewer, whom a golden task is still to measure by them.
CONCEALED = f"""
    SELECT t.batch_id, t.ordinal FROM golden_tasks AS g JOIN review_tasks AS t ON t.id = g.task_id
     WHERE NOT :lead AND g.reviewer = :viewer AND t.state IN ({_UNFINISHED})
"""  # noqa: S608  states of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reviewer says. `action` is what the platform is to do when the answer becomes the decision.

    `exposure_seconds`: how long the picture was visible unblurred, as the page measured it.
    """

    verdict: ReviewVerdict
    action: Action = Action.NONE
    note: str = ""
    clause: str | None = None
    judgements: tuple[RegionJudgement, ...] = ()
    exposure_seconds: float | None = field(default=None, compare=False)  # a page that sends again may measure again


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenReview:
    """An answer, with who gave it, when, and how many seconds after the claim. Before `pending_until` it can be taken back."""

    id: UUID
    task_id: int
    reviewer: str
    answer: Answer
    seconds: float
    created_at: datetime
    pending_until: datetime | None


def find_answer(session: Session, task_id: int, reviewer: str, token: UUID) -> WrittenReview | None:
    """What the reviewer answered under the claim; None when it is not answered, or not theirs."""
    claim = session.get(ReviewClaimRow, token, populate_existing=True)
    if claim is None or (claim.task_id, claim.reviewer, claim.state) != (task_id, reviewer, ClaimState.SUBMITTED):
        return None
    rows = session.execute(select(ReviewRow).filter_by(task_id=task_id, reviewer=reviewer, taken_back_at=None)).scalars().all()
    return next(iter(_written(session, rows)), None)


def visible_reviews(session: Session, task: ReviewTaskRow, claimant: Claimant) -> list[WrittenReview]:
    """The task's answers, oldest first, as far as the claimant may see them.

    All of them for a lead, once the task is finished, and for whoever has answered; before that, and while the claimant could still
    take the answer back, the claimant's own alone.
    """
    query = select(ReviewRow).filter_by(task_id=task.id, taken_back_at=None).order_by(ReviewRow.created_at, ReviewRow.id)
    rows = session.execute(query).scalars().all()
    own = [row for row in rows if row.reviewer == claimant.reviewer]
    sees = claimant.lead or task.state not in UNFINISHED_TASKS or any(row.pending_until is None for row in own)
    return _written(session, rows if sees else own)


def finished_reviews(session: Session, place: tuple[UUID, int, int]) -> list[WrittenReview]:
    """What was answered about an outcome (batch, ordinal, revision) in tasks that nobody works on any more, oldest first."""
    batch_id, ordinal, revision = place
    query = select(ReviewRow).filter_by(taken_back_at=None).join(ReviewTaskRow, ReviewTaskRow.id == ReviewRow.task_id)
    about = query.filter_by(batch_id=batch_id, ordinal=ordinal, revision=revision)
    finished = about.where(ReviewTaskRow.state.not_in(UNFINISHED_TASKS), ReviewTaskRow.kind != TaskKind.GOLDEN)
    return _written(session, session.execute(finished.order_by(ReviewRow.created_at, ReviewRow.id)).scalars().all())


def _written(session: Session, rows: Sequence[ReviewRow]) -> list[WrittenReview]:
    query = select(RegionJudgementRow).where(RegionJudgementRow.review_id.in_([row.id for row in rows])).order_by(RegionJudgementRow.number)
    judgements = session.execute(query).scalars().all() if rows else []
    return [
        WrittenReview(
            id=row.id,
            task_id=row.task_id,
            reviewer=row.reviewer,
            answer=Answer(
                verdict=ReviewVerdict(row.verdict),
                action=Action(row.action),
                note=row.note,
                clause=row.clause,
                exposure_seconds=row.exposure_seconds,
                judgements=tuple(_judgement(judgement) for judgement in judgements if judgement.review_id == row.id),
            ),
            seconds=row.seconds,
            created_at=row.created_at,
            pending_until=row.pending_until,
        )
        for row in rows
    ]


def _judgement(row: RegionJudgementRow) -> RegionJudgement:
    sides = [side for side in (row.x0, row.y0, row.x1, row.y1) if side is not None]
    return RegionJudgement(kind=JudgementKind(row.kind), position=row.position, box=Box(*sides) if sides else None)
