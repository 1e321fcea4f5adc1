"""Judged images with texts of their own, and searches over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from tests.integration.queue_world import RELEASE, World, verdict
from worker.moderation.boxes import Box
from worker.moderation.outcomes import ItemReference, Outcome, Region
from worker.moderation.release import Release
from worker.moderation.search import Filter, parse_filter
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.releases import ensure_release
from worker.store.review_tasks import Claimant
from worker.store.search import Place as Where
from worker.store.search import bounded, find
from worker.store.search_results import Found, read_found
from worker.store.session import transaction


@dataclass(frozen=True)
class Text:
    """What the model says of an image: an explanation, and pairs of reason and finding."""

    explanation: str | None = "nothing in particular"
    regions: Sequence[tuple[str, str | None]] = ()
    p: float = 0.6


@dataclass(frozen=True)
class SearchWorld:
    """A tenant whose images say what a test wants, and who looks for them."""

    world: World
    tenant: str

    def judged(
        self, *texts: Text, batch_id: UUID | None = None, revision: int = 1, release: Release = RELEASE, ordinals: Sequence[int] = ()
    ) -> UUID:
        """A batch of images, or a new revision of some of one, through the same writes as a worker's."""
        batch_id = batch_id or self.world.batch(len(texts), tenant=self.tenant)
        chunk_id = self.world.value("SELECT id FROM chunks WHERE batch_id = :id LIMIT 1", id=batch_id)
        outcomes = [_outcome(batch_id, at, said, release) for at, said in zip(ordinals or range(len(texts)), texts, strict=True)]
        with transaction(self.world.engine) as session:
            ensure_release(session, release)
            place = Place(batch_id=batch_id, revision=revision, chunk_id=chunk_id)
            insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=release, evidence_bucket="b"))
        return batch_id

    def found(
        self, query: str | Filter, *, viewer: str = "key:nobody", lead: bool = False, before: Where | None = None, limit: int = 50
    ) -> list[Found]:
        """What somebody of the tenant finds."""
        wanted = parse_filter(query) if isinstance(query, str) else query
        claimant = Claimant(tenant_id=self.tenant, reviewer=viewer, lead=lead)
        with transaction(self.world.engine) as session, bounded(session):
            keys = find(session, claimant, wanted, before=before, limit=limit)
            return read_found(session, claimant, wanted, keys)

    def places(self, query: str | Filter, **how: object) -> list[tuple[UUID, int]]:
        """Where what is found lies."""
        return [(found.batch_id, found.ordinal) for found in self.found(query, **how)]  # type: ignore[arg-type]

    def ordinals(self, query: str | Filter, **how: object) -> list[int]:
        """As `places`, for tests of one batch."""
        return [ordinal for _, ordinal in self.places(query, **how)]


def said(explanation: str, *, p: float = 0.6, regions: Mapping[str, str | None] | None = None) -> Text:
    """A text with regions by their reasons."""
    return Text(explanation, tuple((regions or {}).items()), p)


def _outcome(batch_id: UUID, ordinal: int, text: Text, release: Release) -> Outcome:
    outcome = verdict(ItemReference(batch_id, ordinal, f"line:{ordinal + 1}", "b", f"k{ordinal}"), text.p)
    regions = tuple(Region(box=Box(1, 2, 30, 40), reason=reason, finding=finding) for reason, finding in text.regions)
    return replace(outcome, explanation=text.explanation, regions=regions, release_id=release.id)
