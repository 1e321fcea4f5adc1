"""Review over HTTP, on a real Postgres: queues, claims, answers, and everything that can go wrong between reviewers."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from tests.integration.api_world import problem
from tests.integration.review_room import CLAIM, GENERATED, Claimed, Room, a_room
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.queue.metrics import REVIEW_TASKS, show_reviews
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.review_queues import review_demand
from worker.store.session import transaction

HOSTILE = "<script>alert(1)</script> '; DROP TABLE reviews; -- \u202eevil"


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


async def test_a_reviewer_claims_sees_all_there_is_and_decides(room: Room) -> None:
    ann = room.person()
    room.judged(0.6)
    claim = await ann.claim()
    task = claim.body["task"]
    assert claim.etag == '"1"'
    assert (task["route"], task["policy_version"], task["item"]["source"]) == ("review", "default@1", "s3://b/k0")
    assert (task["outcome"]["verdict"], task["outcome"]["p_generated"], task["outcome"]["training"]) == ("generated", 0.6, "trained")
    assert "model card" in task["outcome"]["honesty"]
    (region,) = task["regions"]
    assert (region["reason"], region["box"], region["crop"]) == ("hand", [1, 2, 30, 40], f"/v1/regions/{region['id']}/crop")
    assert (await ann.get(claim.path)).json() == task
    done = await ann.answer(claim)
    assert (done.status_code, done.json()["task_state"], done.headers["etag"]) == (201, "done", '"2"')
    after = (await ann.get(claim.path)).json()
    assert [d["id"] for d in after["decisions"]] == [done.json()["decision_id"]]
    assert (after["state"], after["answers"]) == ("done", 1)
    assert (await ann.post(CLAIM)).status_code == 204


async def test_a_page_that_is_loaded_again_finds_its_tasks_and_no_more_than_three_are_held(room: Room) -> None:
    ann, bob = room.person(), room.person()
    room.judged(*[0.6] * 4)
    claims = [await ann.claim() for _ in range(3)]
    assert problem(await ann.post(CLAIM)) == (409, "claims_too_many")
    held = (await ann.get("/v1/claims")).json()["claims"]
    assert held == [claim.body for claim in claims]
    assert (await bob.get("/v1/claims")).json() == {"claims": []}
    await ann.answer(claims[0])
    await ann.claim()


async def test_queues_are_made_counted_and_changed_only_as_they_were_seen(room: Room) -> None:
    lead, ann = room.person(Scope.LEAD), room.person()
    made = await lead.post("/v1/queues", {"name": "art", "slots": 2, "guidance": HOSTILE})
    assert (made.status_code, made.headers["location"], made.headers["etag"]) == (201, "/v1/queues/art", '"1"')
    assert made.json()["guidance"] == HOSTILE
    assert problem(await lead.post("/v1/queues", {"name": "art"})) == (409, "queue_exists")
    assert problem(await ann.post("/v1/queues", {"name": "mine"})) == (403, "scope_missing")
    assert problem(await lead.patch("/v1/queues/art", {"slots": 3})) == (428, "precondition_missing")
    changed = await lead.patch("/v1/queues/art", {"slots": 3}, seen='"1"')
    assert (changed.json()["slots"], changed.json()["guidance"], changed.headers["etag"]) == (3, HOSTILE, '"2"')
    assert problem(await lead.patch("/v1/queues/art", {"slots": 4}, seen='"1"')) == (412, "precondition_failed")
    assert problem(await lead.patch("/v1/queues/none", {"slots": 4}, seen='"1"')) == (404, "not_found")
    room.judged(0.6, 0.6, 0.95)
    await ann.answer(await ann.claim(), {"verdict": "unsure"})
    held = await ann.claim()
    await ann.post(f"{held.path}:hold", {**held.token, "reason": "asked"}, seen=held.etag)
    room.world.rows("UPDATE review_tasks SET due_at = now() - interval '1 hour' WHERE tenant_id = :t AND state = 'open'", t=room.tenant)
    waiting = (await ann.get("/v1/queues/default")).json()["waiting"]
    assert {**waiting, "oldest": bool(waiting["oldest"])} == {"open": 1, "held": 1, "escalated": 1, "overdue": 1, "oldest": True}
    first = (await ann.get("/v1/queues", limit="2")).json()
    rest = (await ann.get("/v1/queues", limit="2", cursor=first["next_cursor"])).json()
    assert [queue["name"] for queue in (*first["queues"], *rest["queues"])] == ["appeals", "art", "default"]


async def test_nobody_sees_another_s_answer_before_giving_one(room: Room) -> None:
    ann, bob, lead, reader = room.person(), room.person(), room.person(Scope.LEAD), room.person(Scope.READ)
    room.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :t", t=room.tenant)
    room.judged(0.6)
    first = await ann.claim()
    judgement = {"kind": "move", "position": 1, "box": [2, 2, 20, 20]}
    await ann.answer(first, {**GENERATED, "note": HOSTILE, "judgements": [judgement]})
    second = await bob.claim()
    for person in (bob, reader):
        assert (await person.get(f"{first.path}/reviews")).json() == {"reviews": []}
        assert "DROP TABLE" not in (seen := (await person.get(first.path)).text)
        assert ann.name not in seen
    for person in (ann, lead):
        (review,) = (await person.get(f"{first.path}/reviews")).json()["reviews"]
        assert (review["reviewer"], review["note"], review["judgements"]) == (ann.name, HOSTILE, [judgement])
    await bob.answer(second, {"verdict": "real"})
    for person in (bob, lead):
        assert [review["reviewer"] for review in (await person.get(f"{first.path}/reviews")).json()["reviews"]] == [ann.name, bob.name]
    assert (await ann.post(CLAIM)).status_code == 204
    settled = await lead.answer(await lead.claim(), {"verdict": "unsure"})
    assert problem(settled) == (422, "lead_unsure")
    claim = Claimed(first.task, {"lease_token": (await lead.get("/v1/claims")).json()["claims"][0]["lease_token"]}, '"2"', None)
    assert (await lead.answer(claim)).json()["task_state"] == "done"
    assert len((await reader.get(f"{first.path}/reviews")).json()["reviews"]) == 3


async def test_the_same_answer_twice_is_one_review_and_another_is_refused(room: Room) -> None:
    ann = room.person()
    room.judged(0.6)
    claim = await ann.claim()
    body = {**GENERATED, "judgements": [{"kind": "accept", "position": 1}, {"kind": "add", "box": [40, 40, 64, 64]}]}
    first, second = await ann.answer(claim, body), await ann.answer(claim, body)
    assert (first.json(), "idempotency-replayed" in first.headers) == (second.json(), False)
    assert (second.status_code, second.headers["idempotency-replayed"]) == (201, "true")
    assert problem(await ann.answer(claim, {"verdict": "real"})) == (409, "review_exists")
    assert room.world.value("SELECT count(*) FROM reviews WHERE task_id = :id", id=claim.task) == 1


async def test_an_expired_claim_is_lost_and_the_next_reviewer_has_the_task(room: Room) -> None:
    ann, bob = room.person(), room.person()
    room.judged(0.6)
    claim = await ann.claim()
    renewed = await ann.post(f"{claim.path}:heartbeat", claim.token)
    assert renewed.json()["expires_at"] > claim.body["expires_at"]
    assert problem(await bob.post(f"{claim.path}:heartbeat", claim.token)) == (409, "claim_lost")
    room.world.rows("UPDATE review_claims SET expires_at = now() - interval '1 second' WHERE task_id = :id", id=claim.task)
    assert problem(await ann.post(f"{claim.path}:heartbeat", claim.token)) == (409, "claim_lost")
    assert problem(await ann.answer(claim)) == (409, "claim_lost")
    assert (await ann.get("/v1/claims")).json() == {"claims": []}
    assert (await bob.answer(await bob.claim())).status_code == 201
    assert problem(await ann.answer(claim)) == (409, "task_finished")


async def test_tasks_are_released_skipped_held_and_reopened(room: Room) -> None:
    ann, bob = room.person(), room.person()
    room.judged(0.6)
    claim = await ann.claim()
    assert (await ann.post(f"{claim.path}:release", claim.token)).json()["state"] == "open"
    claim = await ann.claim()
    assert problem(await ann.post(f"{claim.path}:skip", {**claim.token, "reason": " "})) == (422, "request_invalid")
    await ann.post(f"{claim.path}:skip", {**claim.token, "reason": HOSTILE})
    assert (await ann.post(CLAIM)).status_code == 204
    claim = await bob.claim()
    hold = {**claim.token, "reason": HOSTILE, "until": "2099-01-01T00:00:00Z"}
    assert problem(await bob.post(f"{claim.path}:hold", {**hold, "until": "0001-01-01T00:00:00Z"}, seen='"1"')) == (422, "request_invalid")
    assert problem(await bob.post(f"{claim.path}:hold", hold)) == (428, "precondition_missing")
    held = await bob.post(f"{claim.path}:hold", hold, seen=claim.etag)
    assert (held.json()["state"], held.json()["state_reason"], held.json()["held_until"]) == ("held", HOSTILE, hold["until"])
    assert problem(await bob.answer(claim)) == (412, "precondition_failed")
    assert (await room.person().post(CLAIM)).status_code == 204
    assert problem(await ann.post(f"{claim.path}:reopen", seen='"1"')) == (412, "precondition_failed")
    opened = await ann.post(f"{claim.path}:reopen", seen=held.headers["etag"])
    assert opened.json()["state"] == "open"
    assert problem(await ann.post(f"{claim.path}:reopen", seen=opened.headers["etag"])) == (409, "task_state")


async def test_a_lead_reassigns_and_prioritises_and_a_barred_reviewer_is_named(room: Room) -> None:
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    room.judged(0.6, 0.6)
    claim = await ann.claim()
    path = f"{claim.path}:reassign"
    assert problem(await ann.post(path, {"to": ann.name}, seen=claim.etag)) == (403, "scope_missing")
    moved = await lead.post(path, {"to": bob.name}, seen=claim.etag)
    assert (moved.json()["assigned_to"], moved.headers["etag"]) == (bob.name, '"2"')
    assert problem(await ann.answer(claim)) == (412, "precondition_failed")
    assert problem(await lead.post(path, {"to": None}, seen=claim.etag)) == (412, "precondition_failed")
    assert [task["id"] for task in (await lead.get("/v1/tasks", assigned_to=bob.name)).json()["tasks"]] == [claim.task]
    raised = await lead.patch(claim.path, {"priority": 9, "due_at": "2030-01-01T00:00:00+02:00"})
    assert (raised.json()["priority"], raised.json()["due_at"], raised.headers["etag"]) == (9, "2029-12-31T22:00:00Z", '"2"')
    assert (await bob.claim()).task == claim.task
    other = await ann.claim()
    assert other.task != claim.task
    await ann.post(f"{other.path}:skip", {**other.token, "reason": "no"})
    assert problem(await lead.post(f"{other.path}:reassign", {"to": ann.name}, seen=other.etag)) == (409, "reviewer_barred")


async def test_tasks_are_listed_as_they_are_offered_and_finished_ones_newest_first(room: Room) -> None:
    lead, ann = room.person(Scope.LEAD), room.person()
    room.judged(0.6, 0.95, 0.6, 0.95)
    one = (await lead.get("/v1/tasks", limit="3", queue="default")).json()
    two = (await lead.get("/v1/tasks", limit="3", queue="default", cursor=one["next_cursor"])).json()
    pages = [task["id"] for task in (*one["tasks"], *two["tasks"])]
    offered = [await ann.claim() for _ in range(3)]
    assert pages[:3] == [claim.task for claim in offered]
    assert (len(pages), two["next_cursor"]) == (4, None)
    for claim in offered:
        await ann.answer(claim)
    first = (await lead.get("/v1/tasks", state="done", limit="2")).json()
    rest = (await lead.get("/v1/tasks", state="done", limit="2", cursor=first["next_cursor"])).json()
    assert [task["id"] for task in (*first["tasks"], *rest["tasks"])] == sorted((claim.task for claim in offered), reverse=True)
    assert problem(await lead.get("/v1/tasks", cursor=first["next_cursor"])) == (400, "cursor_invalid")
    assert (await lead.get("/v1/tasks", queue="none")).json() == {"tasks": [], "next_cursor": None}


async def test_boxes_that_cannot_be_are_a_fault_of_the_body(room: Room) -> None:
    ann = room.person()
    room.judged(0.6)
    claim = await ann.claim()

    async def refused(*judgements: Any) -> tuple[int, str]:
        return problem(await ann.answer(claim, {**GENERATED, "judgements": list(judgements)}))

    accept = {"kind": "accept", "position": 1}
    assert await refused({"kind": "reject", "position": 9}) == (422, "region_unknown")
    assert await refused(accept, accept) == (422, "region_judgement_invalid")
    assert await refused({"kind": "add", "box": [0, 0, 65, 64]}) == (422, "region_judgement_invalid")
    assert await refused({"kind": "add", "box": [9, 9, 9, 9]}) == (422, "region_judgement_invalid")
    assert await refused(*[{"kind": "add", "box": [0, 0, 1, 1]}] * 65) == (422, "request_invalid")
    for wrong in ({"kind": "move", "position": 1}, {"kind": "add", "position": 1, "box": [0, 0, 1, 1]}, {**accept, "box": [0, 0, 1, 1]}):
        assert await refused(wrong) == (422, "request_invalid")
    assert await refused({"kind": "add", "box": [0, 0, -1, 1]}) == (422, "request_invalid")
    full = [{"kind": "add", "box": [0, 0, 64, 64]}] * 64
    assert (await ann.answer(claim, {**GENERATED, "judgements": full})).status_code == 201


async def test_a_token_or_task_that_is_not_ours_is_worth_nothing(room: Room) -> None:
    ann, reader, stranger = room.person(), room.person(Scope.READ), room.person(*Scope, tenant=f"{room.tenant}-other")
    room.judged(0.6)
    claim = await ann.claim()
    assert problem(await stranger.get(claim.path)) == problem(await ann.get(f"/v1/tasks/{2**62}")) == (404, "not_found")
    assert problem(await ann.get("/v1/tasks/none")) == (404, "not_found")
    assert problem(await stranger.get(f"{claim.path}/reviews")) == (404, "not_found")
    assert problem(await stranger.answer(claim)) == (404, "not_found")
    assert problem(await stranger.post(f"{claim.path}:reassign", {"to": None}, seen=claim.etag)) == (404, "not_found")
    assert problem(await stranger.patch(claim.path, {"priority": 1})) == (404, "not_found")
    assert problem(await stranger.post(f"{claim.path}:heartbeat", claim.token)) == (409, "claim_lost")
    assert (await stranger.get("/v1/tasks")).json()["tasks"] == []
    assert problem(await ann.post("/v1/queues/none:claim")) == (404, "not_found")
    assert problem(await reader.post(CLAIM)) == (403, "scope_missing")
    assert problem(await reader.answer(claim)) == (403, "scope_missing")
    assert problem(await ann.post(f"{claim.path}:heartbeat", {"lease_token": "none"})) == (422, "request_invalid")
    assert problem(await ann.post(f"{claim.path}:heartbeat", {"lease_token": str(uuid4())})) == (409, "claim_lost")


async def test_an_appeal_s_task_shows_what_is_contested_to_somebody_else(room: Room) -> None:
    ann, bob = room.person(), room.person()
    room.judged(0.95)
    decided = (await ann.answer(await ann.claim())).json()["decision_id"]
    with transaction(room.world.engine) as session:
        open_appeal(session, room.tenant, NewAppeal(decision_id=UUID(decided), statement=HOSTILE, region_position=1), actor="app")
    queue = "/v1/queues/appeals:claim"
    assert (await ann.post(queue)).status_code == 204
    claim = await bob.claim(queue)
    task = claim.body["task"]
    assert (task["kind"], task["appeal"]["statement"], task["appeal"]["region_position"]) == ("appeal", HOSTILE, 1)
    assert [(d["id"], d["reason"], d["decided_by"]) for d in task["decisions"]] == [(decided, "six fingers", ann.name)]
    again = await bob.answer(claim, {"verdict": "real"})
    assert again.json()["decision_id"] not in {None, decided}


async def test_lost_claims_and_queues_are_measured(room: Room) -> None:
    ann, admin = room.person(), room.person(Scope.ADMIN)
    room.judged(0.6, 0.6)
    claim = await ann.claim()
    await ann.post(f"{claim.path}:heartbeat", {"lease_token": str(uuid4())})
    lines = (await admin.get("/metrics")).text.splitlines()
    assert 'zoomin_api_problems_total{code="claim_lost",route="/v1/tasks/{task_id:segment}:heartbeat"} 1.0' in lines
    await ann.post(f"{claim.path}:hold", {**claim.token, "reason": "asked"}, seen=claim.etag)
    with transaction(room.world.engine) as session:
        found = {queue.queue: queue for queue in review_demand(session) if queue.tenant_id == room.tenant}
    assert [(queue.open, queue.held, queue.escalated) for _, queue in sorted(found.items())] == [(0, 0, 0), (1, 1, 0)]
    assert (found["appeals"].oldest_seconds, found["default"].oldest_seconds > 0) == (0, True)
    show_reviews(list(found.values()))
    shown = REVIEW_TASKS.labels(room.tenant, "default", "held").collect()
    assert [sample.value for metric in shown for sample in metric.samples] == [1]


async def test_numbers_and_times_are_read_as_json_and_rfc_3339_have_them(room: Room) -> None:
    lead = room.person(Scope.LEAD)
    room.judged(0.6)
    task = (await lead.get("/v1/tasks")).json()["tasks"][0]
    path = f"/v1/tasks/{task['id']}"
    assert (await lead.patch(path, {"priority": 3.0})).json()["priority"] == 3
    for wrong in (
        {"priority": 3.5},
        {"priority": "3"},
        {"due_at": 1},
        {"due_at": "2030-01-01T00:00:00"},
        {"due_at": "1999-01-01T00:00:00Z"},
    ):
        assert problem(await lead.patch(path, wrong)) == (422, "request_invalid"), wrong
