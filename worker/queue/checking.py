"""Which verdicts' explanations are tested: those that the version that is live when their chunk is claimed draws by its share."""

from collections.abc import Callable

from sqlalchemy.orm import Session

from worker.moderation.errors import MisconfiguredError
from worker.moderation.opening import OutcomePlace, drawn
from worker.moderation.outcomes import Outcome, Verdict
from worker.store.chunks import Lease
from worker.store.policies import in_force

Wanted = Callable[[Outcome], bool]  # whether the outcome's explanation is to be tested


def nothing_wanted(_: Outcome) -> bool:
    """No explanation is tested."""
    return False


def wanted_of(session: Session, lease: Lease) -> Wanted:
    """What the policy of the lease's batch wants tested. A policy without a live version wants nothing; recording says what that means."""
    try:
        version = in_force(session, lease.batch_id).live
    except MisconfiguredError:
        return nothing_wanted
    share = version.explaining.faithfulness_share
    if share <= 0.0:
        return nothing_wanted

    def wanted(outcome: Outcome) -> bool:
        place = OutcomePlace(lease.batch_id, outcome.ordinal, lease.revision)
        return outcome.verdict is Verdict.GENERATED and drawn("faithfulness", share, version, place)

    return wanted
