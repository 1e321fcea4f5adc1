"""What answers and decisions rest on, over HTTP: clauses and reasons that a policy version asks for, exposure, and taking back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.integration.api_world import problem
from tests.integration.review_room import GENERATED, Claimed, Person, Room, a_room
from worker.moderation.identifiers import item_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

CLAUSES = [
    {"id": "synthetic", "title": "Synthetic <b>media</b>", "reason": "Made by a model: "},
    {"id": "authentic", "title": "Authentic", "reason": ""},
]
VERSION = {"bands": [{"verdict": "generated", "pass_below": 0.2, "flag_from": 0.8}], "clauses": CLAUSES, "reason_required": True}
NAMED = {**GENERATED, "clause": "synthetic"}


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


async def promote(room: Room, version: dict[str, Any]) -> Person:
    """An administrator, who made the version live."""
    admin = room.person(*Scope)
    written = await admin.post("/v1/policies/default/versions", version)
    assert written.status_code == 201, written.text
    await admin.post(f"/v1/policies/default/versions/{written.json()['version']}:promote")
    return admin


async def test_who_decides_names_a_clause_and_a_reason_where_the_version_asks_for_them(room: Room) -> None:
    admin, ann = await promote(room, VERSION), room.person()
    room.judged(0.6, 0.6)
    claim = await ann.claim()
    task = claim.body["task"]
    assert (task["clauses"], task["reason_required"], task["four_eyes"], task["policy_version"]) == (CLAUSES, True, [], "default@2")
    assert problem(await ann.answer(claim)) == (422, "clause_required")
    unknown = await ann.answer(claim, {**GENERATED, "clause": "none-such"})
    assert (problem(unknown), unknown.json()["detail"]) == (
        (422, "clause_unknown"),
        "default@2 has no clause 'none-such'. Name one of: authentic, synthetic.",
    )
    assert problem(await ann.answer(claim, {**GENERATED, "clause": "No Slug"})) == (422, "request_invalid")
    assert problem(await ann.answer(claim, {**NAMED, "note": " \n"})) == (422, "reason_required")
    done = await ann.answer(claim, NAMED)
    assert done.status_code == 201, done.text
    decision = (await admin.get(f"/v1/decisions/{done.json()['decision_id']}")).json()
    assert (decision["clause"], decision["reason"]) == ("synthetic", "six fingers")
    assert [d["clause"] for d in (await ann.get(claim.path)).json()["decisions"]] == ["synthetic"]
    unsure = await ann.answer(await ann.claim(), {"verdict": "unsure"})
    assert unsure.json()["task_state"] == "escalated"


async def test_a_version_without_clauses_asks_for_none_and_knows_none(room: Room) -> None:
    ann = room.person()
    room.judged(0.6)
    claim = await ann.claim()
    task = claim.body["task"]
    assert (task["clauses"], task["reason_required"]) == ([], False)
    assert problem(await ann.answer(claim, NAMED)) == (422, "clause_unknown")
    assert (await ann.answer(claim, {"verdict": "real"})).status_code == 201


async def test_a_lead_s_own_decision_names_a_clause_too(room: Room) -> None:
    admin = await promote(room, VERSION)
    batch_id = room.judged(0.05)
    path = f"/v1/items/{item_id(batch_id, 0)}/decisions"
    wanted = {"verdict": "generated", "action": "label", "reason": "I know the model", "supersedes": None}
    assert problem(await admin.post(path, wanted)) == (422, "clause_required")
    assert problem(await admin.post(path, {**wanted, "clause": "other"})) == (422, "clause_unknown")
    assert (await admin.post(path, {**wanted, "clause": "synthetic"})).json()["clause"] == "synthetic"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"clauses": [*CLAUSES, CLAUSES[0]]}, "clause_repeated"),
        ({"clauses": [{"id": "Not a slug", "title": "x"}]}, "request_invalid"),
        ({"clauses": [{"id": "blank", "title": " "}]}, "request_invalid"),
        ({"clauses": [{"id": f"c{number}", "title": "x"} for number in range(51)]}, "request_invalid"),
        ({"clauses": [{"id": "long", "title": "x", "reason": "x" * 1001}]}, "request_invalid"),
        ({"four_eyes": ["none"]}, "request_invalid"),
        ({"four_eyes": ["label"], "automatic": {"action": "label", "opted_in_by": "Kim", "reason": "sure"}}, "four_eyes_invalid"),
    ],
)
async def test_a_version_that_cannot_be_is_refused(room: Room, changed: dict[str, Any], code: str) -> None:
    admin = room.person(*Scope)
    assert problem(await admin.post("/v1/policies/default/versions", {**VERSION, **changed})) == (422, code)


async def test_a_version_is_shown_as_it_was_written(room: Room) -> None:
    admin = await promote(room, {**VERSION, "four_eyes": ["remove", "label", "remove"]})
    shown = (await admin.get("/v1/policies/default/versions/2")).json()
    assert (shown["clauses"], shown["reason_required"], shown["four_eyes"]) == (CLAUSES, True, ["label", "remove"])
    first = (await admin.get("/v1/policies/default/versions/1")).json()
    assert (first["clauses"], first["reason_required"], first["four_eyes"]) == ([], False, [])


async def test_an_answer_is_taken_back_over_http_and_given_anew(room: Room) -> None:
    ann, bob, stranger = room.person(), room.person(), room.person(*Scope, tenant=f"{room.tenant}-other")
    room.judged(0.6)
    claim = await ann.claim()
    done = await ann.answer(claim, {**GENERATED, "undo_seconds": 30, "exposure_seconds": 1.25})
    body = done.json()
    assert (done.status_code, body["task_state"], body["decision_id"], done.headers["etag"]) == (201, "open", None, '"1"')
    (review,) = (await ann.get(f"{claim.path}/reviews")).json()["reviews"]
    assert (review["final_at"], review["exposure_seconds"]) == (body["final_at"], 1.25)
    again = await ann.answer(claim, {**GENERATED, "undo_seconds": 30, "exposure_seconds": 9})
    assert (again.json(), again.headers["idempotency-replayed"]) == (body, "true")
    path = f"/v1/reviews/{body['review_id']}:undo"
    assert problem(await bob.post(path)) == problem(await stranger.post(path)) == (404, "not_found")
    assert problem(await ann.post("/v1/reviews/none:undo")) == (404, "not_found")
    undone = await ann.post(path)
    assert (undone.status_code, undone.headers["etag"], undone.json()["task"]) == (200, '"1"', claim.body["task"])
    assert undone.json()["lease_token"] != claim.token["lease_token"]
    assert (await ann.post(path)).json()["lease_token"] == undone.json()["lease_token"]
    assert (await ann.get(f"{claim.path}/reviews")).json() == {"reviews": []}
    assert problem(await ann.answer(claim)) == (409, "claim_lost")
    fresh = Claimed(claim.task, {"lease_token": undone.json()["lease_token"]}, undone.headers["etag"], undone.json())
    final = await ann.answer(fresh, {"verdict": "real"})
    assert (final.json()["task_state"], final.json()["final_at"]) == ("done", None)
    assert problem(await ann.post(f"/v1/reviews/{final.json()['review_id']}:undo")) == (409, "undo_too_late")
    assert (await ann.get(claim.path)).json()["answers"] == 1


@pytest.mark.parametrize("wrong", [{"undo_seconds": 61}, {"undo_seconds": -1}, {"undo_seconds": "5"}, {"exposure_seconds": 86_401}])
async def test_periods_and_exposures_have_bounds(room: Room, wrong: dict[str, Any]) -> None:
    ann = room.person()
    room.judged(0.6)
    claim = await ann.claim()
    assert problem(await ann.answer(claim, {**GENERATED, **wrong})) == (422, "request_invalid")


async def test_each_look_at_a_task_is_audited_and_a_claim_is_one(room: Room) -> None:
    ann, reader = room.person(), room.person(Scope.READ)
    batch_id = room.judged(0.6)
    claim = await ann.claim()
    await reader.get(claim.path)
    looks = room.world.rows(
        "SELECT actor, action, ordinal, detail FROM audit_events WHERE batch_id = :id AND action IN ('review.claimed', 'task.read')"
        " ORDER BY id",
        id=batch_id,
    )
    assert [tuple(look) for look in looks] == [
        (ann.name, "review.claimed", 0, {"task": claim.task, "slot": 1}),
        (reader.name, "task.read", 0, {"task": claim.task}),
    ]


async def test_who_is_asked_as_the_second_of_four_eyes_cannot_tell(room: Room) -> None:
    await promote(room, {"bands": [], "four_eyes": ["remove"]})
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    room.judged(0.6)
    first = await ann.claim()
    assert (await ann.answer(first, {**GENERATED, "action": "remove"})).status_code == 201
    second = await bob.claim()

    def told(task: Any) -> tuple[int, int]:
        return task["slots"], task["answers"]

    (listed,) = (await bob.get("/v1/tasks")).json()["tasks"]
    assert told(second.body["task"]) == told((await bob.get(second.path)).json()) == told(listed) == told(first.body["task"]) == (1, 0)
    assert second.body["slot"] == first.body["slot"]
    assert told((await ann.get(second.path)).json()) == told((await lead.get(second.path)).json()) == (2, 1)
    await bob.answer(second, {**GENERATED, "action": "remove"})
    assert told((await room.person(Scope.READ).get(second.path)).json()) == (2, 2)


async def test_a_lead_is_told_which_way_asks_a_second_person(room: Room) -> None:
    admin = await promote(room, {"bands": [], "four_eyes": ["remove"]})
    batch_id = room.judged(0.6)
    wanted = {"verdict": "generated", "action": "remove", "reason": "deceptive", "supersedes": None}
    refused = await admin.post(f"/v1/items/{item_id(batch_id, 0)}/decisions", wanted)
    assert problem(refused) == (409, "four_eyes_required")
    assert "appeal" in refused.json()["detail"]
    assert (await admin.get("/v1/tasks")).json()["tasks"][0]["state"] == "open"
