"""One image's whole life in rows as they were written: what the model said, how that was routed, who was asked, what was decided.

Blind as review is: nobody sees an answer to an open task before giving one, and who is being asked about a golden image, whose answer is
known, sees nothing of what people said of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.policy import PolicyVersion
from worker.moderation.review import UNFINISHED_TASKS, TaskKind
from worker.store.decisions import item_decisions
from worker.store.items import ItemStanding, find_item, item_outcomes
from worker.store.models import (
    AppealRow,
    DecisionRow,
    ErasureRow,
    GoldenTaskRow,
    LegalHoldRow,
    OutcomeRow,
    RegionRow,
    ReleaseRow,
    ReviewClaimRow,
    ReviewTaskRow,
    RoutingRow,
    StatementRow,
)
from worker.store.policy_reading import read_version
from worker.store.review_answers import WrittenReview, visible_reviews
from worker.store.review_tasks import Claimant

MOST_TASKS = 100  # of one image, newest


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLife:
    """Outcomes newest first; decisions in the order in which they superseded one another; everything else oldest first."""

    item: ItemStanding
    outcomes: Sequence[OutcomeRow]
    regions: Mapping[int, Sequence[RegionRow]]  # by revision, in the model's order
    releases: Mapping[str, ReleaseRow]
    routings: Sequence[RoutingRow]
    policies: Mapping[str, PolicyVersion]  # those that routed it live, by name@version
    tasks: Sequence[ReviewTaskRow]
    answers: Mapping[int, Sequence[WrittenReview]]  # by task
    decisions: Sequence[DecisionRow]
    appeals: Sequence[AppealRow]
    statements: Sequence[StatementRow]
    holds: Sequence[LegalHoldRow]
    erasure: ErasureRow | None
    asked: bool  # the reader is being asked about it, as a golden image or as any other

    @property
    def decision(self) -> DecisionRow | None:
        """The one that stands."""
        return self.decisions[-1] if self.decisions else None


def read_life(session: Session, claimant: Claimant, batch_id: UUID, ordinal: int) -> ItemLife:
    """As the claimant may see it. Raises RejectedError `item_missing`."""
    item = find_item(session, claimant.tenant_id, batch_id, ordinal)
    place: dict[str, Any] = {"batch_id": batch_id, "ordinal": ordinal}
    outcomes = item_outcomes(session, batch_id, ordinal)
    routings = session.execute(select(RoutingRow).filter_by(**place).order_by(RoutingRow.created_at, RoutingRow.policy_version))
    routed = routings.scalars().all()
    tasks, concealed = _tasks(session, place, claimant)
    decisions = [] if concealed else item_decisions(session, batch_id, ordinal)
    named = [decision.id for decision in decisions]
    appeals = select(AppealRow).where(AppealRow.decision_id.in_(named)).order_by(AppealRow.created_at, AppealRow.id)
    statements = select(StatementRow).where(StatementRow.decision_id.in_(named)).order_by(StatementRow.created_at, StatementRow.id)
    holds = select(LegalHoldRow).filter_by(batch_id=batch_id).where(or_(LegalHoldRow.ordinal.is_(None), LegalHoldRow.ordinal == ordinal))
    released = select(ReleaseRow).where(ReleaseRow.id.in_({row.release_id for row in outcomes if row.release_id}))
    return ItemLife(
        item=item,
        outcomes=outcomes,
        regions=_regions(session, place),
        releases={row.id: row for row in session.execute(released).scalars()},
        routings=routed,
        policies=_policies(session, claimant.tenant_id, {row.policy_version for row in routed if row.mode == "live"}),
        tasks=tasks,
        answers={task.id: visible_reviews(session, task, claimant) for task in tasks},
        decisions=decisions,
        appeals=session.execute(appeals).scalars().all(),
        statements=session.execute(statements).scalars().all(),
        holds=session.execute(holds.order_by(LegalHoldRow.placed_at)).scalars().all(),
        erasure=session.get(ErasureRow, (batch_id, ordinal)),
        asked=concealed or _has_claimed(session, tasks, claimant),
    )


def _tasks(session: Session, place: Mapping[str, Any], claimant: Claimant) -> tuple[list[ReviewTaskRow], bool]:
    """Tasks as far as they may be told of, and whether what people said must be concealed."""
    query = select(ReviewTaskRow).filter_by(**place, tenant_id=claimant.tenant_id).order_by(ReviewTaskRow.id.desc()).limit(MOST_TASKS)
    every = list(reversed(session.execute(query).scalars().all()))
    waiting = [task.id for task in every if task.kind == TaskKind.GOLDEN and task.state in UNFINISHED_TASKS]
    asked = select(GoldenTaskRow.task_id).filter_by(reviewer=claimant.reviewer).where(GoldenTaskRow.task_id.in_(waiting))
    own = set(session.execute(asked).scalars())
    if own:
        return [task for task in every if task.id in own], True
    return every if claimant.lead else [task for task in every if task.kind != TaskKind.GOLDEN], False


def _has_claimed(session: Session, tasks: Sequence[ReviewTaskRow], claimant: Claimant) -> bool:
    """Whether the claimant was given one of the tasks that are unfinished."""
    unfinished = [task.id for task in tasks if task.state in UNFINISHED_TASKS]
    claims = select(ReviewClaimRow.token).where(ReviewClaimRow.task_id.in_(unfinished), ReviewClaimRow.reviewer == claimant.reviewer)
    return session.execute(claims.limit(1)).first() is not None


def _regions(session: Session, place: Mapping[str, Any]) -> dict[int, list[RegionRow]]:
    found: dict[int, list[RegionRow]] = {}
    query = select(RegionRow).filter_by(**place).order_by(RegionRow.revision, RegionRow.position)
    for row in session.execute(query).scalars():
        found.setdefault(row.revision, []).append(row)
    return found


def _policies(session: Session, tenant_id: str, names: set[str]) -> dict[str, PolicyVersion]:
    """Those that are still known: a name is all that a routing keeps."""
    found = {}
    for name in names:
        policy, _, version = name.rpartition("@")
        try:
            found[name] = read_version(session, tenant_id, policy, int(version)).version
        except (RejectedError, ValueError):
            continue
    return found
