"""One answer to several tasks of one image: each gets a review, a decision and an audit event of its own, in one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.duplicates import TogetherResult
from worker.moderation.errors import FencedError, RejectedError
from worker.moderation.review import ClaimState, TaskKind, TaskState
from worker.store.models import ReviewTaskRow
from worker.store.review_answers import Answer, find_answer
from worker.store.review_claims import CLAIM, EXPIRE
from worker.store.review_tasks import Claimant, find_task
from worker.store.reviews import Submitted, submit_review
from worker.store.task_standings import TaskStanding, task_standings

MOST_TOGETHER = 100  # tasks that one answer may decide

LOCK = text(
    """
    -- lock: in one order, so that two reviewers who answer overlapping sets wait for each other instead of deadlocking
    SELECT id FROM review_tasks WHERE id = ANY(:ids) AND tenant_id = :tenant_id ORDER BY id FOR UPDATE
    """
)
HOLDS = text(
    """
    -- holds: whether the reviewer's claim on the task stands, or was answered
    SELECT FROM review_claims
     WHERE token = :token AND task_id = :task_id AND reviewer = :reviewer
       AND (state = 'submitted' OR (state = 'active' AND expires_at > now()))
    """
)
OWN = text(
    """
    -- own: the reviewer's claims on tasks: those that stand, and those answered together with the same task before
    SELECT c.task_id, c.token, c.state FROM review_claims AS c
     WHERE c.task_id = ANY(:ids) AND c.reviewer = :reviewer
       AND (c.state = 'active' OR (c.state = 'submitted' AND EXISTS (
            SELECT FROM reviews AS r WHERE r.task_id = c.task_id AND r.reviewer = c.reviewer AND r.answered_with = :anchor)))
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What became of one of the tasks; `submitted` is None unless it was answered."""

    task_id: int
    result: TogetherResult
    submitted: Submitted | None = None


def answer_together(
    session: Session, claimant: Claimant, anchor_id: int, token: UUID, answer: Answer, seen: Mapping[int, int]
) -> list[Together]:
    """Gives the answer also to these tasks, by the version that was seen of each, as far as each allows it; again, it is given once.

    `token` is the claim on the anchor: the task in front of the reviewer, which is still to be answered, or was with the same verdict.
    Raises FencedError; RejectedError: task_missing, task_alone, review_exists, and as `submit_review`.
    """
    anchor = find_task(session, anchor_id, claimant)
    session.execute(EXPIRE)
    session.execute(LOCK, {"ids": [anchor_id, *seen], "tenant_id": claimant.tenant_id})
    _check_anchor(session, anchor, claimant, token, answer)
    standings = task_standings(session, anchor, claimant, seen)
    held = session.execute(OWN, {"ids": list(seen), "reviewer": claimant.reviewer, "anchor": anchor_id})
    own = {row.task_id: _Own(row.token, repeated=row.state == ClaimState.SUBMITTED) for row in held}
    answering = _Answering(session, claimant, anchor_id, answer)
    return [answering.give(task_id, standings.get(task_id), own.get(task_id)) for task_id in seen]


@dataclass(frozen=True, slots=True)
class _Own:
    """A claim of the reviewer's; `repeated` when it was answered together with the anchor before."""

    token: UUID
    repeated: bool


@dataclass(frozen=True, slots=True)
class _Answering:
    session: Session
    claimant: Claimant
    anchor_id: int
    answer: Answer

    def give(self, task_id: int, standing: TaskStanding | None, own: _Own | None) -> Together:
        """Under the claim that the reviewer has, or one that is made for it."""
        if standing is None:
            return Together(task_id=task_id, result=TogetherResult.NOT_A_DUPLICATE)
        if standing.obstacle is not None and not (own and own.repeated):
            return Together(task_id=task_id, result=standing.obstacle)
        token = own.token if own else self._claim(task_id)
        if token is None:
            return Together(task_id=task_id, result=TogetherResult.CLAIMED_BY_OTHER)
        under = {"version": standing.version, "answered_with": self.anchor_id}
        done = submit_review(self.session, self.claimant, task_id, token, self.answer, **under)
        result = TogetherResult.DECIDED if done.task_state is TaskState.DONE else TogetherResult.NEEDS_SECOND_REVIEWER
        return Together(task_id=task_id, result=result, submitted=done)

    def _claim(self, task_id: int) -> UUID | None:
        """The token of a free slot; None when a claim that has just run out still lies on it."""
        row = self.session.execute(CLAIM, {"task_id": task_id, "reviewer": self.claimant.reviewer}).one_or_none()
        return None if row is None else row.token


def _check_anchor(session: Session, anchor: ReviewTaskRow, claimant: Claimant, token: UUID, answer: Answer) -> None:
    if session.execute(HOLDS, {"token": token, "task_id": anchor.id, "reviewer": claimant.reviewer}).one_or_none() is None:
        raise FencedError("claim_lost", "The claim has expired or is somebody else's: claim the task again.")
    if anchor.kind != TaskKind.ROUTING:
        raise RejectedError("task_alone", f"Task {anchor.id} was opened by an appeal: it is answered by itself.")
    given = find_answer(session, anchor.id, claimant.reviewer, token)
    if given is not None and (given.answer.verdict, given.answer.action) != (answer.verdict, answer.action):
        raise RejectedError("review_exists", f"You answered task {anchor.id} otherwise; its duplicates follow that answer.")
