"""A review task with all that is needed to judge it: what the model said, why a person is asked, what was decided before."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.moderation.policy import PolicyVersion
from worker.moderation.release import Training
from worker.moderation.review import TaskKind
from worker.store.items import ItemStanding, find_item, item_regions
from worker.store.models import AppealRow, DecisionRow, OutcomeRow, RegionRow, ReleaseRow, ReviewQueueRow, ReviewTaskRow
from worker.store.review_listing import Progress, task_progress
from worker.store.review_tasks import Claimant, find_task
from worker.store.task_policies import asked_under

MOST_DECISIONS = 50  # an item's newest


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Rows as they were written; never another reviewer's answer.

    `outcome` is None when it is no longer kept; `policy` is the version under which the task asks, if there is one. A golden task's case
    has no decisions: they would tell the answer.
    """

    task: ReviewTaskRow
    progress: Progress
    guidance: str
    item: ItemStanding
    outcome: OutcomeRow | None
    training: Training | None
    regions: Sequence[RegionRow]
    policy: PolicyVersion | None
    decisions: Sequence[DecisionRow]
    appeal: AppealRow | None


def read_case(session: Session, task_id: int, claimant: Claimant) -> Case:
    """Raises RejectedError: task_missing, item_missing."""
    task = find_task(session, task_id, claimant)
    place: dict[str, Any] = {"batch_id": task.batch_id, "ordinal": task.ordinal, "revision": task.revision}
    outcome = session.execute(select(OutcomeRow).filter_by(**place)).scalar_one_or_none()
    queue = session.get_one(ReviewQueueRow, (task.tenant_id, task.queue))
    release = session.get(ReleaseRow, outcome.release_id) if outcome is not None and outcome.release_id is not None else None
    shown = 0 if task.kind == TaskKind.GOLDEN else MOST_DECISIONS
    decided = select(DecisionRow).filter_by(batch_id=task.batch_id, ordinal=task.ordinal).limit(shown)
    return Case(
        task=task,
        progress=task_progress(session, [task.id], claimant.reviewer, lead=claimant.lead)[task.id],
        guidance=queue.guidance,
        item=find_item(session, task.tenant_id, task.batch_id, task.ordinal),
        outcome=outcome,
        training=Training(release.training) if release is not None else None,
        regions=item_regions(session, task.batch_id, task.ordinal, task.revision),
        policy=asked_under(session, task),
        decisions=session.execute(decided.order_by(DecisionRow.created_at.desc(), DecisionRow.id.desc())).scalars().all(),
        appeal=session.get(AppealRow, task.appeal_id) if task.appeal_id is not None else None,
    )
