"""Appeals: a decision is contested, whole or one box of it; somebody who had no part in either decides again."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.events import EventType
from worker.moderation.identifiers import new_uuid7
from worker.moderation.policy import Route
from worker.moderation.review import APPEALS_QUEUE, AppealState, TaskKind
from worker.store import audit, outbox
from worker.store.decisions import NewDecision, current_decision, decide, find_decision
from worker.store.erasures import check_not_erased
from worker.store.lineage import keep_as_case
from worker.store.models import AppealRow, DecisionRow, RegionRow, ReviewTaskRow

OPEN_FOR = timedelta(days=183)  # after the decision: DSA, article 20, asks for six months at least
APPEAL_PRIORITY = 10  # before what nobody waits for

QUEUE = text(
    """
    -- queue: what an appeal's task takes from its queue
    SELECT slots, due_hours FROM review_queues WHERE tenant_id = :tenant_id AND name = :name
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAppeal:
    """What is contested, and why. `reference` is the platform's own name for the case, without personal data.

    `key` and `digest`: the submitter's idempotency key and what it stands for.
    """

    decision_id: UUID
    statement: str
    region_position: int | None = None
    reference: str | None = None
    key: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """An appeal; `created` is False when its key had opened it before."""

    appeal: AppealRow
    created: bool


def submit_appeal(session: Session, tenant_id: str, new: NewAppeal, *, actor: str) -> Opened:
    """As `open_appeal`, once per key. Raises RejectedError `idempotency_conflict` when the key stands for another appeal."""
    return _replayed(session, tenant_id, new) or Opened(open_appeal(session, tenant_id, new, actor=actor), created=True)


def open_appeal(session: Session, tenant_id: str, new: NewAppeal, *, actor: str) -> AppealRow:
    """An appeal, and the task that asks somebody else. What was decided on is kept as long as cases are.

    Raises RejectedError: decision_missing, decision_superseded, appeal_exists, appeal_too_late, region_unknown,
    item_erased.
    """
    decision = find_decision(session, new.decision_id, tenant_id=tenant_id)
    check_not_erased(session, decision.batch_id, decision.ordinal)
    _check(session, decision, new)
    queue = session.execute(QUEUE, {"tenant_id": tenant_id, "name": APPEALS_QUEUE}).one()
    appeal_id, due_at = new_uuid7(), func.now() + func.make_interval(0, 0, 0, 0, queue.due_hours)
    row = postgresql.insert(AppealRow).values(
        id=appeal_id,
        tenant_id=tenant_id,
        decision_id=new.decision_id,
        region_position=new.region_position,
        statement=new.statement,
        reference=new.reference,
        opened_by=actor,
        due_at=due_at,
        idempotency_key=new.key,
        request_digest=new.digest,
    )
    if session.execute(row.on_conflict_do_nothing().returning(AppealRow.id)).one_or_none() is None:
        raise TransientError("appeal_conflict", f"Decision {decision.id} was contested by another request at the same moment.")
    keep_as_case(session, decision.batch_id, decision.ordinal, decision.revision)
    place: dict[str, Any] = {"batch_id": decision.batch_id, "ordinal": decision.ordinal, "revision": decision.revision}
    session.execute(
        insert(ReviewTaskRow).values(
            **place,
            tenant_id=tenant_id,
            queue=APPEALS_QUEUE,
            kind=TaskKind.APPEAL,
            appeal_id=appeal_id,
            route=Route.REVIEW,
            reason="a decision is contested",
            priority=APPEAL_PRIORITY,
            slots=queue.slots,
            due_at=due_at,
        )
    )
    audit.record(session, actor=actor, action="appeal.opened", **place, detail={"appeal": str(appeal_id), "decision": str(new.decision_id)})
    return find_appeal(session, appeal_id, tenant_id=tenant_id)


def find_appeal(session: Session, appeal_id: UUID, *, tenant_id: str) -> AppealRow:
    """An appeal of the tenant's. Raises RejectedError `appeal_missing`."""
    row = session.get(AppealRow, appeal_id, populate_existing=True)
    if row is None or row.tenant_id != tenant_id:
        raise RejectedError("appeal_missing", f"There is no appeal {appeal_id}.")
    return row


def list_appeals(
    session: Session, tenant_id: str, *, state: AppealState | None = None, before: UUID | None = None, limit: int
) -> list[AppealRow]:
    """Newest first."""
    query = select(AppealRow).filter_by(tenant_id=tenant_id).order_by(AppealRow.id.desc()).limit(limit)
    query = query.where(AppealRow.state == state) if state else query
    query = query.where(AppealRow.id < before) if before else query
    return list(session.execute(query).scalars())


def open_appeal_against(session: Session, decision_id: UUID) -> UUID | None:
    """The open appeal against a decision, if there is one."""
    return session.execute(select(AppealRow.id).filter_by(decision_id=decision_id, state=AppealState.OPEN)).scalar_one_or_none()


def settle_appeal(session: Session, appeal_id: UUID, decision: NewDecision) -> UUID:
    """Ends an appeal with the decision that its task came to, which supersedes the contested one: the new decision's id."""
    appeal = session.execute(select(AppealRow).filter_by(id=appeal_id).with_for_update()).scalar_one()
    contested = find_decision(session, appeal.decision_id, tenant_id=appeal.tenant_id)
    stands = (contested.verdict, contested.action) == (decision.verdict, decision.action)
    state = AppealState.UPHELD if stands else AppealState.REVERSED
    decision_id = decide(session, decision)
    session.execute(update(AppealRow).filter_by(id=appeal_id).values(state=state, decided_at=func.now(), settled_by=decision_id))
    told = {"appeal_id": str(appeal_id), "decision_id": str(decision_id), "contested": str(appeal.decision_id), "state": state}
    outbox.publish(session, appeal.tenant_id, EventType.APPEAL_DECIDED, told)
    place: dict[str, Any] = {"batch_id": decision.batch_id, "ordinal": decision.ordinal, "revision": decision.revision}
    audit.record(session, actor=decision.decided_by, action=f"appeal.{state}", **place, detail=told)
    return decision_id


def _replayed(session: Session, tenant_id: str, new: NewAppeal) -> Opened | None:
    if new.key is None:
        return None
    row = session.execute(select(AppealRow).filter_by(tenant_id=tenant_id, idempotency_key=new.key)).scalar_one_or_none()
    if row is not None and row.request_digest != new.digest:
        raise RejectedError("idempotency_conflict", "The idempotency key was used for another appeal.")
    return Opened(row, created=False) if row is not None else None


def _check(session: Session, decision: DecisionRow, new: NewAppeal) -> None:
    current = current_decision(session, decision.batch_id, decision.ordinal)
    if current is None or current.id != decision.id:
        raise RejectedError("decision_superseded", f"Decision {decision.id} was superseded. Contest the one that stands.")
    if session.execute(select(AppealRow.id).filter_by(decision_id=decision.id)).first() is not None:
        raise RejectedError("appeal_exists", f"Decision {decision.id} was contested before.")
    if session.execute(select(func.now() - decision.created_at > OPEN_FOR)).scalar_one():
        raise RejectedError("appeal_too_late", f"Decision {decision.id} is more than {OPEN_FOR.days} days old.")
    if new.region_position is not None:
        place = (decision.batch_id, decision.ordinal, decision.revision, new.region_position)
        if session.get(RegionRow, place) is None:
            raise RejectedError("region_unknown", f"The decided outcome has no region {new.region_position}.")
