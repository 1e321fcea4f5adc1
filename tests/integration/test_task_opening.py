"""Tasks opened by policy on a real Postgres: samples of what passed, second reviewers, queues of their own; and what becomes of them."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, event

from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.errors import RejectedError
from worker.moderation.opening import SAMPLED
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import DEFAULT_BANDS, Action, Opening
from worker.moderation.review import ReviewVerdict
from worker.store.models.policies import VersionState
from worker.store.overrides import Override, override
from worker.store.policies import Draft, move_version, write_version
from worker.store.policy_reading import read_version
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_queues import QueueSettings, create_queue
from worker.store.review_tasks import Claimant
from worker.store.reviews import submit_review
from worker.store.session import transaction

PASSES, DOUBTFUL, FLAGGED = 0.05, 0.6, 0.95
QA = Opening(qa_share=1.0)


class Office:
    """A tenant of its own whose live policy version opens tasks as a test says."""

    def __init__(self, engine: Engine) -> None:
        self.world, self.tenant = World(engine), f"office-{uuid4().hex[:8]}"
        self.world.batch(1, tenant=self.tenant)

    def opens(self, opening: Opening) -> int:
        with transaction(self.world.engine) as session:
            draft = Draft(bands=DEFAULT_BANDS, queue="default", opening=opening)
            version = write_version(session, self.tenant, "default", draft, actor="ann").version
            move_version(session, self.tenant, "default", version, VersionState.LIVE, actor="ann")
        return version

    def queue(self, name: str, *, slots: int = 1) -> None:
        with transaction(self.world.engine) as session:
            create_queue(session, self.tenant, name, QueueSettings(slots=slots), actor="ann")

    def judged(self, *scores: float, **place: Any) -> UUID:
        return judged_batch(self.world, dict(enumerate(scores)), tenant=self.tenant, **place)

    def tasks(self, batch_id: UUID) -> list[Any]:
        return list(self.world.rows("SELECT * FROM review_tasks WHERE batch_id = :id ORDER BY ordinal, id", id=batch_id))

    def answer(self, reviewer: str, verdict: ReviewVerdict) -> UUID | None:
        who = Claimant(tenant_id=self.tenant, reviewer=reviewer)
        with transaction(self.world.engine) as session:
            claim = claim_task(session, who, "default")
            assert claim is not None
            said = Answer(verdict=verdict, action=Action.LABEL)
            return submit_review(session, who, claim.task_id, claim.token, said, version=claim.version).decision_id


@pytest.fixture
def office(engine: Engine) -> Iterator[Office]:
    office = Office(engine)
    yield office
    office.world.retire()


def test_what_passes_opens_no_task_unless_the_live_version_samples_it(office: Office) -> None:
    assert [t.ordinal for t in office.tasks(office.judged(PASSES, DOUBTFUL))] == [1]
    office.opens(QA)
    tasks = office.tasks(office.judged(PASSES, DOUBTFUL))
    assert [(t.kind, t.route, t.slots) for t in tasks] == [("qa", "pass", 1), ("routing", "review", 1)]
    assert tasks[0].reason == SAMPLED


def test_evidence_of_what_is_sampled_is_part_of_a_case(office: Office) -> None:
    office.opens(QA)
    batch_id = office.judged(PASSES)
    sql = "SELECT e.retention_class FROM regions AS r JOIN evidence AS e ON e.sha256 = r.crop_sha256 WHERE r.batch_id = :id"
    assert office.world.value(sql, id=batch_id) == "case"


def test_a_version_in_shadow_opens_nothing(office: Office) -> None:
    with transaction(office.world.engine) as session:
        draft = Draft(bands=DEFAULT_BANDS, queue="default", opening=QA)
        version = write_version(session, office.tenant, "default", draft, actor="ann").version
        move_version(session, office.tenant, "default", version, VersionState.SHADOW, actor="ann")
    assert office.tasks(office.judged(PASSES)) == []


def test_a_sampled_task_is_decided_on_as_any_other(office: Office) -> None:
    office.opens(QA)
    batch_id = office.judged(PASSES)
    decision = office.answer("ann", ReviewVerdict.GENERATED)
    rows = office.world.rows("SELECT id, basis, verdict, policy_version FROM decisions WHERE batch_id = :id", id=batch_id)
    assert [tuple(row) for row in rows] == [(decision, "review", "generated", "default@2")]


def test_a_sampled_task_is_withdrawn_when_the_image_is_judged_again_and_when_a_lead_decides(office: Office) -> None:
    office.opens(QA)
    batch_id = office.judged(PASSES)
    office.judged(PASSES, revision=2, batch_id=batch_id)
    assert [(t.revision, t.kind, t.state) for t in office.tasks(batch_id)] == [(1, "qa", "withdrawn"), (2, "qa", "open")]
    with transaction(office.world.engine) as session:
        wanted = Override(verdict=Verdict.REAL, action=Action.NONE, reason="seen", supersedes=None)
        override(session, office.tenant, (batch_id, 0), wanted, lead="lea")
    assert [t.state for t in office.tasks(batch_id)] == ["withdrawn", "withdrawn"]


def test_what_is_sampled_for_a_second_reviewer_waits_for_two(office: Office) -> None:
    office.opens(Opening(double_share=1.0, qa_share=1.0))
    tasks = office.tasks(office.judged(PASSES, DOUBTFUL, FLAGGED))
    assert [(t.kind, t.slots) for t in tasks] == [("qa", 1), ("routing", 2), ("routing", 2)]
    assert office.answer("ann", ReviewVerdict.GENERATED) is None
    assert office.answer("bob", ReviewVerdict.GENERATED) is not None


def test_tasks_wait_in_the_queues_that_the_version_names_with_their_slots(office: Office) -> None:
    office.queue("flags", slots=2)
    office.opens(Opening(flag_queue="flags"))
    assert [(t.queue, t.slots) for t in office.tasks(office.judged(DOUBTFUL, FLAGGED))] == [("default", 1), ("flags", 2)]


@pytest.mark.parametrize("opening", [Opening(flag_queue="none"), Opening(disagreement_queue="none")])
def test_a_version_cannot_name_a_queue_that_is_not_there(office: Office, opening: Opening) -> None:
    with pytest.raises(RejectedError, match="no review queue 'none'"):
        office.opens(opening)


def test_versions_are_read_as_they_were_written_each_with_a_key_of_its_own(office: Office) -> None:
    office.queue("odds")
    opening = Opening(disagreement_queue="odds", qa_share=0.02, double_share=0.1)
    first, second = office.opens(opening), office.opens(opening)
    with transaction(office.world.engine) as session:
        read = [read_version(session, office.tenant, "default", number).version.opening for number in (first, second)]
    assert read == [opening, opening]
    assert len({one.key for one in read}) == 2


def test_ids_of_tasks_rise_by_steps_of_chance_that_leave_room_between_them(office: Office) -> None:
    ids = [task.id for task in office.tasks(office.judged(*[DOUBTFUL] * 50))]
    assert ids == sorted(set(ids))
    steps = [after - before for before, after in pairwise(ids)]
    assert sum(steps) > 4 * len(steps)
    assert len(set(steps)) > 4


def test_recording_asks_the_database_no_more_for_many_outcomes_than_for_few(office: Office) -> None:
    office.opens(Opening(qa_share=0.5, double_share=0.5))
    statements: list[str] = []

    def counted(*execution: Any) -> None:
        statements.append(execution[2])

    event.listen(office.world.engine, "before_cursor_execute", counted)
    try:
        numbers = []
        for size in (2, 200):
            begin = len(statements)
            office.judged(*[PASSES, FLAGGED] * (size // 2))
            numbers.append(len(statements) - begin)
    finally:
        event.remove(office.world.engine, "before_cursor_execute", counted)
    assert numbers[1] <= numbers[0] + 2  # rows in batches: insertmanyvalues pages
