"""Review on a real Postgres: claims, answers, decisions, appeals; and the races between reviewers."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text

from tests.integration.review_desk import GENERATED, REAL, UNSURE, Desk
from tests.integration.review_world import judged_batch
from worker.moderation.boxes import Box
from worker.moderation.errors import FencedError, RejectedError
from worker.moderation.review import ESCALATED_BECAUSE, JudgementKind, RegionJudgement, ReviewVerdict, TaskState
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.decisions import current_decision
from worker.store.review_answers import Answer
from worker.store.review_claims import hold_task, release_claim, renew_claim, skip_task
from worker.store.review_tasks import Claimant, reassign_task, reopen_task
from worker.store.reviews import submit_review
from worker.store.session import transaction


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = Desk(engine)
    desk.world.batch(1, tenant=desk.tenant)  # the tenant, with its queues
    yield desk
    desk.world.retire()


def test_an_answer_becomes_a_decision_with_its_events(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    done = desk.answer(claim, GENERATED)
    assert done.task_state is TaskState.DONE
    (decision,) = desk.decisions(batch_id)
    assert (decision.id, decision.basis, decision.verdict, decision.action) == (done.decision_id, "review", "generated", "label")
    assert (decision.decided_by, decision.reason, decision.policy_version) == ("ann", "six fingers", "default@1")
    assert desk.actions(batch_id) == ["review.claimed", "decision.created", "review.submitted"]
    types = [row.type for row in desk.world.rows("SELECT type FROM outbox WHERE tenant_id = :t ORDER BY id", t=desk.tenant)]
    assert types == ["decision.created", "review.completed"]
    assert desk.claim("bob") is None


def test_what_is_flagged_comes_before_what_is_merely_doubtful(desk: Desk) -> None:
    batch_id = desk.batch(0.6, 0.95)
    claim = desk.claim("ann")
    assert claim is not None
    assert claim.task_id == desk.task(batch_id, 1).id


def test_a_claimed_task_is_not_offered_to_another_until_its_claim_expires(desk: Desk) -> None:
    desk.batch(0.6)
    claim = desk.claim("ann")
    assert desk.claim("bob") is None
    desk.expire(claim)
    second = desk.claim("bob")
    assert second is not None
    with pytest.raises(FencedError):
        desk.answer(claim, REAL)
    desk.answer(second, REAL)


def test_a_heartbeat_keeps_a_claim_and_cannot_revive_an_expired_one(desk: Desk) -> None:
    desk.batch(0.6)
    claim = desk.claim("ann")
    assert claim is not None
    with transaction(desk.world.engine) as session:
        assert renew_claim(session, desk.who("ann"), claim.task_id, claim.token) > claim.expires_at
    desk.expire(claim)
    with transaction(desk.world.engine) as session, pytest.raises(FencedError):
        renew_claim(session, desk.who("ann"), claim.task_id, claim.token)


def test_a_token_is_worth_nothing_in_another_reviewer_s_hands(desk: Desk) -> None:
    desk.batch(0.6)
    claim = desk.claim("ann")
    assert claim is not None
    with transaction(desk.world.engine) as session:
        for act in (
            lambda: renew_claim(session, desk.who("eve"), claim.task_id, claim.token),
            lambda: release_claim(session, desk.who("eve"), claim.task_id, claim.token),
            lambda: submit_review(session, desk.who("eve"), claim.task_id, claim.token, REAL, version=claim.version),
        ):
            with pytest.raises(FencedError):
                act()
        stranger = Claimant(tenant_id="somebody-else", reviewer="ann")
        with pytest.raises(RejectedError, match="no review task"):
            release_claim(session, stranger, claim.task_id, claim.token)


def test_an_action_on_a_task_that_changed_meanwhile_is_refused(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    assert claim is not None
    desk.world.rows("UPDATE review_tasks SET version = version + 1 WHERE id = :id", id=claim.task_id)
    with pytest.raises(RejectedError, match="you saw"):
        desk.answer(claim, REAL)
    assert desk.decisions(batch_id) == []


def test_a_released_task_comes_back_and_a_skipped_one_never_to_the_same_reviewer(desk: Desk) -> None:
    desk.batch(0.6)
    first = desk.claim("ann")
    assert first is not None
    with transaction(desk.world.engine) as session:
        release_claim(session, desk.who("ann"), first.task_id, first.token)
    second = desk.claim("ann")
    assert second is not None
    with transaction(desk.world.engine) as session:
        skip_task(session, desk.who("ann"), second.task_id, second.token, reason="I know the photographer")
    assert desk.claim("ann") is None
    assert desk.claim("bob") is not None


def test_a_held_task_waits_until_it_is_reopened(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    assert claim is not None
    with transaction(desk.world.engine) as session:
        hold_task(session, desk.who("ann"), claim.task_id, claim.token, version=claim.version, reason="asked the uploader", until=None)
    assert desk.claim("bob") is None
    with transaction(desk.world.engine) as session:
        reopen_task(session, desk.who("ann"), claim.task_id, version=desk.task(batch_id).version)
    assert desk.claim("bob") is not None


def test_a_task_held_until_a_time_is_offered_again_then(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    assert claim is not None
    with transaction(desk.world.engine) as session:
        now = session.execute(text("SELECT now()")).scalar_one()
        hold_task(session, desk.who("ann"), claim.task_id, claim.token, version=claim.version, reason="a moment", until=now)
    assert desk.claim("bob") is not None
    assert desk.task(batch_id).state == "open"


def test_a_reassigned_task_is_for_one_reviewer_alone(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    assert claim is not None
    with transaction(desk.world.engine) as session:
        reassign_task(session, desk.who("lea", lead=True), claim.task_id, version=claim.version, to="bob")
    with pytest.raises(RejectedError, match="you saw"):
        desk.answer(claim, REAL)
    assert desk.claim("ann") is None
    desk.answer(desk.claim("bob"), REAL)
    assert [d.decided_by for d in desk.decisions(batch_id)] == ["bob"]


def test_two_reviewers_who_agree_decide_and_neither_answers_twice(desk: Desk) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    first = desk.claim("ann")
    assert desk.claim("ann") is None
    waiting = desk.answer(first, GENERATED)
    assert (waiting.task_state, waiting.decision_id) == (TaskState.OPEN, None)
    assert desk.claim("ann") is None
    desk.answer(desk.claim("bob"), GENERATED)
    (decision,) = desk.decisions(batch_id)
    assert decision.decided_by == "ann, bob"


@pytest.mark.parametrize("second", [REAL, UNSURE], ids=["they differ", "one is unsure"])
def test_reviewers_who_do_not_agree_are_settled_by_a_lead_who_was_none_of_them(desk: Desk, second: Answer) -> None:
    desk.slots(2)
    batch_id = desk.batch(0.6)
    desk.answer(desk.claim("ann"), GENERATED)
    assert desk.answer(desk.claim("bob"), second).task_state is TaskState.ESCALATED
    assert desk.decisions(batch_id) == []
    assert desk.claim("carol") is None
    assert desk.claim("ann", lead=True) is None
    claim = desk.claim("lea", lead=True)
    with pytest.raises(RejectedError, match="settled with real or generated"):
        desk.answer(claim, UNSURE, lead=True)
    done = desk.answer(claim, REAL, lead=True)
    assert done.task_state is TaskState.DONE
    assert [(d.basis, d.verdict, d.decided_by) for d in desk.decisions(batch_id)] == [("lead", "real", "lea")]


@pytest.mark.parametrize("waits", [True, False], ids=["until it is reopened", "until a time"])
def test_an_escalated_task_that_was_held_is_still_settled_by_a_lead_alone(desk: Desk, *, waits: bool) -> None:
    batch_id = desk.batch(0.6)
    assert desk.answer(desk.claim("ann"), UNSURE).task_state is TaskState.ESCALATED
    claim, lea = desk.claim("lea", lead=True), desk.who("lea", lead=True)
    assert claim is not None
    with transaction(desk.world.engine) as session:
        until = None if waits else session.execute(text("SELECT now()")).scalar_one()
        hold_task(session, lea, claim.task_id, claim.token, version=claim.version, reason="asked the uploader", until=until)
    if waits:
        assert desk.claim("lea", lead=True) is None
        with transaction(desk.world.engine) as session:
            reopen_task(session, desk.who("ann"), claim.task_id, version=desk.task(batch_id).version)
        assert (desk.task(batch_id).state, desk.task(batch_id).state_reason) == ("escalated", ESCALATED_BECAUSE)
    assert desk.waiting() == (0, 0, 1)
    assert desk.claim("bob") is None
    done = desk.answer(desk.claim("lea", lead=True), REAL, lead=True)
    assert (done.task_state, desk.task(batch_id).slots) == (TaskState.DONE, 2)
    assert [(d.basis, d.decided_by) for d in desk.decisions(batch_id)] == [("lead", "lea")]


def test_boxes_are_judged_one_by_one_and_only_those_there_are(desk: Desk) -> None:
    desk.batch(0.6)
    claim = desk.claim("ann")
    moved = RegionJudgement(kind=JudgementKind.MOVE, position=1, box=Box(2, 2, 20, 20))
    for wrong, words in (
        ((RegionJudgement(kind=JudgementKind.REJECT, position=9),), "no region 9"),
        ((moved, RegionJudgement(kind=JudgementKind.ACCEPT, position=1)), "judged once"),
        ((RegionJudgement(kind=JudgementKind.ADD, box=Box(0, 0, 65, 64)),), "does not lie in the image"),
    ):
        with pytest.raises(RejectedError, match=words):
            desk.answer(claim, Answer(verdict=ReviewVerdict.REAL, judgements=wrong))
    added = RegionJudgement(kind=JudgementKind.ADD, box=Box(40, 40, 64, 64))
    done = desk.answer(claim, Answer(verdict=ReviewVerdict.GENERATED, judgements=(moved, added)))
    rows = desk.world.rows("SELECT kind, position, x0, y1 FROM region_judgements WHERE review_id = :id ORDER BY number", id=done.review_id)
    assert [tuple(row) for row in rows] == [("move", 1, 2, 20), ("add", None, 40, 64)]


def test_a_newer_revision_withdraws_the_question_and_asks_anew(desk: Desk) -> None:
    batch_id = desk.batch(0.6)
    claim = desk.claim("ann")
    judged_batch(desk.world, {0: 0.95}, tenant=desk.tenant, revision=2, batch_id=batch_id)
    states = desk.world.rows("SELECT revision, state FROM review_tasks WHERE batch_id = :id ORDER BY revision", id=batch_id)
    assert [tuple(row) for row in states] == [(1, "withdrawn"), (2, "open")]
    with pytest.raises(RejectedError, match="is withdrawn"):
        desk.answer(claim, REAL)


def test_an_appeal_is_decided_by_somebody_else_and_supersedes(desk: Desk) -> None:
    batch_id = desk.batch(0.95)
    first = desk.answer(desk.claim("ann"), GENERATED)
    assert first.decision_id is not None
    with transaction(desk.world.engine) as session:
        appeal = open_appeal(
            session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="I took it", region_position=1), actor="app"
        )
    assert desk.claim("ann", "appeals", lead=True) is None
    second = desk.answer(desk.claim("bob", "appeals"), REAL)
    assert [(d.basis, d.verdict, d.supersedes) for d in desk.decisions(batch_id)] == [
        ("review", "generated", None),
        ("appeal", "real", first.decision_id),
    ]
    with transaction(desk.world.engine) as session:
        current = current_decision(session, batch_id, 0)
        assert current is not None
        assert current.id == second.decision_id
    assert desk.world.value("SELECT state FROM appeals WHERE id = :id", id=appeal.id) == "reversed"
    types = [row.type for row in desk.world.rows("SELECT type FROM outbox WHERE tenant_id = :t ORDER BY id", t=desk.tenant)]
    assert types[2:] == ["decision.superseded", "decision.created", "appeal.decided", "review.completed"]


def test_whoever_opens_an_appeal_does_not_decide_it(desk: Desk) -> None:
    batch_id = desk.batch(0.95)
    first = desk.answer(desk.claim("ann"), GENERATED)
    assert first.decision_id is not None
    with transaction(desk.world.engine) as session:
        open_appeal(session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="mine"), actor="lea")
    assert desk.claim("lea", "appeals", lead=True) is None
    task, lea = desk.task(batch_id), desk.who("lea", lead=True)
    with transaction(desk.world.engine) as session, pytest.raises(RejectedError, match="opened its appeal"):
        reassign_task(session, lea, task.id, version=task.version, to="lea")
    assert desk.claim("bob", "appeals") is not None


def test_an_appeal_that_finds_the_same_upholds(desk: Desk) -> None:
    desk.batch(0.95)
    first = desk.answer(desk.claim("ann"), GENERATED)
    assert first.decision_id is not None
    with transaction(desk.world.engine) as session:
        appeal = open_appeal(session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="no"), actor="app")
    desk.answer(desk.claim("bob", "appeals"), GENERATED)
    assert desk.world.value("SELECT state FROM appeals WHERE id = :id", id=appeal.id) == "upheld"


def test_appeals_that_cannot_be_are_refused(desk: Desk) -> None:
    desk.batch(0.95)
    first = desk.answer(desk.claim("ann"), GENERATED)
    assert first.decision_id is not None
    with transaction(desk.world.engine) as session:
        with pytest.raises(RejectedError, match="no decision"):
            open_appeal(session, "somebody-else", NewAppeal(decision_id=first.decision_id, statement="x"), actor="app")
        with pytest.raises(RejectedError, match="no region 7"):
            open_appeal(session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="x", region_position=7), actor="app")
        open_appeal(session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="x"), actor="app")
        with pytest.raises(RejectedError, match="contested before"):
            open_appeal(session, desk.tenant, NewAppeal(decision_id=first.decision_id, statement="x"), actor="app")


def test_eight_reviewers_at_once_fill_the_slots_of_fifteen_tasks_without_overshoot(desk: Desk) -> None:
    desk.slots(2)
    desk.batch(*[0.6] * 15)
    begin = threading.Barrier(8)

    def work(name: str) -> int:
        begin.wait()
        answered = 0
        while (claim := desk.claim(name)) is not None:
            desk.answer(claim, GENERATED)
            answered += 1
        return answered

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, [f"reviewer-{number}" for number in range(8)])) == 30
    sql = "SELECT t.id, count(*) AS answers FROM review_tasks t JOIN reviews r ON r.task_id = t.id WHERE t.tenant_id = :t GROUP BY t.id"
    assert [row.answers for row in desk.world.rows(sql, t=desk.tenant)] == [2] * 15
    assert desk.world.value("SELECT count(*) FROM decisions WHERE tenant_id = :t", t=desk.tenant) == 15
