"""Answers that can be taken back, on a real Postgres: no effect before their time, and none lost, whatever else happens meanwhile."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from sqlalchemy import Engine

from tests.integration.review_desk import GENERATED, REAL, UNSURE, Desk
from tests.integration.review_world import judged_batch
from worker.moderation.errors import FencedError, RejectedError, TransientError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import TaskState
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.erasures import Erasing, erase_item
from worker.store.overrides import Override, override
from worker.store.review_answers import visible_reviews
from worker.store.review_claims import held_claims, hold_task
from worker.store.review_conclusion import conclude_due
from worker.store.review_tasks import find_task, lock_any_task, reassign_task
from worker.store.reviews import Submitted
from worker.store.session import transaction


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = Desk(engine)
    desk.world.batch(1, tenant=desk.tenant)  # the tenant, with its queues
    yield desk
    desk.world.retire()


def refusal(code: str) -> "pytest.RaisesExc[RejectedError]":
    return pytest.RaisesExc(RejectedError, check=lambda error: error.code == code)


def seen_by(desk: Desk, name: str, task_id: int) -> list[str]:
    """Whose answers to the task a reviewer sees."""
    who = desk.who(name)
    with transaction(desk.world.engine) as session:
        return [review.reviewer for review in visible_reviews(session, find_task(session, task_id, who), who)]


def test_an_answer_takes_effect_when_it_can_no_longer_be_taken_back(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    assert (done.task_state, done.decision_id, done.final_at is not None) == (TaskState.OPEN, None, True)
    desk.conclude()
    assert (desk.decisions(batch_id), desk.events(), desk.claim("bob")) == ([], [], None)
    desk.too_late(done)
    desk.conclude()
    (decision,) = desk.decisions(batch_id)
    assert (decision.decided_by, decision.reason) == ("ann", "six fingers")
    assert desk.task(batch_id).state == "done"
    assert desk.events() == ["decision.created", "review.completed"]
    assert desk.actions(batch_id) == ["review.claimed", "review.submitted", "decision.created", "review.concluded"]
    desk.conclude()
    assert len(desk.decisions(batch_id)) == 1


def test_an_answer_that_was_taken_back_is_none_and_its_reviewer_has_the_task_again(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    first = desk.claim("ann")
    done = desk.answer(first, GENERATED, undo=60)
    again = desk.undo("ann", done)
    assert first is not None
    assert (again.task_id, again.slot, again.version, again.token != first.token) == (first.task_id, 1, first.version, True)
    assert desk.undo("ann", done) == again
    assert seen_by(desk, "ann", again.task_id) == []
    with pytest.raises(FencedError):
        desk.answer(first, GENERATED, undo=60)
    desk.answer(again, REAL)
    assert [(d.verdict, d.reason) for d in desk.decisions(batch_id)] == [("real", "a photograph")]
    kept = desk.world.rows("SELECT note, taken_back_at IS NOT NULL AS gone FROM reviews WHERE task_id = :id ORDER BY id", id=again.task_id)
    assert [tuple(row) for row in kept] == [("six fingers", True), ("a photograph", False)]
    assert desk.actions(batch_id)[:3] == ["review.claimed", "review.submitted", "review.taken_back"]
    assert desk.events() == ["decision.created", "review.completed"]


def test_nobody_takes_back_what_has_taken_effect_or_is_another_s(desk: Desk) -> None:
    desk.batch(0.6, 0.6)
    at_once, waiting = desk.answer(desk.claim("ann"), REAL), desk.answer(desk.claim("ann"), REAL, undo=60)
    with refusal("undo_too_late"):
        desk.undo("ann", at_once)
    with refusal("review_missing"):
        desk.undo("bob", waiting)
    desk.too_late(waiting)
    with refusal("undo_too_late"):  # even before the dispatcher has come by
        desk.undo("ann", waiting)


def test_whoever_holds_three_tasks_can_take_an_answer_back_all_the_same(desk: Desk) -> None:
    desk.batch(*[0.6] * 5)
    done = desk.answer(desk.claim("ann"), REAL, undo=60)
    for _ in range(3):
        desk.claim("ann")
    desk.undo("ann", done)
    with transaction(desk.world.engine) as session:
        assert len(held_claims(session, desk.who("ann"))) == 4
    with refusal("claims_too_many"):
        desk.claim("ann")


def test_two_answers_are_weighed_when_neither_can_be_taken_back(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    first = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    second = desk.answer(desk.claim("bob"), GENERATED)
    task_id = desk.task(batch_id).id
    assert (second.final_at, second.decision_id, desk.events()) == (None, None, ["review.completed"])
    assert (seen_by(desk, "ann", task_id), seen_by(desk, "bob", task_id)) == (["ann"], ["ann", "bob"])
    desk.too_late(first)
    desk.conclude()
    assert [d.decided_by for d in desk.decisions(batch_id)] == ["ann, bob"]
    assert desk.events() == ["review.completed", "decision.created", "review.completed"]


def test_an_answer_of_two_is_taken_back_while_the_other_stands(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    first = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    desk.answer(desk.claim("bob"), REAL)
    desk.answer(desk.undo("ann", first), REAL)
    assert [(d.verdict, d.decided_by) for d in desk.decisions(batch_id)] == [("real", "ann, bob")]


def test_answers_that_differ_are_escalated_when_their_time_is_over(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    answers = [desk.answer(desk.claim("ann"), GENERATED, undo=60), desk.answer(desk.claim("bob"), REAL, undo=60)]
    assert desk.task(batch_id).state == "open"
    desk.too_late(*answers)
    desk.conclude()
    assert (desk.task(batch_id).state, desk.decisions(batch_id)) == ("escalated", [])
    settled = desk.answer(desk.claim("lea", lead=True), REAL, lead=True, undo=60)
    assert desk.task(batch_id).state == "escalated"
    desk.too_late(settled)
    desk.conclude()
    assert [(d.basis, d.decided_by) for d in desk.decisions(batch_id)] == [("lead", "lea")]


@pytest.mark.parametrize("how", ["held", "reassigned"])
def test_what_was_held_or_reassigned_meanwhile_keeps_the_answer(desk: Desk, how: str) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    first = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    claim, lea = desk.claim("bob"), desk.who("lea", lead=True)
    assert claim is not None
    with transaction(desk.world.engine) as session:
        if how == "held":
            hold_task(session, desk.who("bob"), claim.task_id, claim.token, version=claim.version, reason="asked", until=None)
        else:
            reassign_task(session, lea, claim.task_id, version=claim.version, to="carol")
    with refusal("undo_too_late"):
        desk.undo("ann", first)
    desk.too_late(first)
    desk.conclude()
    desk.world.rows("UPDATE review_tasks SET held_until = now() WHERE id = :id AND state = 'held'", id=claim.task_id)
    desk.answer(desk.claim("carol"), GENERATED)
    assert [d.decided_by for d in desk.decisions(batch_id)] == ["ann, carol"]


def test_an_answer_to_an_earlier_revision_takes_effect_though_the_image_is_judged_anew(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    judged_batch(desk.world, {0: 0.95}, tenant=desk.tenant, revision=2, batch_id=batch_id)
    with refusal("undo_too_late"):
        desk.undo("ann", done)
    desk.conclude()
    assert [(d.revision, d.decided_by) for d in desk.decisions(batch_id)] == [(1, "ann")]
    states = desk.world.rows("SELECT revision, state FROM review_tasks WHERE batch_id = :id ORDER BY revision", id=batch_id)
    assert [tuple(row) for row in states] == [(1, "done"), (2, "open")]


def test_an_appeal_stays_open_until_its_answer_takes_effect(desk: Desk) -> None:
    batch_id = desk.batch(0.95)
    first = desk.answer(desk.claim("ann"), GENERATED)
    assert first.decision_id is not None
    with transaction(desk.world.engine) as session:
        appeal = open_appeal(session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="I took it"), actor="app")
    second = desk.answer(desk.claim("bob", "appeals"), REAL, undo=60)
    state = "SELECT state FROM appeals WHERE id = :id"
    assert (desk.world.value(state, id=appeal.id), len(desk.decisions(batch_id))) == ("open", 1)
    desk.too_late(second)
    desk.conclude()
    assert desk.world.value(state, id=appeal.id) == "reversed"
    assert desk.events()[2:] == ["decision.superseded", "decision.created", "appeal.decided", "review.completed"]


def test_a_task_that_somebody_works_on_at_that_moment_is_concluded_later_and_nobody_waits(desk: Desk) -> None:
    batch_id = desk.batch(0.6, 0.6)
    desk.too_late(*[desk.answer(desk.claim("ann"), GENERATED, undo=60) for _ in range(2)])
    with transaction(desk.world.engine) as session:
        lock_any_task(session, desk.task(batch_id).id, desk.who("lea"))
        desk.conclude()
        assert [decision.ordinal for decision in desk.decisions(batch_id)] == [1]
    desk.conclude()
    assert [decision.ordinal for decision in desk.decisions(batch_id)] == [1, 0]


def test_half_an_answered_question_is_withdrawn_by_a_newer_revision_and_its_answer_told_of(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), GENERATED, undo=60)
    judged_batch(desk.world, {0: 0.95}, tenant=desk.tenant, revision=2, batch_id=batch_id)
    desk.conclude()
    states = desk.world.rows("SELECT revision, state FROM review_tasks WHERE batch_id = :id ORDER BY revision", id=batch_id)
    assert ([tuple(row) for row in states], desk.decisions(batch_id)) == ([(1, "withdrawn"), (2, "open")], [])
    assert desk.events() == ["review.completed"]


def test_erasing_an_image_that_was_answered_leaves_the_decision_and_not_its_words(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    with transaction(desk.world.engine) as session:
        erase_item(session, desk.tenant, batch_id, 0, Erasing(actor="test", reason="requested", upload_bucket="none"))
    with refusal("undo_too_late"):
        desk.undo("ann", done)
    desk.conclude()
    assert [(d.verdict, d.action, d.reason) for d in desk.decisions(batch_id)] == [("generated", "label", "the image was erased")]


@pytest.mark.parametrize("how", ["erased", "judged anew"])
def test_nobody_else_is_asked_about_what_is_erased_or_judged_anew(desk: Desk, how: str) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), UNSURE, undo=60)
    if how == "erased":
        with transaction(desk.world.engine) as session:
            erase_item(session, desk.tenant, batch_id, 0, Erasing(actor="test", reason="requested", upload_bucket="none"))
    else:
        judged_batch(desk.world, {0: 0.1}, tenant=desk.tenant, revision=2, batch_id=batch_id)  # passes: no task of its own
    desk.too_late(done)
    desk.conclude()
    task = desk.task(batch_id)
    assert (task.state, task.escalated, task.slots, task.closed_at is not None) == ("withdrawn", False, 1, True)
    assert (desk.decisions(batch_id), desk.events()) == ([], ["review.completed"])


def test_an_erased_image_is_not_answered(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    with transaction(desk.world.engine) as session:
        erase_item(session, desk.tenant, batch_id, 0, Erasing(actor="test", reason="requested", upload_bucket="none"))
    desk.world.rows("UPDATE review_tasks SET state = 'open', version = 1 WHERE batch_id = :id", id=batch_id)  # as one that was left over
    with refusal("item_erased"):
        desk.answer(claim, GENERATED)


def test_a_measuring_task_whose_answer_was_taken_back_in_time_is_still_open(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    desk.undo("ann", done)
    desk.world.rows("UPDATE review_tasks SET kind = 'golden', assigned_to = 'ann' WHERE batch_id = :id", id=batch_id)
    with transaction(desk.world.engine) as session:  # the dispatcher had found it due before
        conclude_due(session, desk.task(batch_id).id, actor="dispatcher")
    assert desk.task(batch_id).state == "open"


def test_a_lead_s_own_decision_waits_for_an_answer_that_was_given_before(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    wanted = Override(verdict=Verdict.REAL, action=Action.NONE, reason="I was there", supersedes=None)
    with pytest.raises(TransientError, match="takes effect shortly"), transaction(desk.world.engine) as session:
        override(session, desk.tenant, (batch_id, 0), wanted, lead="lea")
    desk.too_late(done)
    desk.conclude()
    with refusal("decision_superseded"), transaction(desk.world.engine) as session:
        override(session, desk.tenant, (batch_id, 0), wanted, lead="lea")


def test_a_lead_who_is_none_any_more_does_not_settle_what_is_escalated(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), GENERATED)
    desk.answer(desk.claim("bob"), REAL)
    claim = desk.claim("lea", lead=True)
    with refusal("scope_missing"):
        desk.answer(claim, REAL, lead=False)
    assert desk.decisions(batch_id) == []


def test_an_answer_is_either_taken_back_or_takes_effect(desk: Desk) -> None:
    """One thread takes thirty answers back one by one, another concludes what is due: they become due one after the other meanwhile."""
    batch_id = desk.batch(*[0.6] * 30)
    answers = [desk.answer(desk.claim("ann"), GENERATED, undo=60) for _ in range(30)]
    for number, done in enumerate(answers):
        after = f"clock_timestamp() + interval '{10 * (30 - number)} milliseconds'"  # the last ones first: they meet in the middle
        desk.world.rows(f"UPDATE reviews SET pending_until = {after} WHERE id = :id", id=done.review_id)  # noqa: S608
    begin = threading.Barrier(2)
    waiting = "SELECT count(pending_until) FROM reviews AS r JOIN review_tasks AS t ON t.id = r.task_id WHERE t.tenant_id = :t"

    def take_back() -> set[int]:
        begin.wait()
        taken = set()
        for done in answers:
            with suppress(RejectedError):  # too late; its decision is counted below
                taken.add(desk.undo("ann", done).task_id)
        return taken

    def conclude() -> None:
        begin.wait()
        while desk.world.value(waiting, t=desk.tenant):
            desk.conclude()

    with ThreadPoolExecutor(2) as pool:
        taking, concluding = pool.submit(take_back), pool.submit(conclude)
        taken = taking.result()
        concluding.result()
    decided = {decision.task_id for decision in desk.decisions(batch_id)}
    assert (len(taken) + len(decided), taken & decided) == (30, set())
    assert desk.events().count("review.completed") == len(decided)
    held = "SELECT task_id FROM review_claims WHERE reviewer = 'ann' AND state = 'active' AND task_id = ANY(:ids)"
    active = desk.world.rows(held, ids=[*taken, *decided])
    assert {row.task_id for row in active} == taken


def test_two_reviewers_answers_at_once_concluded_by_two_dispatchers_decide_once(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(*[0.6] * 10)
    begin = threading.Barrier(2)

    def work(name: str) -> list[Submitted]:
        done = []
        while (claim := desk.claim(name)) is not None:
            done.append(desk.answer(claim, GENERATED, undo=60))
        return done

    def at_once(name: str) -> list[Submitted]:
        begin.wait()
        return work(name)

    with ThreadPoolExecutor(2) as pool:
        given = [done for answers in pool.map(at_once, ["ann", "bob"]) for done in answers]
        given += work("ann") + work("bob")  # a task that was locked at that very moment is passed over
        assert (len(given), desk.decisions(batch_id)) == (20, [])
        desk.too_late(*given)
        for dispatcher in [pool.submit(desk.conclude) for _ in range(2)]:
            dispatcher.result()
    assert sorted(d.decided_by for d in desk.decisions(batch_id)) == ["ann, bob"] * 10
    assert desk.events().count("review.completed") == 20
    assert desk.actions(batch_id).count("review.concluded") == 20
