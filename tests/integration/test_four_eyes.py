"""What takes two people under a policy version, on a real Postgres: no reviewer and no lead decides it alone."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.integration.review_desk import GENERATED, REAL, UNSURE, Desk
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import ReviewVerdict, TaskState
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.overrides import Override, override
from worker.store.review_answers import Answer, visible_reviews
from worker.store.review_tasks import find_task
from worker.store.session import transaction

REMOVE = Answer(verdict=ReviewVerdict.GENERATED, action=Action.REMOVE, note="deceptive")
RESTRICT = Answer(verdict=ReviewVerdict.GENERATED, action=Action.RESTRICT, note="minors")


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = Desk(engine)
    desk.world.batch(1, tenant=desk.tenant)  # the tenant, with its queues
    desk.policy(four_eyes=frozenset({Action.REMOVE, Action.RESTRICT}))
    yield desk
    desk.world.retire()


def test_one_reviewer_does_not_remove_alone_and_the_second_does_not_know(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    first = desk.answer(desk.claim("ann"), REMOVE)
    assert (first.task_state, first.decision_id, desk.claim("ann")) == (TaskState.OPEN, None, None)
    second = desk.claim("bob")
    assert second is not None
    with transaction(desk.world.engine) as session:
        assert visible_reviews(session, find_task(session, second.task_id, desk.who("bob")), desk.who("bob")) == []
    assert desk.task(batch_id).state_reason is None
    assert desk.answer(second, REMOVE).task_state is TaskState.DONE
    assert [(d.action, d.decided_by, d.basis) for d in desk.decisions(batch_id)] == [("remove", "ann, bob", "review")]


def test_what_takes_one_is_decided_by_one(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), GENERATED)
    assert [(d.action, d.decided_by) for d in desk.decisions(batch_id)] == [("label", "ann")]


def test_two_who_agree_in_a_queue_of_two_need_no_third(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), REMOVE)
    desk.answer(desk.claim("bob"), REMOVE)
    assert [d.decided_by for d in desk.decisions(batch_id)] == ["ann, bob"]


def test_a_second_who_differs_hands_it_to_a_lead_whose_word_is_enough_when_somebody_said_the_same(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), REMOVE)
    assert desk.answer(desk.claim("bob"), REAL).task_state is TaskState.ESCALATED
    desk.answer(desk.claim("lea", lead=True), REMOVE, lead=True)
    assert [(d.action, d.decided_by, d.basis) for d in desk.decisions(batch_id)] == [("remove", "lea", "lead")]


def test_a_lead_who_is_the_first_to_say_so_needs_a_second_lead(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), UNSURE)
    assert desk.answer(desk.claim("lea", lead=True), REMOVE, lead=True).task_state is TaskState.ESCALATED
    assert (desk.decisions(batch_id), desk.claim("lea", lead=True), desk.claim("bob")) == ([], None, None)
    assert desk.answer(desk.claim("leo", lead=True), RESTRICT, lead=True).task_state is TaskState.ESCALATED
    assert desk.answer(desk.claim("lou", lead=True), REMOVE, lead=True).task_state is TaskState.DONE
    assert [(d.action, d.decided_by) for d in desk.decisions(batch_id)] == [("remove", "lou")]


def test_a_second_lead_can_end_it_with_what_takes_one(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), UNSURE)
    desk.answer(desk.claim("lea", lead=True), REMOVE, lead=True)
    desk.answer(desk.claim("leo", lead=True), REAL, lead=True)
    assert [(d.verdict, d.action, d.decided_by) for d in desk.decisions(batch_id)] == [("real", "none", "leo")]


def test_a_lead_does_not_remove_directly_but_an_appeal_asks_two(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    decided = desk.answer(desk.claim("ann"), GENERATED).decision_id
    assert decided is not None
    wanted = Override(verdict=Verdict.GENERATED, action=Action.REMOVE, reason="deceptive", supersedes=decided)
    with pytest.raises(RejectedError, match="two people") as refused, transaction(desk.world.engine) as session:
        override(session, desk.tenant, (batch_id, 0), wanted, lead="lea")
    assert refused.value.code == "four_eyes_required"
    with transaction(desk.world.engine) as session:
        open_appeal(session, desk.tenant, NewAppeal(decision_id=decided, statement="deceptive"), actor="lea")
    assert desk.claim("lea", "appeals", lead=True) is None
    assert desk.answer(desk.claim("bob", "appeals"), REMOVE).task_state is TaskState.OPEN
    desk.answer(desk.claim("carol", "appeals"), REMOVE)
    assert [(d.action, d.decided_by) for d in desk.decisions(batch_id)] == [("label", "ann"), ("remove", "bob, carol")]


def test_an_answer_that_can_be_taken_back_asks_nobody_yet(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), REMOVE, undo=60)
    assert (desk.task(batch_id).slots, desk.claim("bob")) == (1, None)
    desk.too_late(done)
    desk.conclude()
    assert desk.task(batch_id).slots == 2
    assert desk.claim("bob") is not None
