"""Items whose images are the same, or look alike, for the tests of duplicates."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from tests.integration.queue_world import RELEASE, World, verdict
from worker.moderation.outcomes import ItemReference, Outcome
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.session import transaction

LIKENESS = -0x123456789ABCDEF  # a perceptual hash; negative, as half of them are in a signed column


@dataclass(frozen=True)
class Picture:
    """What a worker found of an image: the sha256 of its bytes, what it looks like, P(generated)."""

    sha256: str
    likeness: int | None = LIKENESS
    p: float = 0.6  # goes to review

    def altered(self, bits: int, sha256: str) -> "Picture":
        """Another file, whose perceptual hash differs in so many bits."""
        assert self.likeness is not None
        return replace(self, sha256=sha256, likeness=self.likeness ^ sum(1 << (10 * bit + 1) for bit in range(bits)))


def judged_pictures(world: World, tenant: str, pictures: Sequence[Picture], *, revision: int = 1, batch_id: UUID | None = None) -> UUID:
    """A batch of these, through the same writes as a worker's."""
    batch_id = batch_id or world.batch(len(pictures), tenant=tenant)
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id LIMIT 1", id=batch_id)
    outcomes = [_outcome(batch_id, ordinal, picture) for ordinal, picture in enumerate(pictures)]
    with transaction(world.engine) as session:
        place = Place(batch_id=batch_id, revision=revision, chunk_id=chunk_id)
        insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
    return batch_id


def _outcome(batch_id: UUID, ordinal: int, picture: Picture) -> Outcome:
    judged = verdict(ItemReference(batch_id, ordinal, f"line:{ordinal + 1}", "b", f"k{ordinal}"), picture.p)
    assert judged.source is not None
    return replace(
        judged,
        source=replace(judged.source, sha256=picture.sha256),
        perceptual_hash=picture.likeness,
        sent_sha256=judged.evidence[0].sha256,
    )
