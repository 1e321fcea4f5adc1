"""Judged images whose pixels really lie in the evidence bucket, and time that is made to pass, for the tests of retention and erasure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID, uuid4

from sqlalchemy import Engine, create_engine, text

from tests.integration.queue_world import RELEASE, World, verdict
from worker.intake.storage import Storage
from worker.moderation.outcomes import EvidenceFacts, ItemReference, Outcome
from worker.moderation.settings import Settings
from worker.retention.run import Report, run_retention
from worker.store.chunks import Lease, claim, complete
from worker.store.erasures import Erasing, erase_item
from worker.store.outcomes import Judgement, Recorded, record_outcomes
from worker.store.session import transaction
from worker.store.settlement import finish_batches

PASSED, REVIEWED, FLAGGED = 0.05, 0.5, 0.95  # P(generated) under default@1
ERASING = Erasing("test", "requested", "zoomin-uploads")


@dataclass(frozen=True)
class RetentionWorld:
    """What a test does beside the code under test. `owner` may do what only an owner may: let time pass."""

    engine: Engine
    storage: Storage
    settings: Settings
    tenant: str = field(default_factory=lambda: f"t-{uuid4().hex[:8]}")  # a world's own: its queues hold nobody else's tasks

    @classmethod
    def apart(cls, engine: Engine, storage: Storage, settings: Settings) -> "RetentionWorld":
        """With its database's own bucket: seals of other databases contradict it. One per test would use up the store's volumes."""
        own = settings.model_copy(update={"evidence_bucket": f"evidence-{engine.url.database}".replace("_", "-")})
        storage.ensure_bucket(own.evidence_bucket)
        return cls(engine, storage, own)

    @property
    def world(self) -> World:
        return World(self.engine)

    @property
    def bucket(self) -> str:
        return self.settings.evidence_bucket

    def facts(self, pixels: bytes) -> EvidenceFacts:
        """Of these pixels as an object."""
        return EvidenceFacts(sha256=hashlib.sha256(pixels).hexdigest(), media_type="image/webp", byte_count=len(pixels))

    def stored(self, pixels: bytes) -> EvidenceFacts:
        """Pixels in the bucket, as a worker keeps them before it records anything."""
        facts = self.facts(pixels)
        self.storage.put(self.bucket, facts.key, pixels, facts.media_type)
        return facts

    def there(self, facts: EvidenceFacts) -> bool:
        return self.storage.exists(self.bucket, facts.key)

    def lease(self, batch_id: UUID) -> Lease:
        """The batch's one chunk, claimed."""
        self.world.announced()
        chunk = self.world.value("SELECT id FROM chunks WHERE batch_id = :id ORDER BY revision DESC LIMIT 1", id=batch_id)
        with transaction(self.engine) as session:
            lease = claim(session, chunk, "w", 60)
        assert lease is not None
        return lease

    def outcome(self, batch_id: UUID, ordinal: int, facts: EvidenceFacts, p: float = PASSED) -> Outcome:
        """A verdict whose one region's crop, and whose sent image, are these pixels."""
        judged = verdict(ItemReference(batch_id, ordinal, f"line:{ordinal + 1}", "b", f"k{ordinal}"), p)
        regions = tuple(replace(region, crop_sha256=facts.sha256) for region in judged.regions)
        return replace(judged, regions=regions, evidence=(facts,), sent_sha256=facts.sha256)

    def record(self, lease: Lease, outcomes: Sequence[Outcome]) -> Recorded:
        with transaction(self.engine) as session:
            return record_outcomes(session, lease, outcomes, Judgement(actor="w", release=RELEASE, evidence_bucket=self.bucket))

    def judged(self, pixels: Mapping[int, bytes], p: float = PASSED) -> UUID:
        """A finished batch of these images."""
        batch_id = self.world.batch(len(pixels), tenant=self.tenant)
        self.world.rows("UPDATE batches SET received_at = now() WHERE id = :id", id=batch_id)
        lease = self.lease(batch_id)
        recorded = self.record(lease, [self.outcome(batch_id, ordinal, self.stored(body), p) for ordinal, body in pixels.items()])
        assert recorded.tally.total == len(pixels)
        self.finish(lease)
        return batch_id

    def finish(self, lease: Lease) -> None:
        with transaction(self.engine) as session:
            assert complete(session, lease)
            assert lease.batch_id in finish_batches(session, actor="test")

    def erase(self, batch_id: UUID, ordinal: int, *, tenant: str | None = None) -> None:
        with transaction(self.engine) as session:
            erase_item(session, tenant or self.tenant, batch_id, ordinal, ERASING)

    def run(self) -> Report:
        return run_retention(self.engine, self.storage, self.bucket, actor="test")

    def as_owner(self, *statements: str, **parameters: object) -> None:
        """What no process of the application may."""
        assert self.settings.owner_url is not None
        owner = create_engine(self.settings.owner_url.get_secret_value())
        with owner.begin() as connection:
            for statement in statements:
                connection.execute(text(statement), parameters)
        owner.dispose()

    def age(self, batch_id: UUID, days: int) -> None:
        """Lets days pass for a batch, its outcomes, decisions and evidence."""
        for table, moment, where in (
            ("batches", "finished_at", "id = :id"),
            ("outcomes", "created_at", "batch_id = :id"),
            ("decisions", "created_at", "batch_id = :id"),
            ("evidence", "due_at", "sha256 IN (SELECT crop_sha256 FROM regions WHERE batch_id = :id)"),
            ("details_sweeps", "looked_at", "batch_id = :id"),
            ("details_sweeps", "due_at", "batch_id = :id"),
        ):
            passed = f"UPDATE {table} SET {moment} = {moment} - make_interval(days => :days) WHERE {where}"  # noqa: S608
            self.as_owner(passed, id=batch_id, days=days)


def pixels() -> bytes:
    """Bytes that no other test has."""
    return b"RIFF" + uuid4().bytes
