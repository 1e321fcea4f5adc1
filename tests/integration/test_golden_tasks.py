"""Golden tasks on a real Postgres: to whom they are given, what becomes of them, and that they decide nothing."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import IntegrityError

from tests.integration.golden_world import DOUBTFUL, FLAGGED, PASSES, GoldenWorld, always
from tests.integration.queue_world import RELEASE
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.opening import SAMPLED
from worker.moderation.outcomes import Outcome, OutcomeKind, Verdict
from worker.moderation.policy import Action, Opening
from worker.moderation.review import JudgementKind, RegionJudgement, ReviewVerdict, TaskState
from worker.moderation.settings import Settings
from worker.store import routing
from worker.store.erasures import Erasing, erase_item
from worker.store.faithfulness import write_checks
from worker.store.golden import golden_accuracy
from worker.store.golden_items import Known, put_golden, retire_golden
from worker.store.outcome_rows import Place
from worker.store.overrides import Override, override
from worker.store.review_claims import hold_task, release_claim, skip_task
from worker.store.review_conclusion import conclude_due, due_tasks
from worker.store.review_queues import QueueSettings, create_queue, read_queue, review_demand
from worker.store.review_tasks import find_task, reassign_task
from worker.store.reviews import undo_review
from worker.store.session import transaction

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


@pytest.fixture
def gold(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoldenWorld]:
    always(monkeypatch)
    world = GoldenWorld.apart(engine)
    yield world
    world.world.retire()


def as_owner(settings: Settings, sql: str, **parameters: object) -> None:
    assert settings.owner_url is not None
    owner = create_engine(settings.owner_url.get_secret_value())
    with owner.begin() as connection:
        connection.execute(text(sql), parameters)
    owner.dispose()


def test_a_golden_task_is_a_copy_of_the_genuine_one_that_it_stands_in_for(gold: GoldenWorld) -> None:
    known, waiting = gold.known(FLAGGED), gold.judged(FLAGGED)
    task = gold.task(gold.claim())
    (genuine,) = gold.world.rows("SELECT * FROM review_tasks WHERE batch_id = :id", id=waiting)
    alike = ("queue", "route", "reason", "priority", "slots", "due_at", "created_at", "state", "version", "escalated", "held_until")
    assert (task.kind, task.batch_id, task.assigned_to) == ("golden", known, "ann")
    assert [getattr(task, name) for name in alike] == [getattr(genuine, name) for name in alike]
    between = "SELECT count(*) FROM review_tasks WHERE id > least(:a, :b) AND id < greatest(:a, :b)"
    assert (task.id != genuine.id, gold.world.value(between, a=task.id, b=genuine.id)) == (True, 0)


def test_it_decides_nothing_tells_nobody_and_is_measured(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED, Verdict.REAL)
    gold.judged(FLAGGED)
    claim = gold.claim()
    done = gold.answer(claim, ReviewVerdict.GENERATED, action=Action.REMOVE)
    assert (done.task_state, done.decision_id) == (TaskState.DONE, None)
    assert gold.world.value("SELECT count(*) FROM decisions WHERE batch_id = :id", id=known) == 0
    assert gold.world.value("SELECT count(*) FROM outbox WHERE tenant_id = :t", t=gold.tenant) == 0
    (answer,) = gold.answers()
    assert (answer.reviewer, answer.expected, answer.answered, answer.correct) == ("ann", "real", "generated", False)
    assert gold.world.value("SELECT count(*) FROM moderation_v1.review_live WHERE batch_id = :id", id=known) == 0


def test_an_unsure_answer_asks_no_lead(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    assert gold.answer(gold.claim(), ReviewVerdict.UNSURE).task_state is TaskState.DONE
    assert gold.answers()[0].correct is False


def test_nothing_is_offered_where_nothing_waits_or_the_queue_asks_for_none(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    assert gold.claim() is None
    gold.judged(FLAGGED)
    gold.share(0.0)
    assert gold.task(gold.claim()).kind == "routing"


def test_a_reviewer_has_one_at_a_time_and_then_the_genuine_one(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    assert [gold.task(gold.claim()).kind for _ in range(2)] == ["golden", "routing"]


def test_nobody_is_asked_about_an_image_twice_in_thirty_days(gold: GoldenWorld, settings: Settings) -> None:
    known = gold.known(FLAGGED)
    gold.judged(FLAGGED, FLAGGED)
    gold.answer(gold.claim())
    assert gold.task(gold.claim()).kind == "routing"
    assert gold.task(gold.claim("bob")).batch_id == known
    as_owner(settings, "UPDATE golden_tasks SET made_at = made_at - interval '31 days' WHERE reviewer = 'ann'")
    assert gold.task(gold.claim()).batch_id == known


def test_nobody_is_asked_about_what_they_added_answered_or_decided_on(gold: GoldenWorld) -> None:
    gold.known(FLAGGED, by="ann")
    gold.share(0.0)
    answered = gold.judged(FLAGGED)
    gold.answer(gold.claim())
    decided = gold.judged(FLAGGED)
    with transaction(gold.world.engine) as session:
        wanted = Override(verdict=Verdict.GENERATED, action=Action.NONE, reason="seen", supersedes=None)
        override(session, gold.tenant, (decided, 0), wanted, lead="ann")
        for batch_id in (answered, decided):
            put_golden(session, gold.tenant, (batch_id, 0), Known(verdict=Verdict.GENERATED), actor="keeper")
    gold.share(0.5)
    gold.judged(FLAGGED)
    assert gold.task(gold.claim()).kind == "routing"


def test_nobody_is_asked_about_an_image_that_people_are_genuinely_asked_about(gold: GoldenWorld) -> None:
    batch_id = gold.judged(FLAGGED)
    with transaction(gold.world.engine) as session:
        put_golden(session, gold.tenant, (batch_id, 0), Known(verdict=Verdict.GENERATED), actor="keeper")
    assert gold.task(gold.claim()).kind == "routing"


def test_an_image_stands_in_only_for_what_the_policy_of_today_routes_alike(gold: GoldenWorld) -> None:
    passed = gold.known(PASSES, Verdict.REAL)
    gold.judged(FLAGGED)
    assert gold.task(gold.claim()).kind == "routing"
    gold.opens(Opening(qa_share=1.0))
    gold.judged(PASSES)
    sampled = gold.task(gold.claim("bob"))
    assert (sampled.batch_id, sampled.kind, sampled.route, sampled.reason) == (passed, "golden", "pass", SAMPLED)


def test_an_image_whose_explanation_was_not_tested_stands_in_for_what_is_reviewed_and_not_for_a_flag(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED)
    failed = Faithfulness(error_code="nothing_cited", error_message="The verdict cites no region that could be hidden.")
    with transaction(gold.world.engine) as session:
        outcome = Outcome(ordinal=0, kind=OutcomeKind.VERDICT, faithfulness=failed)
        write_checks(session, Place(batch_id=known, revision=1, chunk_id=0), [outcome])
    flagged = gold.judged(FLAGGED)
    assert gold.task(gold.claim("ann")).batch_id == flagged
    gold.world.rows("UPDATE review_tasks SET state = 'withdrawn', closed_at = now() WHERE batch_id = :id", id=flagged)
    gold.judged(DOUBTFUL)
    task = gold.task(gold.claim("bob"))
    assert (task.batch_id, task.route, task.reason) == (known, "review", "it cites nothing that could be tested")


def test_an_image_stands_in_only_where_it_would_have_come(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    with transaction(gold.world.engine) as session:
        create_queue(session, gold.tenant, "flags", QueueSettings(golden_share=0.5), actor="lea")
        create_queue(session, gold.tenant, "odds", QueueSettings(golden_share=0.5), actor="lea")
    gold.opens(Opening(flag_queue="flags", disagreement_queue="odds"))
    batch_id = gold.judged(FLAGGED)
    gold.world.rows("UPDATE review_tasks SET queue = 'odds' WHERE batch_id = :id", id=batch_id)
    assert gold.task(gold.claim("ann", "odds")).kind == "routing"
    gold.judged(FLAGGED)
    assert gold.task(gold.claim("ann", "flags")).kind == "golden"


def test_one_that_is_given_back_comes_back_to_its_reviewer_alone(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    claim = gold.claim()
    assert claim is not None
    with transaction(gold.world.engine) as session:
        release_claim(session, gold.who("ann"), claim.task_id, claim.token)
    again = gold.claim()
    assert again is not None
    gold.world.rows("UPDATE review_claims SET expires_at = now() - interval '1 second' WHERE token = :token", token=again.token)
    other = gold.claim("bob")
    assert other is not None
    assert other.task_id != claim.task_id
    kinds = Counter(gold.task(c).assigned_to for c in (gold.claim(), gold.claim()) if c is not None)
    assert kinds == {"ann": 1, None: 1}


@pytest.mark.parametrize("way", ["skipped", "left"])
def test_one_that_is_skipped_or_left_for_a_day_is_withdrawn(gold: GoldenWorld, settings: Settings, way: str) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    claim = gold.claim()
    assert claim is not None
    with transaction(gold.world.engine) as session:
        if way == "skipped":
            skip_task(session, gold.who("ann"), claim.task_id, claim.token, reason="not for me")
        else:
            hold_task(session, gold.who("ann"), claim.task_id, claim.token, version=claim.version, reason="later", until=None)
    if way == "left":
        gold.claim("bob")
        assert gold.task(claim).state == "held"
        as_owner(settings, "UPDATE golden_tasks SET made_at = made_at - interval '25 hours' WHERE task_id = :id", id=claim.task_id)
    gold.claim("bob")
    assert gold.task(claim).state == "withdrawn"


def test_queues_count_no_golden_task(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    gold.claim()
    with transaction(gold.world.engine) as session:
        waiting = read_queue(session, gold.tenant, "default").waiting
        (demand,) = [one for one in review_demand(session) if (one.tenant_id, one.queue) == (gold.tenant, "default")]
    assert (waiting.open, demand.open) == (1, 1)


def test_nobody_else_finds_it_or_is_given_it_by_a_lead(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    claim = gold.claim()
    assert claim is not None
    with transaction(gold.world.engine) as session:
        for who in (gold.who("bob"), gold.who("lea", lead=True)):
            with pytest.raises(RejectedError, match="no review task"):
                find_task(session, claim.task_id, who)
        with pytest.raises(RejectedError, match="no review task"):
            reassign_task(session, gold.who("lea", lead=True), claim.task_id, version=1, to="bob")
        with pytest.raises(RejectedError, match="Nobody else"):
            reassign_task(session, gold.who("ann", lead=True), claim.task_id, version=1, to=None)


def test_where_no_id_is_free_beside_it_the_genuine_task_is_given(gold: GoldenWorld, settings: Settings) -> None:
    before, waiting, behind = gold.judged(DOUBTFUL), gold.judged(FLAGGED), gold.judged(DOUBTFUL)
    gold.world.rows("UPDATE review_tasks SET state = 'withdrawn', closed_at = now() WHERE batch_id IN (:a, :b)", a=before, b=behind)
    (place,) = gold.world.rows("SELECT id FROM review_tasks WHERE batch_id = :id", id=waiting)
    for batch_id, place_id in ((before, place.id - 1), (behind, place.id + 1)):
        as_owner(settings, "UPDATE review_tasks SET id = :place WHERE batch_id = :id", place=place_id, id=batch_id)
    gold.known(FLAGGED)
    assert gold.task(gold.claim()).batch_id == waiting


def test_genuine_tasks_are_as_close_to_one_another_as_a_golden_one_can_be(gold: GoldenWorld) -> None:
    batch_id = gold.judged(*[FLAGGED] * 400)
    ids = [row.id for row in gold.world.rows("SELECT id FROM review_tasks WHERE batch_id = :id ORDER BY ordinal", id=batch_id)]
    gaps = [after - before for before, after in pairwise(ids)]
    assert (len(ids), min(gaps)) == (400, 1), "of 399 gaps about 25 are of the next id; they grow with the place in the batch"
    assert len({one // 16 for one in ids}) < 350, "many share a block of sixteen"
    assert max(gaps) > 32, "and no length of a gap is certain"


def test_an_id_that_is_taken_is_an_error_and_no_lost_task(gold: GoldenWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    gold.judged(FLAGGED)
    taken = "(tenant_id, queue,", "(id, tenant_id, queue,"
    its_id = ("SELECT b.tenant_id,", "SELECT (SELECT min(id) FROM review_tasks), b.tenant_id,")
    monkeypatch.setattr(routing, "OPEN_TASKS", text(routing.OPEN_TASKS.text.replace(*taken).replace(*its_id)))
    with pytest.raises(IntegrityError, match="pk_review_tasks"):
        gold.judged(FLAGGED)


def test_what_is_known_better_later_measures_earlier_answers(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED)
    gold.judged(FLAGGED)
    gold.answer(gold.claim())
    assert gold.answers()[0].correct
    with transaction(gold.world.engine) as session:
        put_golden(session, gold.tenant, (known, 0), Known(verdict=Verdict.REAL), actor="keeper")
    assert not gold.answers()[0].correct


def test_what_is_retired_is_asked_about_no_more_and_keeps_its_answers(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED)
    gold.judged(FLAGGED, FLAGGED)
    gold.answer(gold.claim())
    with transaction(gold.world.engine) as session:
        retire_golden(session, gold.tenant, (known, 0), actor="keeper")
    assert gold.task(gold.claim("bob")).kind == "routing"
    assert len(gold.answers()) == 1


ACCEPT = RegionJudgement(kind=JudgementKind.ACCEPT, position=1)
REJECT = RegionJudgement(kind=JudgementKind.REJECT, position=1)


@pytest.mark.parametrize(
    ("judged", "iou"),
    [
        ((), None),
        ((REJECT,), 0.0),
        ((ACCEPT,), 0.5),  # the model's box is one of two
        ((RegionJudgement(kind=JudgementKind.MOVE, position=1, box=Box(1, 2, 30, 21)),), 0.25),
        ((ACCEPT, RegionJudgement(kind=JudgementKind.ADD, box=Box(40, 40, 60, 60))), 1.0),
    ],
    ids=["none is judged", "rejected", "accepted", "moved to a half", "all found"],
)
def test_boxes_are_measured_by_the_best_overlap_of_each_that_is_known(
    gold: GoldenWorld, judged: tuple[RegionJudgement, ...], iou: float | None
) -> None:
    gold.known(FLAGGED, Verdict.GENERATED, Box(1, 2, 30, 40), Box(40, 40, 60, 60))
    gold.judged(FLAGGED)
    gold.answer(gold.claim(), judgements=judged)
    assert gold.answers()[0].box_iou == iou


def test_boxes_judged_on_golden_tasks_count_for_no_box_of_the_model(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED)
    gold.judged(FLAGGED)
    gold.answer(gold.claim(), judgements=(REJECT,))
    assert gold.world.value("SELECT rejected FROM moderation_v1.region_current WHERE batch_id = :id", id=known) == 0


def test_accuracy_is_told_of_each_reviewer_and_of_all(gold: GoldenWorld) -> None:
    gold.known(FLAGGED, Verdict.GENERATED, Box(1, 2, 30, 40))
    gold.known(FLAGGED, Verdict.REAL)
    gold.judged(*[FLAGGED] * 6)
    for reviewer, verdict in (("ann", ReviewVerdict.GENERATED), ("bob", ReviewVerdict.UNSURE)):
        for _ in range(2):
            gold.answer(gold.claim(reviewer), verdict, judgements=(ACCEPT,))
    with transaction(gold.world.engine) as session:
        found = golden_accuracy(session, gold.tenant, LONG_AGO)
        later = golden_accuracy(session, gold.tenant, datetime.now(UTC) + timedelta(days=1))
    ann, bob = (accuracy for _, accuracy in found.reviewers)
    assert [name for name, _ in found.reviewers] == ["ann", "bob"]
    assert (ann.answers, ann.correct, ann.false_alarms, ann.unsure, ann.accuracy) == (2, 1, 1, 0, 0.5)
    assert (bob.answers, bob.correct, bob.unsure, bob.accuracy) == (2, 0, 2, 0.0)
    overall = found.overall
    assert (overall.answers, overall.correct, overall.missed, overall.judged_boxes, overall.box_iou) == (4, 1, 0, 2, 1.0)
    assert (later.overall.answers, later.overall.accuracy, later.reviewers) == (0, None, [])


def test_reviewers_at_once_answer_every_genuine_task_once_whatever_is_golden(gold: GoldenWorld) -> None:
    for _ in range(4):
        gold.known(FLAGGED)
    gold.judged(*[FLAGGED] * 20)
    begin = threading.Barrier(6)

    def work(name: str) -> None:
        begin.wait()
        while (claim := gold.claim(name)) is not None:
            gold.answer(claim)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [f"reviewer-{number}" for number in range(6)]))
    assert gold.world.value("SELECT count(*) FROM decisions WHERE tenant_id = :t", t=gold.tenant) == 20
    asked = Counter((answer.reviewer, answer.item_id) for answer in gold.answers())
    assert asked
    assert set(asked.values()) == {1}


def test_an_untrained_release_s_image_stands_in_as_any_other_it_would_be_reviewed(gold: GoldenWorld, settings: Settings) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED, DOUBTFUL)
    as_owner(settings, "UPDATE releases SET training = 'untrained' WHERE id = :id", id=RELEASE.id)
    try:
        assert gold.task(gold.claim()).kind == "routing"  # flagged: no untrained score is
    finally:
        as_owner(settings, "UPDATE releases SET training = 'trained' WHERE id = :id", id=RELEASE.id)


def test_chance_gives_about_the_share_that_a_queue_asks_for(engine: Engine) -> None:
    gold = GoldenWorld.apart(engine)
    gold.known(FLAGGED)
    gold.judged(*[FLAGGED] * 60)
    kinds = Counter(gold.task(gold.claim(f"r{number}")).kind for number in range(60))
    assert 8 < kinds["golden"] < 52  # of 60 by the toss of a coin: fewer or more once in a thousand million times
    gold.world.retire()


def test_the_parts_of_a_golden_image_are_kept_until_it_is_retired(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED)
    kept = "SELECT item_kept_until(CAST(:id AS uuid), 0) = 'infinity'"
    assert gold.world.value(kept, id=known) is True
    with transaction(gold.world.engine) as session:
        retire_golden(session, gold.tenant, (known, 0), actor="keeper")
    assert gold.world.value(kept, id=known) is False


def test_an_erased_image_leaves_the_set_and_nothing_said_of_it_stays(gold: GoldenWorld) -> None:
    known = gold.known(FLAGGED, Verdict.GENERATED, Box(1, 2, 30, 40))
    gold.judged(FLAGGED)
    claim = gold.claim()
    with transaction(gold.world.engine) as session:
        erase_item(session, gold.tenant, known, 0, Erasing("keeper", "requested", "uploads"))
    assert gold.task(claim).state == "withdrawn"
    (row,) = gold.world.rows("SELECT * FROM golden_items WHERE batch_id = :id", id=known)
    assert (row.note, row.boxes, row.retired_by, row.verdict) == ("", [], "keeper", "generated")
    assert gold.task(gold.claim("bob")).kind == "routing"
    with transaction(gold.world.engine) as session, pytest.raises(RejectedError, match="was erased"):
        put_golden(session, gold.tenant, (known, 0), Known(verdict=Verdict.REAL), actor="keeper")


def test_an_answer_that_can_be_taken_back_is_measured_once_it_cannot(gold: GoldenWorld) -> None:
    gold.known(FLAGGED)
    gold.judged(FLAGGED)
    first = gold.answer(gold.claim(), ReviewVerdict.REAL, undo_seconds=30)
    assert (first.task_state, first.decision_id, gold.answers()) == (TaskState.OPEN, None, [])
    with transaction(gold.world.engine) as session:
        again = undo_review(session, gold.who("ann"), first.review_id)
    second = gold.answer(again, ReviewVerdict.GENERATED, undo_seconds=30)
    gold.world.rows("UPDATE reviews SET pending_until = now() WHERE id = :id", id=second.review_id)
    with transaction(gold.world.engine) as session:
        assert again.task_id in due_tasks(session, limit=10)
        assert conclude_due(session, again.task_id, actor="dispatcher") is None
    assert gold.task(again).state == "done"
    assert [answer.answered for answer in gold.answers()] == ["generated"]
    assert gold.world.value("SELECT count(*) FROM outbox WHERE tenant_id = :t", t=gold.tenant) == 0
