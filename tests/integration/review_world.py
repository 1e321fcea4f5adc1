"""Judged images with review tasks, for the tests of policies, review and appeals."""

from collections.abc import Mapping
from uuid import UUID

from tests.integration.queue_world import RELEASE, World, verdict
from worker.moderation.outcomes import ItemReference, Outcome
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.session import transaction


def judged_batch(world: World, scores: Mapping[int, float], *, tenant: str = "t", revision: int = 1, batch_id: UUID | None = None) -> UUID:
    """A batch whose items were judged with these P(generated), through the same writes as a worker's.

    Behind a gap of tasks' ids: by chance there may be none, and then no golden task.
    """
    world.rows("SELECT count(nextval('review_tasks_id_seq')) FROM generate_series(1, 32)")
    batch_id = batch_id or world.batch(len(scores), tenant=tenant)
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id LIMIT 1", id=batch_id)
    outcomes = [_outcome(batch_id, ordinal, p) for ordinal, p in scores.items()]
    with transaction(world.engine) as session:
        place = Place(batch_id=batch_id, revision=revision, chunk_id=chunk_id)
        insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
    return batch_id


def _outcome(batch_id: UUID, ordinal: int, p: float) -> Outcome:
    return verdict(ItemReference(batch_id, ordinal, f"line:{ordinal + 1}", "b", f"k{ordinal}"), p)
