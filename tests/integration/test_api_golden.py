"""The golden set over HTTP: who keeps it, what cannot be in it, and that no reviewer can tell a golden task from another."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests.integration.api_world import problem
from tests.integration.golden_world import DOUBTFUL, FLAGGED, PASSES, always
from tests.integration.review_room import CLAIM, GENERATED, Person, Room, a_room
from worker.moderation.identifiers import item_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.review_conclusion import conclude_due
from worker.store.session import transaction

KNOWN = {"verdict": "generated", "boxes": [[1, 2, 30, 40]], "note": "<b>made by us</b>"}


@pytest.fixture
async def room(settings: Settings, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Room]:
    always(monkeypatch)
    async with a_room(settings, engine) as room:
        yield room


def path(batch_id: UUID, ordinal: int = 0) -> str:
    return f"/v1/golden-items/{item_id(batch_id, ordinal)}"


async def put(person: Person, where: str, body: Any = KNOWN) -> Any:
    return await person.api.put(where, json=body, headers=person.headers)


async def delete(person: Person, where: str) -> Any:
    return await person.api.delete(where, headers=person.headers)


async def decided(room: Room, lead: Person) -> UUID:
    """A flagged image that was decided on and is golden, in a queue that asks about such."""
    batch_id = room.judged(FLAGGED)
    await lead.answer(await lead.claim())
    assert (await put(lead, path(batch_id))).status_code == 201
    seen = await lead.get("/v1/queues/default")
    changed = await lead.patch("/v1/queues/default", {"golden_share": 0.5}, seen=seen.headers["etag"])
    assert changed.json()["golden_share"] == 0.5
    return batch_id


def shape(value: Any) -> Any:
    """What there is in an answer, without what differs from image to image."""
    if isinstance(value, dict):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return [shape(part) for part in value]
    return type(value).__name__


async def test_a_lead_adds_corrects_lists_retires_and_brings_back(room: Room) -> None:
    lead, batch_id = room.person(Scope.LEAD), room.judged(FLAGGED, FLAGGED)
    added = await put(lead, path(batch_id))
    body = added.json()
    assert (added.status_code, body["verdict"], body["boxes"], body["note"]) == (201, "generated", [[1, 2, 30, 40]], KNOWN["note"])
    assert (body["revision"], body["added_by"], body["retired_at"]) == (1, lead.name, None)
    assert ((same := await put(lead, path(batch_id))).status_code, same.json()) == (200, body)
    corrected = await put(lead, path(batch_id), {"verdict": "real"})
    assert (corrected.status_code, corrected.json()["verdict"], corrected.json()["boxes"]) == (200, "real", [])
    await put(lead, path(batch_id, 1))
    first = (await lead.get("/v1/golden-items", limit="1")).json()
    rest = (await lead.get("/v1/golden-items", limit="1", cursor=first["next_cursor"])).json()
    assert [page["items"][0]["item_id"] for page in (first, rest)] == [item_id(batch_id, 0), item_id(batch_id, 1)]
    assert rest["next_cursor"] is None
    retired = await delete(lead, path(batch_id))
    assert (retired.status_code, retired.json()["retired_by"]) == (200, lead.name)
    assert (await delete(lead, path(batch_id))).json() == retired.json()
    assert len((await lead.get("/v1/golden-items")).json()["items"]) == 1
    assert len((await lead.get("/v1/golden-items", state="all")).json()["items"]) == 2
    assert (await put(lead, path(batch_id))).json()["retired_at"] is None
    sql = "SELECT action FROM audit_events WHERE batch_id = :id AND ordinal = 0 AND action LIKE 'golden%' ORDER BY id"
    actions = [row.action for row in room.world.rows(sql, id=batch_id)]
    assert actions == ["golden.added", "golden.changed", "golden.retired", "golden.changed"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"verdict": "unsure"},
        {"verdict": "real", "boxes": [[1, 2, 3]]},
        {"verdict": "real", "boxes": [[1, 2, 3, 4]] * 65},
        {"verdict": "real", "revision": 0},
        {"verdict": "real", "note": "x" * 2_001},
        {"verdict": "real", "extra": 1},
        {},
    ],
)
async def test_a_body_that_makes_no_sense_is_refused(room: Room, wrong: dict[str, Any]) -> None:
    assert problem(await put(room.person(Scope.LEAD), path(room.judged(FLAGGED)), wrong)) == (422, "request_invalid")


async def test_what_cannot_be_golden_has_its_problem(room: Room) -> None:
    lead, batch_id = room.person(Scope.ADMIN), room.judged(FLAGGED)
    for corners in ([0, 0, 65, 64], [10, 10, 10, 20], [20, 10, 10, 20]):
        assert problem(await put(lead, path(batch_id), {**KNOWN, "boxes": [corners]})) == (422, "golden_box_invalid")
    assert problem(await put(lead, path(batch_id), {**KNOWN, "revision": 2})) == (409, "item_not_judged")
    assert problem(await put(lead, path(room.world.batch(1, tenant=room.tenant)))) == (409, "item_not_judged")
    assert problem(await put(lead, path(batch_id, 9))) == (404, "not_found")
    assert problem(await put(lead, "/v1/golden-items/item_1")) == (404, "not_found")
    assert problem(await delete(lead, path(batch_id))) == (404, "not_found")
    assert problem(await lead.get("/v1/golden-items", cursor="AAAA")) == (400, "cursor_invalid")


async def test_reviewers_are_not_told_and_strangers_find_nothing(room: Room) -> None:
    lead, batch_id = room.person(Scope.LEAD), room.judged(FLAGGED)
    await put(lead, path(batch_id))
    for person in (room.person(), room.person(Scope.READ), room.person(Scope.AUDIT)):
        assert problem(await person.get("/v1/golden-items")) == (403, "scope_missing")
        assert problem(await put(person, path(batch_id))) == (403, "scope_missing")
        assert problem(await delete(person, path(batch_id))) == (403, "scope_missing")
    stranger = room.person(Scope.LEAD, tenant=f"{room.tenant}-other")
    assert problem(await put(stranger, path(batch_id))) == (404, "not_found")
    assert problem(await delete(stranger, path(batch_id))) == (404, "not_found")
    assert (await stranger.get("/v1/golden-items")).json()["items"] == []


@pytest.mark.parametrize("share", [0.6, -0.1, "0.1"])
async def test_a_queue_asks_about_golden_items_at_most_every_other_time(room: Room, share: object) -> None:
    lead = room.person(Scope.LEAD)
    assert problem(await lead.patch("/v1/queues/default", {"golden_share": share}, seen='"1"')) == (422, "request_invalid")
    assert problem(await lead.post("/v1/queues", {"name": "x", "golden_share": share})) == (422, "request_invalid")


async def test_a_golden_task_looks_like_another_wherever_its_reviewer_looks(room: Room) -> None:
    lead, ann = room.person(Scope.LEAD, Scope.REVIEW), room.person(Scope.READ, Scope.REVIEW)
    known = await decided(room, lead)
    room.judged(FLAGGED, DOUBTFUL)
    golden, genuine = await ann.claim(), await ann.claim()
    task, other = golden.body["task"], genuine.body["task"]
    assert (task["item"]["batch_id"], other["item"]["batch_id"] == str(known)) == (str(known), False)
    assert shape(golden.body) == shape(genuine.body)
    alike = (
        *("queue", "kind", "route", "reason", "priority", "slots", "answers", "state", "state_reason", "held_until", "assigned_to"),
        *("version", "due_at", "created_at", "closed_at", "guidance", "policy_version", "decisions", "appeal", "revision"),
    )
    assert {name: task[name] for name in alike} == {name: other[name] for name in alike}
    assert (task["kind"], task["assigned_to"], task["decisions"], golden.etag) == ("routing", None, [], genuine.etag)
    assert (await ann.get(golden.path)).json() == task
    assert {claim["task"]["id"] for claim in (await ann.get("/v1/claims")).json()["claims"]} == {golden.task, genuine.task}
    listed = (await ann.get("/v1/tasks")).json()["tasks"]
    assert [(one["id"], one["kind"], one["assigned_to"]) for one in listed[:2]] == sorted(
        [(golden.task, "routing", None), (genuine.task, "routing", None)]
    )
    assert (await ann.get("/v1/tasks", assigned_to=ann.name)).json()["tasks"] == []
    assert (await ann.get(f"{golden.path}/reviews")).json() == {"reviews": []}
    undone = {**GENERATED, "undo_seconds": 30}
    answers = [(await ann.answer(claim, undone)).json() for claim in (golden, genuine)]
    assert [(one["task_state"], one["decision_id"], bool(one["final_at"])) for one in answers] == [("open", None, True)] * 2
    assert shape((await ann.get(golden.path)).json()) == shape((await ann.get(genuine.path)).json())
    room.world.rows("UPDATE reviews SET pending_until = now() WHERE id = CAST(:id AS uuid)", id=answers[0]["review_id"])
    with transaction(room.world.engine) as session:
        conclude_due(session, golden.task, actor="dispatcher")
    after = (await ann.get(golden.path)).json()
    assert (after["state"], after["kind"], after["decisions"], after["assigned_to"]) == ("done", "routing", [], None)


async def test_one_that_passed_looks_like_a_sample(room: Room) -> None:
    lead, ann = room.person(Scope.LEAD, Scope.ADMIN), room.person()
    bands = [{"verdict": verdict, "pass_below": 0.2, "flag_from": 0.8} for verdict in ("real", "generated")]
    await lead.post("/v1/policies/default/versions", {"bands": bands, "qa_share": 1})
    await lead.post("/v1/policies/default/versions/2:promote")
    known = room.judged(PASSES)
    await lead.answer(await lead.claim(), {"verdict": "real"})
    await put(lead, path(known), {"verdict": "real"})
    await lead.patch("/v1/queues/default", {"golden_share": 0.5}, seen='"1"')
    room.judged(PASSES)
    golden, genuine = await ann.claim(), await ann.claim()
    assert golden.body["task"]["item"]["batch_id"] == str(known)
    for name in ("kind", "route", "reason", "policy_version", "decisions", "due_at"):
        assert golden.body["task"][name] == genuine.body["task"][name]
    assert golden.body["task"]["kind"] == "qa"


async def test_nobody_else_sees_a_golden_task(room: Room) -> None:
    lead, ann = room.person(Scope.LEAD, Scope.ADMIN), room.person()
    await decided(room, lead)
    room.judged(FLAGGED)
    before = (await lead.get("/v1/queues/default")).json()["waiting"]
    golden = await ann.claim()
    for person in (lead, room.person(), room.person(Scope.READ)):
        assert problem(await person.get(golden.path)) == (404, "not_found")
        assert problem(await person.get(f"{golden.path}/reviews")) == (404, "not_found")
        assert golden.task not in [task["id"] for task in (await person.get("/v1/tasks")).json()["tasks"]]
    assert (await lead.get("/v1/tasks", assigned_to=ann.name)).json()["tasks"] == []
    assert problem(await lead.post(f"{golden.path}:reassign", {"to": None}, seen='"1"')) == (404, "not_found")
    assert problem(await room.person().post(f"{golden.path}:claim")) == (404, "not_found")
    assert (await lead.get("/v1/queues/default")).json()["waiting"] == before
    assert (await ann.answer(golden, GENERATED)).json()["decision_id"] is None
    assert (await lead.get("/v1/queues/default")).json()["waiting"] == before


async def test_one_that_its_reviewer_gives_back_is_there_for_them_again(room: Room) -> None:
    lead, ann = room.person(Scope.LEAD), room.person()
    await decided(room, lead)
    room.judged(FLAGGED)
    golden = await ann.claim()
    back = await ann.post(f"{golden.path}:release", golden.token)
    assert (back.status_code, back.json()["state"], back.json()["assigned_to"]) == (200, "open", None)
    bob = room.person()
    assert (await bob.post(CLAIM)).status_code == 200
    assert (await ann.post(f"{golden.path}:claim")).json()["task"]["id"] == golden.task
