"""Tallies of the two stages: left with every write of outcomes, so that nobody need count outcomes to see scan and zoom drift apart."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.outcomes import Outcome
from worker.store.outcome_rows import Place

TALLY = text(
    """
    -- tally: one row per write and release; rows are never changed, so that writers do not wait for each other
    INSERT INTO stage_tallies (tenant_id, release_id, verdicts, disagreed)
    SELECT tenant_id, :release_id, :verdicts, :disagreed FROM batches WHERE id = :batch_id
    """
)


def tally_stages(session: Session, place: Place, outcomes: Sequence[Outcome]) -> None:
    """Leaves the tally of new outcomes; of those to whose verdict both stages came."""
    both = [outcome for outcome in outcomes if outcome.verdict is not None and outcome.scan_verdict is not None]
    for release in sorted({outcome.release_id for outcome in both if outcome.release_id is not None}):
        judged = [outcome for outcome in both if outcome.release_id == release]
        disagreed = sum(outcome.verdict is not outcome.scan_verdict for outcome in judged)
        session.execute(TALLY, {"batch_id": place.batch_id, "release_id": release, "verdicts": len(judged), "disagreed": disagreed})
