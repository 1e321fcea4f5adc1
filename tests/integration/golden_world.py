"""A tenant with a golden set, whose reviewers are given golden tasks as often as a test wants."""

import secrets
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import DEFAULT_BANDS, Opening
from worker.moderation.review import ReviewVerdict
from worker.store import golden_offers
from worker.store.golden_items import Known, put_golden
from worker.store.models.policies import VersionState
from worker.store.policies import Draft, move_version, write_version
from worker.store.review_answers import Answer
from worker.store.review_claims import Claim, claim_task
from worker.store.review_tasks import Claimant
from worker.store.reviews import Submitted, submit_review
from worker.store.session import transaction

PASSES, DOUBTFUL, FLAGGED = 0.05, 0.6, 0.95


class Certain(secrets.SystemRandom):
    """Chance that always strikes."""

    def random(self) -> float:
        return 0.0


@dataclass(frozen=True)
class GoldenWorld:
    """A tenant of its own, with `golden_share` one half in its default queue."""

    world: World
    tenant: str

    @classmethod
    def apart(cls, engine: Engine) -> "GoldenWorld":
        world = cls(World(engine), f"gold-{uuid4().hex[:8]}")
        world.world.batch(1, tenant=world.tenant)
        world.share(0.5)
        return world

    def share(self, share: float) -> None:
        self.world.rows("UPDATE review_queues SET golden_share = :s WHERE tenant_id = :t AND name = 'default'", s=share, t=self.tenant)

    def judged(self, *scores: float) -> UUID:
        return judged_batch(self.world, dict(enumerate(scores)), tenant=self.tenant)

    def known(self, score: float, verdict: Verdict = Verdict.GENERATED, *boxes: Box, by: str = "keeper") -> UUID:
        """A judged image in the golden set: its batch; nothing else is asked about it."""
        batch_id = self.judged(score)
        self.world.rows("UPDATE review_tasks SET state = 'withdrawn', closed_at = now() WHERE batch_id = :id", id=batch_id)
        with transaction(self.world.engine) as session:
            put_golden(session, self.tenant, (batch_id, 0), Known(verdict=verdict, boxes=boxes, note="made by us"), actor=by)
        return batch_id

    def opens(self, opening: Opening) -> None:
        with transaction(self.world.engine) as session:
            draft = Draft(bands=DEFAULT_BANDS, queue="default", opening=opening)
            version = write_version(session, self.tenant, "default", draft, actor="lea").version
            move_version(session, self.tenant, "default", version, VersionState.LIVE, actor="lea")

    def who(self, name: str, *, lead: bool = False) -> Claimant:
        return Claimant(tenant_id=self.tenant, reviewer=name, lead=lead)

    def claim(self, name: str = "ann", queue: str = "default") -> Claim | None:
        with transaction(self.world.engine) as session:
            return claim_task(session, self.who(name), queue)

    def answer(
        self, claim: Claim | None, verdict: ReviewVerdict = ReviewVerdict.GENERATED, *, undo_seconds: int = 0, **said: Any
    ) -> Submitted:
        assert claim is not None
        who, answer = self.who(claim.reviewer), Answer(verdict=verdict, **said)
        with transaction(self.world.engine) as session:
            return submit_review(session, who, claim.task_id, claim.token, answer, version=claim.version, undo_seconds=undo_seconds)

    def task(self, claim: Claim | None) -> Any:
        assert claim is not None
        return self.world.rows("SELECT * FROM review_tasks WHERE id = :id", id=claim.task_id)[0]

    def answers(self) -> list[Any]:
        return list(self.world.rows("SELECT * FROM moderation_v1.golden_answers WHERE tenant_id = :t ORDER BY answered_at", t=self.tenant))


def always(patch: pytest.MonkeyPatch) -> None:
    """Every claim in a queue with golden tasks is one, where one is to be had."""
    patch.setattr(golden_offers, "CHANCE", Certain())
