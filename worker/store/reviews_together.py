"""One answer to several tasks of one image: each gets a review, a decision and an audit event of its own, in one transaction."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.duplicates import TogetherResult
from worker.moderation.errors import FencedError, RejectedError
from worker.moderation.grounds import check_grounds
from worker.moderation.policy import Action
from worker.moderation.review import ClaimState, ReviewVerdict, TaskKind
from worker.store.models import ReviewTaskRow
from worker.store.review_answers import Answer, find_answer
from worker.store.review_claims import EXPIRE, take_slot
from worker.store.review_conclusion import people_needed
from worker.store.review_tasks import Claimant, lock_any_task
from worker.store.reviews import Submitted, submit_review
from worker.store.task_policies import asked_under
from worker.store.task_standings import TaskStanding, task_standings

MOST_TOGETHER = 100  # tasks that one answer may decide

LOCK = text(
    """
    -- lock: those that nobody is busy with at this moment; whoever waited could meet another who waits for them
    SELECT id FROM review_tasks WHERE id = ANY(:ids) AND tenant_id = :tenant_id FOR UPDATE SKIP LOCKED
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
            SELECT FROM reviews AS r WHERE r.task_id = c.task_id AND r.reviewer = c.reviewer AND r.answered_with = :anchor
                                           AND r.taken_back_at IS NULL)))
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Together:
    """What became of one of the tasks; `submitted` is None unless it was answered."""

    task_id: int
    result: TogetherResult
    submitted: Submitted | None = None


def answer_together(
    session: Session,
    claimant: Claimant,
    anchor_id: int,
    token: UUID,
    answer: Answer,
    seen: Mapping[int, int],
    *,
    undo_seconds: int = 0,
) -> list[Together]:
    """Gives the answer also to these tasks, by the version that was seen of each, as far as each allows it; again, it is given once.

    `token` is the claim on the anchor: the task in front of the reviewer, which is still to be answered, or was with the same verdict.
    Whoever takes that answer back takes back these, too, as far as they have no effect yet: see `undo_review`.
    Raises FencedError; RejectedError: task_missing, task_alone, review_exists, what `check_grounds` does, and as `submit_review`.
    """
    anchor = lock_any_task(session, anchor_id, claimant)  # a retry waits here for the first
    free = set(session.execute(LOCK, {"ids": list(seen), "tenant_id": claimant.tenant_id}).scalars())
    session.execute(EXPIRE)  # claims after tasks, as everywhere
    _check_anchor(session, anchor, claimant, token, answer)
    standings = task_standings(session, anchor, claimant, seen)
    held = session.execute(OWN, {"ids": list(seen), "reviewer": claimant.reviewer, "anchor": anchor_id})
    own = {row.task_id: _Own(row.token, repeated=row.state == ClaimState.SUBMITTED) for row in held}
    answering = _Answering(session, claimant, anchor_id, answer, free, undo_seconds)
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
    free: Collection[int]
    undo_seconds: int

    def give(self, task_id: int, standing: TaskStanding | None, own: _Own | None) -> Together:
        """Under the claim that the reviewer has, or one that is made for it."""
        if standing is None:
            return Together(task_id=task_id, result=TogetherResult.NOT_A_DUPLICATE)
        if task_id not in self.free:
            return Together(task_id=task_id, result=TogetherResult.CLAIMED_BY_OTHER)
        if standing.obstacle is not None and not (own and own.repeated):
            return Together(task_id=task_id, result=standing.obstacle)
        task = self.session.get_one(ReviewTaskRow, task_id)
        if not self._grounded(task):
            return Together(task_id=task_id, result=TogetherResult.OTHER_POLICY)
        if people_needed(self.session, task, self.answer.action) > 1:
            return Together(task_id=task_id, result=TogetherResult.NEEDS_SECOND_REVIEWER)
        claim = own or take_slot(self.session, self.claimant, task_id)
        if claim is None:  # one that has just run out still lies on its slot
            return Together(task_id=task_id, result=TogetherResult.CLAIMED_BY_OTHER)
        done = submit_review(
            self.session,
            self.claimant,
            task_id,
            claim.token,
            self.answer,
            version=standing.version,
            undo_seconds=self.undo_seconds,
            answered_with=self.anchor_id,
        )
        return Together(task_id=task_id, result=TogetherResult.DECIDED, submitted=done)

    def _grounded(self, task: ReviewTaskRow) -> bool:
        """Whether the version that asks about it is content with the answer, as the anchor's is."""
        try:
            check_grounds(asked_under(self.session, task), clause=self.answer.clause, reason=self.answer.note)
        except RejectedError:
            return False
        return True


def _check_anchor(session: Session, anchor: ReviewTaskRow, claimant: Claimant, token: UUID, answer: Answer) -> None:
    if session.execute(HOLDS, {"token": token, "task_id": anchor.id, "reviewer": claimant.reviewer}).one_or_none() is None:
        raise FencedError("claim_lost", "The claim has expired or is somebody else's: claim the task again.")
    if anchor.kind == TaskKind.APPEAL:
        raise RejectedError("task_alone", f"Task {anchor.id} was opened by an appeal: it is answered by itself.")
    check_grounds(asked_under(session, anchor), clause=answer.clause, reason=answer.note)
    given = find_answer(session, anchor.id, claimant.reviewer, token)
    if given is not None and _weight(given.answer) != _weight(answer):
        raise RejectedError("review_exists", f"You answered task {anchor.id} otherwise; its duplicates follow that answer.")


def _weight(answer: Answer) -> tuple[ReviewVerdict, Action, str | None]:
    return answer.verdict, answer.action, answer.clause
