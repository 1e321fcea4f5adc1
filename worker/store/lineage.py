"""What a decision rests on: the decided outcome's revision, its regions with the sha256 of their crops, and how it was routed.

Outcomes and regions are insert-only, so what is read here years later is what was decided on.
"""

from collections import defaultdict
from collections.abc import Collection
from datetime import UTC
from uuid import UUID

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action, Route
from worker.moderation.review import DecisionBasis
from worker.moderation.statement_drafts import DecidedRegion, Lineage
from worker.store.models import DecisionRow, OutcomeRow, RegionRow, RoutingRow

REJECTED = text(
    """
    -- rejected: regions that a reviewer of the decision's task said show nothing
    SELECT DISTINCT j.position FROM region_judgements AS j JOIN reviews AS r ON r.id = j.review_id
     WHERE r.task_id = :task_id AND r.taken_back_at IS NULL AND j.kind = 'reject'
    """
)
KEEP = text(
    """
    -- keep: what a contested or overridden outcome rests on is part of a case from now on
    UPDATE evidence SET retention_class = 'case'
     WHERE retention_class = 'routine'
       AND sha256 IN (SELECT crop_sha256 FROM regions WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = :revision
                      UNION SELECT sent_sha256 FROM outcomes WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = :revision)
    """
)


def decided_regions(session: Session, decisions: Collection[DecisionRow]) -> dict[UUID, list[RegionRow]]:
    """The regions of decided outcomes by decision, in the model's order."""
    places = {(decision.batch_id, decision.ordinal, decision.revision) for decision in decisions}
    wanted = tuple_(RegionRow.batch_id, RegionRow.ordinal, RegionRow.revision).in_(places)
    found = defaultdict(list)
    for row in session.execute(select(RegionRow).where(wanted).order_by(RegionRow.position)).scalars():
        found[row.batch_id, row.ordinal, row.revision].append(row)
    return {decision.id: found[decision.batch_id, decision.ordinal, decision.revision] for decision in decisions}


def read_lineage(session: Session, decision: DecisionRow) -> Lineage:
    """How a decision came about."""
    place = {"batch_id": decision.batch_id, "ordinal": decision.ordinal, "revision": decision.revision}
    outcome = session.execute(select(OutcomeRow).filter_by(**place)).scalar_one()
    routing = session.execute(select(RoutingRow).filter_by(**place, mode="live")).scalar_one_or_none()
    rejected = set(session.execute(REJECTED, {"task_id": decision.task_id}).scalars())
    return Lineage(
        batch_id=decision.batch_id,
        ordinal=decision.ordinal,
        revision=decision.revision,
        basis=DecisionBasis(decision.basis),
        verdict=Verdict(decision.verdict),
        action=Action(decision.action),
        decided_on=decision.created_at.astimezone(UTC).date(),
        model_verdict=Verdict(outcome.verdict) if outcome.verdict else None,
        p_generated=outcome.p_generated,
        release=outcome.release_id,
        explanation=outcome.explanation,
        policy_version=routing.policy_version if routing else None,
        route=Route(routing.route) if routing else None,
        regions=[_region(row, rejected=row.position in rejected) for row in decided_regions(session, [decision])[decision.id]],
    )


def keep_as_case(session: Session, batch_id: UUID, ordinal: int, revision: int) -> None:
    """The evidence of an outcome is kept as long as cases are."""
    session.execute(KEEP, {"batch_id": batch_id, "ordinal": ordinal, "revision": revision})


def _region(row: RegionRow, *, rejected: bool) -> DecidedRegion:
    return DecidedRegion(
        position=row.position,
        box=Box(row.x0, row.y0, row.x1, row.y1),
        reason=row.reason,
        finding=row.finding,
        crop_sha256=row.crop_sha256,
        rejected=rejected,
    )
