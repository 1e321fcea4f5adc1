"""A lead's own decision about an item, over the one that stands, or where none was made."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.grounds import check_grounds
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DecisionBasis
from worker.store.appeals import open_appeal_against
from worker.store.decisions import NewDecision, current_decision, decide_over
from worker.store.erasures import check_not_erased
from worker.store.lineage import keep_as_case
from worker.store.models import OutcomeRow
from worker.store.policy_reading import routed_by
from worker.store.review_withdrawal import withdraw_tasks


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What the lead decides, why, and over which decision: None says that the lead saw none."""

    verdict: Verdict
    action: Action
    reason: str
    supersedes: UUID | None
    clause: str | None = None


def override(session: Session, tenant_id: str, place: tuple[UUID, int], wanted: Override, *, lead: str) -> UUID:
    """The new decision's id. Open review tasks of the item are withdrawn.

    Raises RejectedError: decision_superseded (the lead saw another than stands), appeal_open, item_not_judged, item_erased,
    four_eyes_required, and those of `check_grounds`; TransientError `decision_conflict`, also while an answer is about to take effect.
    """
    batch_id, ordinal = place
    check_not_erased(session, batch_id, ordinal)
    if withdraw_tasks(session, batch_id, [ordinal], reason="a lead decided"):  # first: an answer under way is waited for
        raise TransientError("decision_conflict", f"A reviewer has answered item {item_id(batch_id, ordinal)}, which takes effect shortly.")
    current = current_decision(session, batch_id, ordinal)
    _check(session, current.id if current else None, wanted)
    newest = select(OutcomeRow).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    outcome = session.execute(newest).scalar_one_or_none()
    if outcome is None or outcome.kind == OutcomeKind.CANCELLED:
        raise RejectedError("item_not_judged", f"Item {item_id(batch_id, ordinal)} has no outcome to decide on.")
    _check_policy(session, tenant_id, outcome, wanted)
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
        clause=wanted.clause,
    )
    return decide_over(session, new, current)


def _check(session: Session, current: UUID | None, wanted: Override) -> None:
    if current != wanted.supersedes:
        stands = f"decision {current} stands" if current else "no decision stands"
        raise RejectedError("decision_superseded", f"You saw {wanted.supersedes or 'no decision'}, but {stands}. Look at it again.")
    if current is not None and (appeal := open_appeal_against(session, current)) is not None:
        raise RejectedError("appeal_open", f"Appeal {appeal} against this decision is open: decide the appeal.")


def _check_policy(session: Session, tenant_id: str, outcome: OutcomeRow, wanted: Override) -> None:
    """A lead alone may not do what takes two: the ways that ask a second person are an open task, and an appeal."""
    policy = routed_by(session, tenant_id, batch_id=outcome.batch_id, ordinal=outcome.ordinal, revision=outcome.revision)
    check_grounds(policy, clause=wanted.clause, reason=wanted.reason)
    if policy is not None and wanted.action in policy.four_eyes:
        raise RejectedError(
            "four_eyes_required",
            f"{policy.name} asks for two people before an image is given `{wanted.action}`. Answer its open task, or contest the decision"
            " that stands by an appeal: a second person is asked then.",
        )
