"""Reviewers at once, over HTTP: nobody gets another's slot, nothing is answered or changed twice."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Engine

from tests.integration.review_room import CLAIM, GENERATED, Claimed, Person, Room, a_room
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


async def answer_all(reviewer: Person) -> int:
    """Claims and answers until nothing is offered: how many times."""
    answered = 0
    while (offer := await reviewer.post(CLAIM)).status_code == 200:
        body = offer.json()
        claim = Claimed(body["task"]["id"], {"lease_token": body["lease_token"]}, offer.headers["etag"], body)
        answer = await reviewer.answer(claim)
        assert answer.status_code == 201, answer.text
        answered += 1
    assert offer.status_code == 204, offer.text
    return answered


async def test_six_reviewers_fill_two_slots_of_twelve_tasks_and_no_more(room: Room) -> None:
    room.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :t", t=room.tenant)
    room.judged(*[0.6] * 12)
    reviewers = [room.person() for _ in range(6)]
    at_once = sum(await asyncio.gather(*map(answer_all, reviewers)))
    # A task that another transaction has locked at that very moment is passed over: whoever was the last to look may have missed it.
    left = sum([await answer_all(reviewer) for reviewer in reviewers])
    assert at_once + left == 24
    sql = (
        "SELECT count(DISTINCT r.reviewer) AS people, count(DISTINCT r.slot) AS slots, t.state"
        " FROM review_tasks t JOIN reviews r ON r.task_id = t.id WHERE t.tenant_id = :t GROUP BY t.id"
    )
    assert [tuple(row) for row in room.world.rows(sql, t=room.tenant)] == [(2, 2, "done")] * 12


async def test_one_slot_goes_to_one_of_ten(room: Room) -> None:
    room.judged(0.6)
    offers = await asyncio.gather(*[room.person().post(CLAIM) for _ in range(10)])
    assert Counter(offer.status_code for offer in offers) == {200: 1, 204: 9}


async def test_a_reviewer_who_claims_ten_times_at_once_holds_three_different_tasks(room: Room) -> None:
    room.judged(*[0.6] * 10)
    ann = room.person()
    offers = await asyncio.gather(*[ann.post(CLAIM) for _ in range(10)])
    assert Counter(offer.status_code for offer in offers) == {200: 3, 409: 7}
    assert len({offer.json()["task"]["id"] for offer in offers if offer.status_code == 200}) == 3


async def test_an_answer_sent_six_times_at_once_is_recorded_once(room: Room) -> None:
    room.judged(0.6)
    ann = room.person()
    claim = await ann.claim()
    answers = await asyncio.gather(*[ann.answer(claim, GENERATED) for _ in range(6)])
    assert [answer.status_code for answer in answers] == [201] * 6
    assert len({answer.json()["review_id"] for answer in answers}) == 1
    assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
    assert room.world.value("SELECT count(*) FROM decisions WHERE tenant_id = :t", t=room.tenant) == 1


async def test_of_changes_that_saw_the_same_version_one_is_made(room: Room) -> None:
    room.judged(0.6)
    lead = room.person(Scope.LEAD)
    claim = await lead.claim()
    moves = [lead.post(f"{claim.path}:reassign", {"to": f"person:{number}"}, seen=claim.etag) for number in range(5)]
    assert Counter(answer.status_code for answer in await asyncio.gather(*moves)) == {200: 1, 412: 4}
    changes = [lead.patch("/v1/queues/default", {"due_hours": hours}, seen='"1"') for hours in range(1, 6)]
    assert Counter(answer.status_code for answer in await asyncio.gather(*changes)) == {200: 1, 412: 4}


async def test_an_answer_and_a_reassignment_at_once_do_not_both_count(room: Room) -> None:
    room.judged(*[0.6] * 8)
    ann, lead = room.person(), room.person(Scope.LEAD)
    for _ in range(8):
        claim = await ann.claim()
        move = lead.post(f"{claim.path}:reassign", {"to": "person:nobody"}, seen=claim.etag)
        statuses = tuple(answer.status_code for answer in await asyncio.gather(ann.answer(claim), move))
        assert statuses in {(201, 409), (412, 200)}
