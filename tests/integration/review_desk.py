"""A tenant's desk: reviewers who claim, answer and take back, without HTTP; for the tests of review."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.policy import DEFAULT_BANDS, Action
from worker.moderation.review import DEFAULT_QUEUE, ReviewVerdict
from worker.queue.concluding import conclude_answers
from worker.store.models.policies import VersionState
from worker.store.policies import Draft, move_version, write_version
from worker.store.review_answers import Answer
from worker.store.review_claims import Claim, claim_task
from worker.store.review_queues import read_queue
from worker.store.review_tasks import Claimant
from worker.store.reviews import Submitted, submit_review, undo_review
from worker.store.session import transaction

GENERATED = Answer(verdict=ReviewVerdict.GENERATED, action=Action.LABEL, note="six fingers")
REAL = Answer(verdict=ReviewVerdict.REAL, note="a photograph")
UNSURE = Answer(verdict=ReviewVerdict.UNSURE)


class Desk:
    """A tenant of its own for each test, with reviewers who claim and answer."""

    def __init__(self, engine: Engine) -> None:
        self.world = World(engine)
        self.tenant = f"desk-{uuid4().hex[:8]}"

    def batch(self, *scores: float) -> UUID:
        """Judged images; 0.6 goes to review, 0.95 is flagged."""
        return judged_batch(self.world, dict(enumerate(scores)), tenant=self.tenant)

    def who(self, name: str, *, lead: bool = False) -> Claimant:
        return Claimant(tenant_id=self.tenant, reviewer=name, lead=lead)

    def claim(self, name: str, queue: str = DEFAULT_QUEUE, *, lead: bool = False) -> Claim | None:
        with transaction(self.world.engine) as session:
            return claim_task(session, self.who(name, lead=lead), queue)

    def answer(self, claim: Claim | None, answer: Answer, *, lead: bool = False, undo: int = 0) -> Submitted:
        assert claim is not None
        who = self.who(claim.reviewer, lead=lead)
        with transaction(self.world.engine) as session:
            return submit_review(session, who, claim.task_id, claim.token, answer, version=claim.version, undo_seconds=undo)

    def undo(self, name: str, done: Submitted) -> Claim:
        with transaction(self.world.engine) as session:
            return undo_review(session, self.who(name), done.review_id)

    def too_late(self, *answers: Submitted) -> None:
        """The time to take these back is over."""
        for done in answers:
            self.world.rows("UPDATE reviews SET pending_until = now() WHERE id = :id AND pending_until IS NOT NULL", id=done.review_id)

    def conclude(self) -> None:
        """What the dispatcher does."""
        conclude_answers(self.world.engine, actor="dispatcher")

    def policy(self, **asks: Any) -> None:
        """A live version that asks for more than the first one; see `Draft`."""
        with transaction(self.world.engine) as session:
            made = write_version(session, self.tenant, "default", Draft(bands=DEFAULT_BANDS, queue=DEFAULT_QUEUE, **asks), actor="lea")
            move_version(session, self.tenant, "default", made.version, VersionState.LIVE, actor="lea")

    def events(self) -> list[str]:
        """Types of what was told, in order."""
        return [row.type for row in self.world.rows("SELECT type FROM outbox WHERE tenant_id = :t ORDER BY id", t=self.tenant)]

    def slots(self, number: int) -> None:
        """How many reviewers tasks made from here on need."""
        self.world.rows("UPDATE review_queues SET slots = :slots WHERE tenant_id = :tenant", slots=number, tenant=self.tenant)

    def task(self, batch_id: UUID, ordinal: int = 0) -> Any:
        return self.world.rows("SELECT * FROM review_tasks WHERE batch_id = :id AND ordinal = :o ORDER BY id", id=batch_id, o=ordinal)[-1]

    def decisions(self, batch_id: UUID) -> list[Any]:
        return list(self.world.rows("SELECT * FROM decisions WHERE batch_id = :id ORDER BY created_at, id", id=batch_id))

    def waiting(self) -> tuple[int, int, int]:
        """How many tasks are counted as open, held and escalated."""
        with transaction(self.world.engine) as session:
            waiting = read_queue(session, self.tenant, DEFAULT_QUEUE).waiting
        return waiting.open, waiting.held, waiting.escalated

    def expire(self, claim: Claim | None) -> None:
        assert claim is not None
        self.world.rows("UPDATE review_claims SET expires_at = now() - interval '1 second' WHERE token = :token", token=claim.token)

    def actions(self, batch_id: UUID) -> list[str]:
        sql = "SELECT action FROM audit_events WHERE batch_id = :id AND action NOT LIKE 'outcome%' ORDER BY id"
        return [row.action for row in self.world.rows(sql, id=batch_id)]
