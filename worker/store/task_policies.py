"""Under which policy version a task asks: whose reasons, clauses and rules its reviewer is shown and held to."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.moderation.policy import PolicyVersion
from worker.moderation.review import TaskKind
from worker.store.models import GoldenTaskRow, ReviewTaskRow
from worker.store.policy_reading import read_version, routed_by


def asked_under(session: Session, task: ReviewTaskRow) -> PolicyVersion | None:
    """The version that routed its outcome, if one did; of a golden task, that of the task which it stands in for."""
    if task.kind != TaskKind.GOLDEN:
        return routed_by(session, task.tenant_id, batch_id=task.batch_id, ordinal=task.ordinal, revision=task.revision)
    name: str = session.execute(select(GoldenTaskRow.policy_version).filter_by(task_id=task.id)).scalar_one()
    policy, _, number = name.partition("@")
    return read_version(session, task.tenant_id, policy, int(number)).version
