"""A lead's own decision about an item, over the one that stands, or where none was made."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DecisionBasis
from worker.store.appeals import open_appeal_against
from worker.store.decisions import NewDecision, current_decision, decide_over
from worker.store.erasures import check_not_erased
from worker.store.lineage import keep_as_case
from worker.store.models import OutcomeRow

WITHDRAW_TASKS = text(
    """
    -- withdraw tasks: a lead has decided, nobody needs to answer; claims on the question end
    WITH withdrawn AS (
        UPDATE review_tasks SET state = 'withdrawn', state_reason = 'a lead decided', closed_at = now(), version = version + 1
         WHERE batch_id = :batch_id AND ordinal = :ordinal AND kind IN ('routing', 'qa') AND state IN ('open', 'held', 'escalated')
        RETURNING id
    )
    UPDATE review_claims SET state = 'released', ended_at = now(), reason = 'a lead decided'
     WHERE state = 'active' AND task_id IN (SELECT id FROM withdrawn)
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What the lead decides, why, and over which decision: None says that the lead saw none."""

    verdict: Verdict
    action: Action
    reason: str
    supersedes: UUID | None


def override(session: Session, tenant_id: str, place: tuple[UUID, int], wanted: Override, *, lead: str) -> UUID:
    """The new decision's id. Open review tasks of the item are withdrawn.

    Raises RejectedError: decision_superseded (the lead saw another than stands), appeal_open, item_not_judged,
    item_erased; TransientError `decision_conflict`.
    """
    batch_id, ordinal = place
    check_not_erased(session, batch_id, ordinal)
    session.execute(WITHDRAW_TASKS, {"batch_id": batch_id, "ordinal": ordinal})  # first: an answer under way is waited for
    current = current_decision(session, batch_id, ordinal)
    _check(session, current.id if current else None, wanted)
    newest = select(OutcomeRow).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    outcome = session.execute(newest).scalar_one_or_none()
    if outcome is None or outcome.kind == OutcomeKind.CANCELLED:
        raise RejectedError("item_not_judged", f"Item {item_id(batch_id, ordinal)} has no outcome to decide on.")
    keep_as_case(session, batch_id, ordinal, outcome.revision)
    new = NewDecision(
        tenant_id=tenant_id,
        batch_id=batch_id,
        ordinal=ordinal,
        revision=outcome.revision,
        basis=DecisionBasis.LEAD,
        verdict=wanted.verdict,
        action=wanted.action,
        decided_by=lead,
        reason=wanted.reason,
    )
    return decide_over(session, new, current)


def _check(session: Session, current: UUID | None, wanted: Override) -> None:
    if current != wanted.supersedes:
        stands = f"decision {current} stands" if current else "no decision stands"
        raise RejectedError("decision_superseded", f"You saw {wanted.supersedes or 'no decision'}, but {stands}. Look at it again.")
    if current is not None and (appeal := open_appeal_against(session, current)) is not None:
        raise RejectedError("appeal_open", f"Appeal {appeal} against this decision is open: decide the appeal.")
