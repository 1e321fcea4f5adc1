"""Decisions: what the platform is to do about an image. Written once; a later one supersedes, so an item's decisions are one line."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session, aliased

from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.events import EventType
from worker.moderation.identifiers import item_id, new_uuid7
from worker.moderation.outcomes import Outcome, Verdict
from worker.moderation.policy import Action, PolicyVersion
from worker.moderation.review import DecisionBasis
from worker.store import audit, outbox
from worker.store.models import BatchRow, DecisionRow
from worker.store.outcome_rows import Place
from worker.store.statement_queue import withdraw_moot

MOST_DECISIONS = 100  # shown of one item

LINE = text(
    """
    -- line: an item's decisions from the one that stands back to what it superseded
    WITH RECURSIVE line AS (
        SELECT d.id, d.supersedes, 1 AS place FROM decisions AS d
         WHERE d.batch_id = :batch_id AND d.ordinal = :ordinal AND NOT EXISTS (SELECT FROM decisions AS l WHERE l.supersedes = d.id)
        UNION ALL
        SELECT d.id, d.supersedes, line.place + 1 FROM line JOIN decisions AS d ON d.id = line.supersedes WHERE line.place < :most
    )
    SELECT id FROM line ORDER BY place
    """
)
LIVE_VERSION = text(
    """
    -- live version: under which policy version an outcome was routed
    SELECT policy_version FROM routings
     WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = :revision AND mode = 'live'
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDecision:
    """What was decided of an item, and on what it rests."""

    tenant_id: str
    batch_id: UUID
    ordinal: int
    revision: int
    basis: DecisionBasis
    verdict: Verdict
    action: Action
    decided_by: str
    reason: str
    clause: str | None = None
    task_id: int | None = None


def current_decision(session: Session, batch_id: UUID, ordinal: int) -> DecisionRow | None:
    """The decision of the item that no other supersedes; None while there is none."""
    later = aliased(DecisionRow)
    unsuperseded = select(DecisionRow).filter_by(batch_id=batch_id, ordinal=ordinal)
    return session.execute(unsuperseded.where(~select(later).where(later.supersedes == DecisionRow.id).exists())).scalar_one_or_none()


def find_decision(session: Session, decision_id: UUID, *, tenant_id: str) -> DecisionRow:
    """A decision of the tenant's. Raises RejectedError `decision_missing`."""
    row = session.get(DecisionRow, decision_id)
    if row is None or row.tenant_id != tenant_id:
        raise RejectedError("decision_missing", f"There is no decision {decision_id}.")
    return row


def find_decisions(session: Session, ids: Collection[UUID]) -> dict[UUID, DecisionRow]:
    """Decisions by id, of whichever tenant: for ids that rows of a tenant's own name."""
    rows = session.execute(select(DecisionRow).where(DecisionRow.id.in_(ids))).scalars()
    return {row.id: row for row in rows}


def superseded_ids(session: Session, ids: Collection[UUID]) -> set[UUID]:
    """Which of these no longer stand."""
    return {known for known in session.execute(select(DecisionRow.supersedes).where(DecisionRow.supersedes.in_(ids))).scalars() if known}


def list_decisions(session: Session, tenant_id: str, *, since: UUID, inclusive: bool, limit: int) -> list[DecisionRow]:
    """Oldest first, from an id on: ids begin with the time they were made at."""
    behind = DecisionRow.id >= since if inclusive else DecisionRow.id > since
    query = select(DecisionRow).filter_by(tenant_id=tenant_id).where(behind).order_by(DecisionRow.id).limit(limit)
    return list(session.execute(query).scalars())


def item_decisions(session: Session, batch_id: UUID, ordinal: int) -> list[DecisionRow]:
    """An item's newest MOST_DECISIONS decisions in the order in which they superseded one another; the last one stands."""
    newest_first = session.execute(LINE, {"batch_id": batch_id, "ordinal": ordinal, "most": MOST_DECISIONS}).scalars().all()
    decisions = find_decisions(session, newest_first)
    return [decisions[known] for known in reversed(newest_first)]


def decide(session: Session, new: NewDecision) -> UUID:
    """Writes a decision over the item's current one, if there is any, with its events: its id. Raises TransientError as `decide_over`."""
    return decide_over(session, new, current_decision(session, new.batch_id, new.ordinal))


def decide_over(session: Session, new: NewDecision, before: DecisionRow | None) -> UUID:
    """Writes a decision over this very one; statements about it that were not sent are withdrawn.

    Raises TransientError `decision_conflict` when another superseded it at the same moment: look again.
    """
    key: dict[str, Any] = {"batch_id": new.batch_id, "ordinal": new.ordinal, "revision": new.revision}
    routed = session.execute(LIVE_VERSION, key).scalar_one_or_none()
    decision_id = new_uuid7()
    row = postgresql.insert(DecisionRow).values(
        **key,
        id=decision_id,
        tenant_id=new.tenant_id,
        task_id=new.task_id,
        basis=new.basis,
        verdict=new.verdict,
        action=new.action,
        decided_by=new.decided_by,
        reason=new.reason,
        clause=new.clause,
        policy_version=routed,
        supersedes=before.id if before else None,
    )
    if session.execute(row.on_conflict_do_nothing().returning(DecisionRow.id)).one_or_none() is None:
        raise TransientError(
            "decision_conflict", f"Item {item_id(new.batch_id, new.ordinal)} was decided on by another at the same moment."
        )
    told = {"decision_id": str(decision_id), "item_id": item_id(new.batch_id, new.ordinal), "revision": new.revision}
    if before is not None:
        withdraw_moot(session, decision_id=before.id, actor=new.decided_by)
        outbox.publish(session, new.tenant_id, EventType.DECISION_SUPERSEDED, {**told, "supersedes": str(before.id)})
    outbox.publish(session, new.tenant_id, EventType.DECISION_CREATED, {**told, "verdict": new.verdict, "action": new.action})
    detail = {"decision": str(decision_id), "supersedes": str(before.id) if before else None, "basis": new.basis, "action": new.action}
    audit.record(session, actor=new.decided_by, action="decision.created", **key, detail=detail)
    return decision_id


def decide_automatically(session: Session, place: Place, flagged: Sequence[Outcome], policy: PolicyVersion) -> None:
    """What a version's recorded opt-in does to outcomes that it flags; an item that a person has decided on is left to people."""
    if policy.automatic is None or not flagged:
        return
    tenant_id = session.execute(select(BatchRow.tenant_id).filter_by(id=place.batch_id)).scalar_one()
    for outcome in flagged:
        before = current_decision(session, place.batch_id, outcome.ordinal)
        if outcome.verdict is None or (before is not None and before.basis != DecisionBasis.AUTOMATIC):
            continue
        decide(
            session,
            NewDecision(
                tenant_id=tenant_id,
                batch_id=place.batch_id,
                ordinal=outcome.ordinal,
                revision=place.revision,
                basis=DecisionBasis.AUTOMATIC,
                verdict=outcome.verdict,
                action=policy.automatic.action,
                decided_by=f"policy:{policy.name}",
                reason=f"flagged by {policy.name}; {policy.automatic.opted_in_by} opted in: {policy.automatic.reason}",
            ),
        )
