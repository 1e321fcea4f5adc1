"""What a reviewer finds in the morning: a judged batch with its pictures in S3, the tasks that the policy opened, and an appeal."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Engine

from tests.browser.cases import CASES, CONTESTED, GONE, RELEASE, Case, Judged, body_of, judged
from tests.integration.queue_world import World
from worker.intake.inline import submit_references
from worker.intake.storage import Storage
from worker.intake.submission import Submission
from worker.moderation.identifiers import item_id, new_uuid7
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import DecisionBasis
from worker.moderation.settings import Settings
from worker.queue.concluding import conclude_answers
from worker.store.announcements import announce
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.chunks import claim, complete
from worker.store.decisions import NewDecision, current_decision, decide
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.releases import ensure_release
from worker.store.session import transaction
from worker.store.settlement import finish_batches
from worker.store.tenants import ensure_tenant

TENANT = "default"
STATEMENT = "I took this photograph myself, in Heidelberg, and can show the negative."
# Of earlier tests: first the tasks, then the claims, each in a transaction of its own, as a page that is just closing locks them, too.
RETIRE_TASKS = """
    UPDATE review_tasks SET state = 'withdrawn', state_reason = 'another test', closed_at = now(), version = version + 1
     WHERE state IN ('open', 'held', 'escalated')
"""
RETIRE_CLAIMS = "UPDATE review_claims SET state = 'released', ended_at = now(), reason = 'another test' WHERE state = 'active'"
LEAD_THE_QUEUE = "UPDATE review_tasks SET priority = :priority WHERE batch_id = :batch_id AND ordinal = :ordinal"
TASK_OF = "SELECT id FROM review_tasks WHERE batch_id = :batch_id AND ordinal = :ordinal ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True)
class Seeded:
    """A judged batch. Cases are called by their names."""

    world: World
    batch_id: UUID
    cases: Sequence[Case]

    def ordinal(self, case: str) -> int:
        """A case's place in the batch."""
        return next(ordinal for ordinal, known in enumerate(self.cases) if known.name == case)

    def item(self, case: str) -> str:
        """A case's public id."""
        return item_id(self.batch_id, self.ordinal(case))

    def task(self, case: str) -> int:
        """The newest task that asks about a case."""
        return int(self.world.value(TASK_OF, batch_id=self.batch_id, ordinal=self.ordinal(case)))

    def reviews(self, case: str) -> list[tuple[str, str, str]]:
        """Who answered the newest task of a case, what, and why; oldest first."""
        sql = "SELECT reviewer, verdict, note FROM reviews WHERE task_id = :task AND taken_back_at IS NULL ORDER BY created_at, id"
        return [tuple(row) for row in self.world.rows(sql, task=self.task(case))]

    def judgements(self, case: str) -> list[tuple[str, int | None, tuple[int, ...] | None]]:
        """What was said of boxes: kind, position, and the new corners."""
        sql = """
            SELECT j.kind, j.position, j.x0, j.y0, j.x1, j.y1 FROM region_judgements AS j JOIN reviews AS r ON r.id = j.review_id
             WHERE r.task_id = :task AND r.taken_back_at IS NULL ORDER BY r.created_at, j.number
        """
        rows = self.world.rows(sql, task=self.task(case))
        return [(row.kind, row.position, tuple(row[2:]) if row.x0 is not None else None) for row in rows]

    def state(self, case: str) -> str:
        """Of a case's newest task."""
        return str(self.world.value("SELECT state FROM review_tasks WHERE id = :task", task=self.task(case)))

    def end_claims(self, case: str) -> None:
        """Nobody's heartbeat came: the claims on a case's task have run out."""
        sql = "UPDATE review_claims SET expires_at = now() - interval '1 second' WHERE task_id = :task AND state = 'active'"
        self.world.rows(sql, task=self.task(case))

    def decision(self, case: str) -> Any:
        """The one that stands."""
        with transaction(self.world.engine) as session:
            return current_decision(session, self.batch_id, self.ordinal(case))

    def contest(self, case: str) -> UUID:
        """The platform appeals against the decision on a case, and its first box: the appeal's id."""
        appeal = NewAppeal(decision_id=self.decision(case).id, statement=STATEMENT, region_position=1, reference="case-4711")
        with transaction(self.world.engine) as session:
            return open_appeal(session, TENANT, appeal, actor="key:platform").id

    def take_effect(self) -> None:
        """The time in which answers can be taken back is over: what the dispatcher does then."""
        self.world.rows("UPDATE reviews SET pending_until = now() WHERE pending_until IS NOT NULL")
        conclude_answers(self.world.engine, actor="dispatcher")

    def offer(self, *cases: str) -> None:
        """These are what is offered next, in this order."""
        for place, case in enumerate(cases):
            self.world.rows(LEAD_THE_QUEUE, batch_id=self.batch_id, ordinal=self.ordinal(case), priority=100 - place)


def seed(settings: Settings, engine: Engine, storage: Storage, *, cases: Sequence[Case] = CASES, slots: int = 1) -> Seeded:
    """Retires what waits, and seeds anew; `slots` people answer each task."""
    seeded = Seeded(World(engine), new_uuid7(), cases)
    for retire in (RETIRE_TASKS, RETIRE_CLAIMS):
        seeded.world.rows(retire)
    with transaction(engine) as session:
        ensure_tenant(session, TENANT)
    seeded.world.rows("UPDATE review_queues SET slots = :slots WHERE tenant_id = :tenant", slots=slots, tenant=TENANT)
    seeded = replace(seeded, batch_id=_submit(settings, engine, storage, cases))
    _record(settings, storage, seeded)
    for case in cases:
        if case.name == CONTESTED:
            _contest(seeded)
    return seeded


def _submit(settings: Settings, engine: Engine, storage: Storage, cases: Sequence[Case]) -> UUID:
    references = []
    for case in cases:
        key = f"browser/{case.picture or 'broken.jpg'}"
        storage.put(settings.upload_bucket, key, body_of(case), "image/jpeg")
        source = f"s3://{settings.upload_bucket}/{key}"
        references.append({"source-ref": source, "custom_id": case.name, "metadata": {"uploader": "user-17", "note": case.metadata}})
    submission = Submission(tenant=TENANT, idempotency_key=uuid4().hex, digest="", priority=0, actor="test")
    return submit_references(references, submission, settings, engine).batch.id


def _record(settings: Settings, storage: Storage, seeded: Seeded) -> None:
    """Through the same writes as a worker's; GONE loses its picture afterwards."""
    outcomes = [_filed(judged(case, ordinal), seeded.batch_id) for ordinal, case in enumerate(seeded.cases)]
    for evidence in {one.facts.key: one for judged_one in outcomes for one in judged_one.evidence}.values():
        storage.put(settings.evidence_bucket, evidence.facts.key, evidence.body, evidence.facts.media_type)
    with transaction(seeded.world.engine) as session:
        ensure_release(session, RELEASE)
        (chunk,) = announce(session, 1_000, max_attempts=3)
        lease = claim(session, chunk, "test", 60)
        assert lease is not None
        judgement = Judgement(actor="test", release=RELEASE, evidence_bucket=settings.evidence_bucket)
        record_outcomes(session, lease, [one.outcome for one in outcomes], judgement)
        assert complete(session, lease)
        assert seeded.batch_id in finish_batches(session, actor="test")
    gone = [one.evidence[0].facts.key for case, one in zip(seeded.cases, outcomes, strict=True) if case.name == GONE]
    if gone:
        storage.remove(settings.evidence_bucket, gone)


def _filed(one: Judged, batch_id: UUID) -> Judged:
    """In a file of this batch's own: what earlier tests seeded are no copies of it, but two cases of one picture are."""
    source = one.outcome.source
    if source is None:
        return one
    sha256 = hashlib.sha256(f"{batch_id} {source.sha256}".encode()).hexdigest()
    return replace(one, outcome=replace(one.outcome, source=replace(source, sha256=sha256)))


def _contest(seeded: Seeded) -> None:
    """A decision by somebody who is not here today, and an appeal against it."""
    place = {"batch_id": seeded.batch_id, "ordinal": seeded.ordinal(CONTESTED)}
    sql = "UPDATE review_tasks SET state = 'done', closed_at = now(), version = 2 WHERE batch_id = :batch_id AND ordinal = :ordinal"
    seeded.world.rows(sql, **place)
    decision = NewDecision(
        tenant_id=TENANT,
        batch_id=seeded.batch_id,
        ordinal=seeded.ordinal(CONTESTED),
        revision=1,
        basis=DecisionBasis.LEAD,
        verdict=Verdict.GENERATED,
        action=Action.LABEL,
        decided_by="person:earlier",
        reason="The arch is bent.",
    )
    with transaction(seeded.world.engine) as session:
        decide(session, decision)
    seeded.contest(CONTESTED)
