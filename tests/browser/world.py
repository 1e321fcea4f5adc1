"""What a reviewer finds in the morning: a judged batch with its pictures in S3, the tasks that the policy opened, and an appeal."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from sqlalchemy import Engine

from tests.browser.cases import CASES, CONTESTED, GONE, RELEASE, Judged, body_of, judged
from tests.integration.queue_world import World
from worker.intake.inline import submit_references
from worker.intake.storage import Storage
from worker.intake.submission import Submission
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DecisionBasis
from worker.moderation.settings import Settings
from worker.store.announcements import announce
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.chunks import claim, complete
from worker.store.decisions import NewDecision, decide
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.releases import ensure_release
from worker.store.session import transaction
from worker.store.settlement import finish_batches

TENANT = "default"
STATEMENT = "I took this photograph myself, in Heidelberg, and can show the negative."
RETIRE = """
    -- retire: nothing of an earlier test waits any longer
    WITH retired AS (
        UPDATE review_tasks SET state = 'withdrawn', state_reason = 'another test', closed_at = now(), version = version + 1
         WHERE state IN ('open', 'held', 'escalated')
    )
    UPDATE review_claims SET state = 'released', ended_at = now(), reason = 'another test' WHERE state = 'active'
    """
LEAD_THE_QUEUE = "UPDATE review_tasks SET priority = :priority WHERE batch_id = :batch_id AND ordinal = :ordinal"
TASK_OF = "SELECT id FROM review_tasks WHERE batch_id = :batch_id AND ordinal = :ordinal ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True)
class Seeded:
    """A batch of CASES, judged. Cases are called by their names."""

    world: World
    batch_id: UUID
    appeal_id: UUID

    def item(self, case: str) -> str:
        """A case's public id."""
        return item_id(self.batch_id, ordinal_of(case))

    def task(self, case: str) -> int:
        """The newest task that asks about a case."""
        return int(self.world.value(TASK_OF, batch_id=self.batch_id, ordinal=ordinal_of(case)))

    def offer(self, *cases: str) -> None:
        """These are what is offered next, in this order."""
        for place, case in enumerate(cases):
            self.world.rows(LEAD_THE_QUEUE, batch_id=self.batch_id, ordinal=ordinal_of(case), priority=100 - place)


def ordinal_of(case: str) -> int:
    """A case's place in the batch."""
    return next(ordinal for ordinal, known in enumerate(CASES) if known.name == case)


def seed(settings: Settings, engine: Engine, storage: Storage) -> Seeded:
    """Retires what waits, and seeds anew."""
    world = World(engine)
    world.rows(RETIRE)
    batch_id = _submit(settings, engine, storage)
    outcomes = [judged(case, ordinal) for ordinal, case in enumerate(CASES)]
    for one in outcomes:
        for evidence in one.evidence:
            storage.put(settings.evidence_bucket, evidence.facts.key, evidence.body, evidence.facts.media_type)
    _record(settings, engine, batch_id, outcomes)
    whole_image, *_ = outcomes[ordinal_of(GONE)].evidence
    storage.remove(settings.evidence_bucket, [whole_image.facts.key])
    return Seeded(world, batch_id, _contest(engine, batch_id))


def _submit(settings: Settings, engine: Engine, storage: Storage) -> UUID:
    references = []
    for case in CASES:
        storage.put(settings.upload_bucket, f"browser/{case.name}.jpg", body_of(case), "image/jpeg")
        source = f"s3://{settings.upload_bucket}/browser/{case.name}.jpg"
        references.append({"source-ref": source, "custom_id": case.name, "metadata": {"uploader": "user-17", "album": "spring"}})
    submission = Submission(tenant=TENANT, idempotency_key=uuid4().hex, digest="", priority=0, actor="test")
    return submit_references(references, submission, settings, engine).batch.id


def _record(settings: Settings, engine: Engine, batch_id: UUID, outcomes: list[Judged]) -> None:
    """Through the same writes as a worker's."""
    with transaction(engine) as session:
        ensure_release(session, RELEASE)
        (chunk,) = announce(session, 1_000, max_attempts=3)
        lease = claim(session, chunk, "test", 60)
        assert lease is not None
        judgement = Judgement(actor="test", release=RELEASE, evidence_bucket=settings.evidence_bucket)
        record_outcomes(session, lease, [one.outcome for one in outcomes], judgement)
        assert complete(session, lease)
        assert batch_id in finish_batches(session, actor="test")


def _contest(engine: Engine, batch_id: UUID) -> UUID:
    """A decision by somebody who is not here today, and an appeal against it."""
    ordinal = ordinal_of(CONTESTED)
    World(engine).rows(
        "UPDATE review_tasks SET state = 'done', closed_at = now(), version = 2 WHERE batch_id = :batch_id AND ordinal = :ordinal",
        batch_id=batch_id,
        ordinal=ordinal,
    )
    decision = NewDecision(
        tenant_id=TENANT,
        batch_id=batch_id,
        ordinal=ordinal,
        revision=1,
        basis=DecisionBasis.LEAD,
        verdict=Verdict.GENERATED,
        action=Action.LABEL,
        decided_by="person:earlier",
        reason="The arch is bent.",
    )
    with transaction(engine) as session:
        decision_id = decide(session, decision)
    with transaction(engine) as session:
        appeal = NewAppeal(decision_id=decision_id, statement=STATEMENT, region_position=1, reference="case-4711")
        return open_appeal(session, TENANT, appeal, actor="key:platform").id
