"""Duplicates of a task's image over HTTP, on a real Postgres: found, and answered together, as far as each allows it."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import problem
from tests.integration.duplicate_world import LIKENESS, Picture, judged_pictures
from tests.integration.queue_world import World
from tests.integration.review_room import GENERATED, Claimed, Person, Room, a_room
from worker.moderation.duplicates import BANDS, NEAR, bands_nearby
from worker.moderation.identifiers import item_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store import duplicates
from worker.store.appeals import NewAppeal, open_appeal
from worker.store.session import transaction

HOSTILE = "<script>alert(1)</script> '; DROP TABLE reviews; -- \u202eevil"


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


def a_picture(p: float = 0.6) -> Picture:
    """No other test's."""
    return Picture(uuid4().hex * 2, uuid4().int % 2**64 - 2**63, p)


def judged(room: Room, *pictures: Picture, **where: Any) -> UUID:
    return judged_pictures(room.world, where.pop("tenant", room.tenant), pictures, **where)


def task_of(room: Room, batch_id: UUID, ordinal: int = 0) -> int:
    sql = "SELECT id FROM review_tasks WHERE batch_id = :id AND ordinal = :o ORDER BY id DESC LIMIT 1"
    return int(room.world.value(sql, id=batch_id, o=ordinal))


def version_of(room: Room, task_id: int) -> int:
    return int(room.world.value("SELECT version FROM review_tasks WHERE id = :id", id=task_id))


async def claim_of(room: Room, person: Person, task_id: int) -> Claimed:
    """The claim on this very task: it is put before all others."""
    room.world.rows("UPDATE review_tasks SET priority = 1000 WHERE id = :id", id=task_id)
    claim = await person.claim()
    assert claim.task == task_id
    return claim


async def found(person: Person, task_id: int) -> dict[str, Any]:
    answer = await person.get(f"/v1/tasks/{task_id}/duplicates")
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def together(person: Person, claim: Claimed, tasks: Sequence[tuple[int, int]], **changed: Any) -> Any:
    named = [{"task_id": task, "version": version} for task, version in tasks]
    return await person.post(f"{claim.path}:decide-duplicates", {**claim.token, **GENERATED, "tasks": named, **changed})


def results(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [one["result"] for one in answer.json()["results"]]


async def test_copies_are_found_with_where_they_stand_and_likenesses_with_their_distance(room: Room) -> None:
    reader, ann = room.person(Scope.READ), room.person()
    one = a_picture()
    copies = judged(room, one, one, a_picture(), one.altered(5, "b" * 64), one.altered(6, "c" * 64), one.altered(7, "d" * 64))
    passed = judged(room, Picture(one.sha256, one.likeness, p=0.1))
    seen = await found(reader, task_of(room, copies))
    assert [copy["item_id"] for copy in seen["exact"]] == [item_id(copies, 1), item_id(passed, 0)]  # what waits comes first
    assert [(copy["item_id"], copy["distance"]) for copy in seen["near"]] == [(item_id(copies, 3), 5), (item_id(copies, 4), 6)]
    waiting, plain = seen["exact"]
    task = task_of(room, copies, 1)
    assert waiting["task"] == {"id": task, "version": 1, "state": "open", "obstacle": None, "obstacle_meaning": None}
    assert waiting["image"] == f"/v1/items/{item_id(copies, 1)}/image?revision=1"
    assert waiting["crops"] == [f"/v1/regions/region_{copies.hex}_1_1_1/crop"]
    assert (plain["task"], plain["decision"], plain["verdict"], seen["more"]) == (None, None, "real", False)
    assert seen["near"][0]["task"]["obstacle"] == "needs_lead"
    await ann.answer(await claim_of(room, ann, task))
    (decided,) = (one for one in (await found(reader, task_of(room, copies)))["exact"] if one["item_id"] == item_id(copies, 1))
    assert (decided["task"], decided["decision"]["verdict"], decided["decision"]["action"]) == (None, "generated", "label")


async def test_another_tenant_s_copies_are_not_seen_and_its_tasks_are_no_duplicates(room: Room) -> None:
    ann, one = room.person(), a_picture()
    mine = judged(room, one, one)
    tenant = f"other-{uuid4().hex[:8]}"
    theirs = judged(room, one, one, tenant=tenant)
    stranger = room.person(tenant=tenant)
    assert len((await found(ann, task_of(room, mine)))["exact"]) == 1
    assert problem(await stranger.get(f"/v1/tasks/{task_of(room, mine)}/duplicates")) == (404, "not_found")
    claim = await claim_of(room, ann, task_of(room, mine))
    foreign = task_of(room, theirs)
    assert results(await together(ann, claim, [(foreign, 1), (2**53 - 1, 1)])) == ["not_a_duplicate", "not_a_duplicate"]
    assert room.world.value("SELECT state FROM review_tasks WHERE id = :id", id=foreign) == "open"
    assert problem(
        await stranger.post(f"{claim.path}:decide-duplicates", {**claim.token, "verdict": "real", "tasks": [{"task_id": 1, "version": 1}]})
    ) == (
        404,
        "not_found",
    )


async def test_only_the_newest_outcome_of_an_item_counts(room: Room) -> None:
    reader, one = room.person(Scope.READ), a_picture()
    batch_id = judged(room, one, one)
    judged(room, a_picture(), one, batch_id=batch_id, revision=2)  # the first item's object was written over
    again = judged(room, one)
    assert [copy["item_id"] for copy in (await found(reader, task_of(room, again)))["exact"]] == [item_id(batch_id, 1)]


async def test_the_ticked_are_decided_each_by_a_review_of_its_own(room: Room) -> None:
    ann, one = room.person(), a_picture()
    batch_id = judged(room, *[one] * 4)
    anchor, *others = (task_of(room, batch_id, ordinal) for ordinal in range(4))
    claim = await claim_of(room, ann, anchor)
    done = await together(ann, claim, [(task, 1) for task in others[:2]], note=HOSTILE)
    assert results(done) == ["decided", "decided"]
    for one_of_them, task in zip(done.json()["results"], others, strict=False):
        (review,) = room.world.rows("SELECT * FROM reviews WHERE task_id = :id", id=task)
        assert (str(review.id), review.reviewer, review.note, review.answered_with) == (one_of_them["review_id"], ann.name, HOSTILE, anchor)
        (decision,) = room.world.rows("SELECT * FROM decisions WHERE task_id = :id", id=task)
        assert (str(decision.id), decision.verdict, decision.action) == (one_of_them["decision_id"], "generated", "label")
        detail = room.world.value(
            "SELECT detail FROM audit_events WHERE action = 'review.submitted' AND (detail ->> 'task')::bigint = :id", id=task
        )
        assert (detail["bulk"], detail["answered_with"]) == (True, anchor)
    assert room.world.value("SELECT state FROM review_tasks WHERE id = :id", id=others[2]) == "open"  # was not ticked
    assert (await ann.answer(claim)).status_code == 201  # the task itself is still to be answered


async def test_a_retry_decides_once_also_after_the_task_itself_was_answered(room: Room) -> None:
    ann, one = room.person(), a_picture()
    batch_id = judged(room, one, one, one)
    anchor, second, third = (task_of(room, batch_id, ordinal) for ordinal in range(3))
    claim = await claim_of(room, ann, anchor)
    first = await together(ann, claim, [(second, 1)])
    await ann.answer(claim)
    again = await together(ann, claim, [(second, 1), (third, 1), (third, 1)])
    assert results(again) == ["decided", "decided"]
    assert again.json()["results"][0] == first.json()["results"][0]
    assert room.world.value("SELECT count(*) FROM reviews WHERE task_id = ANY(:ids)", ids=[second, third]) == 2
    assert room.world.value("SELECT count(*) FROM decisions WHERE task_id = ANY(:ids)", ids=[second, third]) == 2
    assert problem(await together(ann, claim, [(second, 1)], verdict="real")) == (409, "review_exists")
    assert problem(await together(ann, claim, [(second, 1)], note="in other words")) == (409, "review_exists")


async def test_what_cannot_be_decided_together_is_named_with_its_reason(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, *[one] * 10, Picture(one.sha256, one.likeness, p=0.3), one.altered(4, "e" * 64), a_picture())
    anchor, *tasks = (task_of(room, batch_id, ordinal) for ordinal in range(13))
    fine, stale, finished, held, taken, reserved, double, skipped, unsure, other_verdict, alike, different = tasks
    for settings, task in (("version = 3", stale), ("slots = 2", double), ("assigned_to = 'person:x'", reserved)):
        room.world.rows(f"UPDATE review_tasks SET {settings} WHERE id = :id", id=task)  # noqa: S608
    await bob.answer(await claim_of(room, bob, finished))
    await bob.answer(await claim_of(room, bob, unsure), {"verdict": "unsure"})
    aside = await claim_of(room, bob, held)
    await bob.post(f"{aside.path}:hold", {**aside.token, "reason": "asked"}, seen=aside.etag)
    await claim_of(room, bob, taken)
    mine = await claim_of(room, ann, skipped)
    await ann.post(f"{mine.path}:skip", {**mine.token, "reason": "not mine"})
    claim = await claim_of(room, ann, anchor)
    seen = {copy["task"]["id"]: copy["task"]["obstacle"] for copy in (await found(ann, anchor))["exact"] if copy["task"]}
    answer = await together(ann, claim, [(task, version_of(room, task) if task is not stale else 2) for task in tasks])
    told = dict(zip(tasks, results(answer), strict=True))
    assert told == {
        fine: "decided",
        stale: "changed",
        finished: "finished",
        held: "held",
        taken: "claimed_by_other",
        reserved: "claimed_by_other",
        double: "needs_second_reviewer",
        skipped: "barred",
        unsure: "escalated",
        other_verdict: "other_verdict",
        alike: "needs_lead",
        different: "not_a_duplicate",
    }
    assert {task: told[task] for task in seen} == {**seen, fine: "decided", stale: "changed"}  # as the list had said
    assert all(one["meaning"] for one in answer.json()["results"])
    assert room.world.value("SELECT count(*) FROM reviews WHERE answered_with = :id", id=anchor) == 1
    bad_claims = "SELECT count(*) FROM review_claims WHERE reviewer = :who AND state = 'active' AND task_id <> :id"
    assert room.world.value(bad_claims, who=ann.name, id=anchor) == 0


async def test_a_lead_decides_what_looks_alike(room: Room) -> None:
    lead, one = room.person(Scope.LEAD), a_picture()
    batch_id = judged(room, one, one.altered(6, "f" * 64), one.altered(7, "9" * 64))
    anchor, near, far = (task_of(room, batch_id, ordinal) for ordinal in range(3))
    claim = await claim_of(room, lead, anchor)
    assert results(await together(lead, claim, [(near, 1), (far, 1)])) == ["decided", "not_a_duplicate"]


async def test_an_image_under_appeal_is_decided_by_itself(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, one, one)
    contested = task_of(room, batch_id, 1)
    done = await ann.answer(await claim_of(room, ann, contested))
    with transaction(room.world.engine) as session:
        appeal = NewAppeal(decision_id=UUID(done.json()["decision_id"]), statement="mine")
        open_appeal(session, room.tenant, appeal, actor="key:platform")
    appealed = task_of(room, batch_id, 1)
    claim = await claim_of(room, bob, task_of(room, batch_id))
    (copy,) = (await found(bob, claim.task))["exact"]
    assert (copy["task"]["id"], copy["task"]["obstacle"]) == (appealed, "other_kind")
    assert results(await together(bob, claim, [(appealed, 1)])) == ["other_kind"]
    judged(room, one, one, batch_id=batch_id, revision=2)
    claim = await claim_of(room, bob, task_of(room, batch_id))
    again = room.world.value(
        "SELECT id FROM review_tasks WHERE batch_id = :id AND ordinal = 1 AND kind = 'routing' AND revision = 2", id=batch_id
    )
    assert results(await together(bob, claim, [(again, 1)])) == ["contested"]


async def test_an_appeal_has_no_duplicates_to_decide(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, one, one)
    done = await ann.answer(await claim_of(room, ann, task_of(room, batch_id)))
    with transaction(room.world.engine) as session:
        open_appeal(session, room.tenant, NewAppeal(decision_id=UUID(done.json()["decision_id"]), statement="mine"), actor="key:platform")
    answer = (await bob.post("/v1/queues/appeals:claim")).json()
    claim = Claimed(answer["task"]["id"], {"lease_token": answer["lease_token"]}, '"1"', answer)
    assert await found(bob, claim.task) == {"exact": [], "near": [], "more": False}
    assert problem(await together(bob, claim, [(task_of(room, batch_id, 1), 1)])) == (409, "task_alone")


async def test_only_who_has_the_task_may_and_a_lost_claim_decides_nothing(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, one, one)
    anchor, other = task_of(room, batch_id), task_of(room, batch_id, 1)
    claim = await claim_of(room, ann, anchor)
    assert problem(await together(bob, claim, [(other, 1)])) == (409, "claim_lost")
    assert problem(await together(room.person(Scope.READ), claim, [(other, 1)])) == (403, "scope_missing")
    assert problem(await together(ann, claim, [(other, 1)], lease_token=str(uuid4()))) == (409, "claim_lost")
    room.world.rows("UPDATE review_claims SET expires_at = now() - interval '1 second' WHERE task_id = :id", id=anchor)
    assert problem(await together(ann, claim, [(other, 1)])) == (409, "claim_lost")
    assert room.world.value("SELECT state FROM review_tasks WHERE id = :id", id=other) == "open"


async def test_a_duplicate_that_the_reviewer_holds_already_is_decided_under_that_claim(room: Room) -> None:
    ann, one = room.person(), a_picture()
    batch_id = judged(room, one, one)
    claim = await claim_of(room, ann, task_of(room, batch_id))
    ahead = await ann.claim()  # fetched ahead, as a page does
    assert results(await together(ann, claim, [(ahead.task, 1)])) == ["decided"]
    assert [held["task"]["id"] for held in (await ann.get("/v1/claims")).json()["claims"]] == [claim.task]


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": []},
        {"tasks": [{"task_id": 1, "version": 1}] * 101},
        {"tasks": [{"task_id": 0, "version": 1}]},
        {"tasks": [{"task_id": 1}]},
        {"tasks": [{"task_id": "1", "version": 1}]},
        {"verdict": "unsure"},
        {"action": "ban"},
        {"judgements": []},
        {"lease_token": "x"},
        {"note": "x" * 4_001},
    ],
)
async def test_a_body_that_does_not_fit_is_refused(room: Room, change: dict[str, Any]) -> None:
    body = {"lease_token": str(uuid4()), **GENERATED, "tasks": [{"task_id": 1, "version": 1}], **change}
    assert problem(await room.person().post("/v1/tasks/1:decide-duplicates", body)) == (422, "request_invalid")


async def test_two_reviewers_who_tick_the_same_copies_decide_each_once(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, *[one] * 22)
    copies = [(task_of(room, batch_id, ordinal), 1) for ordinal in range(2, 22)]
    first, second = await claim_of(room, ann, task_of(room, batch_id)), await claim_of(room, bob, task_of(room, batch_id, 1))
    answers = await asyncio.gather(together(ann, first, copies), together(bob, second, copies[::-1]))
    told = zip(results(answers[0]), results(answers[1])[::-1], strict=True)
    others = {"finished", "claimed_by_other"}
    assert all("decided" in pair and others & set(pair) for pair in told)
    assert room.world.value("SELECT count(*) FROM reviews WHERE task_id = ANY(:ids)", ids=[task for task, _ in copies]) == 20


async def test_no_more_than_are_shown_are_found_and_it_says_so(room: Room) -> None:
    reader, one = room.person(Scope.READ), a_picture()
    batch_id = judged(room, *[one] * 102, *(one.altered(1, f"{n:064}") for n in range(21)))
    seen = await found(reader, task_of(room, batch_id))
    assert (len(seen["exact"]), len(seen["near"]), seen["more"]) == (100, 20, True)


async def test_another_tenant_s_newer_copies_hide_none(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "LOOKED_AT", 3)
    reader, one = room.person(Scope.READ), a_picture()
    mine = judged(room, one, one, one.altered(1, "b" * 64))
    judged(room, *[one] * 5, *(one.altered(2, f"{n:064}") for n in range(5)), tenant=f"other-{uuid4().hex[:8]}")
    seen = await found(reader, task_of(room, mine))
    assert [[copy["item_id"] for copy in seen[kind]] for kind in ("exact", "near")] == [[item_id(mine, 1)], [item_id(mine, 2)]]


async def test_no_more_than_are_looked_at_in_a_band_that_all_have(room: Room) -> None:
    one = a_picture()
    assert one.likeness is not None
    far = one.likeness ^ (2**48 - 1)  # has one band in common
    judged(room, one, *(Picture(f"{n:064}", far) for n in range(20)))
    common = "SELECT array(SELECT unnest(perceptual_bands(:a)) INTERSECT SELECT unnest(perceptual_bands(:b)))"
    bands = room.world.value(common, a=one.likeness, b=far)
    alike = {"hash": one.likeness, "bands": bands, "near": NEAR, "sha256": one.sha256, "looked_at": 3, "tenant_id": room.tenant}
    with transaction(room.world.engine) as session:
        (plan,) = session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {duplicates.ALIKE}"), alike).scalar_one()
    measured = [node for node in _nodes(plan["Plan"]) if "distance" in node.get("Filter", "") or "bit_count" in node.get("Filter", "")]
    assert (len(bands), [node["Rows Removed by Filter"] for node in measured]) == (1, [3])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


async def test_likenesses_that_take_too_long_are_left_out_and_it_says_so(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    reader, one = room.person(Scope.READ), a_picture()
    batch_id = judged(room, one, one, one.altered(1, "b" * 64))
    slow = duplicates.NEARBY.text.replace("ORDER BY f.task_id", "ORDER BY (SELECT pg_sleep(60)::text), f.task_id")
    monkeypatch.setattr(duplicates, "NEARBY", text(slow))
    monkeypatch.setattr(duplicates, "MOST_MS", 100)
    seen = await found(reader, task_of(room, batch_id))
    assert (len(seen["exact"]), seen["near"], seen["more"]) == (1, [], True)


def test_the_database_numbers_bands_as_the_look_up_does(engine: Engine) -> None:
    for value in (LIKENESS, 0, -1, 2**63 - 1, -(2**63)):
        numbered = World(engine).value("SELECT perceptual_bands(CAST(:value AS bigint))", value=value)
        assert len(numbered) == BANDS
        assert set(numbered) <= set(bands_nearby(value))


async def test_taking_the_answer_back_takes_back_what_was_answered_together_with_it(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, *[one] * 4)
    anchor, second, third, held = (task_of(room, batch_id, ordinal) for ordinal in range(4))
    claim = await claim_of(room, ann, anchor)
    given = await ann.answer(claim, {**GENERATED, "undo_seconds": 60})
    first = await together(ann, claim, [(second, 1), (third, 1), (held, 1)], undo_seconds=60)
    assert results(first) == ["decided"] * 3
    assert all(told["final_at"] and told["decision_id"] is None for told in first.json()["results"])
    assert (await together(ann, claim, [(second, 1)], undo_seconds=60)).json()["results"][0] == first.json()["results"][0]
    room.world.rows("UPDATE review_tasks SET state = 'held' WHERE id = :id", id=held)  # by a lead, say: its answer stands
    back = await ann.post(f"/v1/reviews/{given.json()['review_id']}:undo")
    assert (back.status_code, back.json()["task"]["id"]) == (200, anchor)
    standing = "SELECT task_id FROM reviews WHERE answered_with = :id AND taken_back_at IS NULL"
    assert [row.task_id for row in room.world.rows(standing, id=anchor)] == [held]
    assert [held["task"]["id"] for held in (await ann.get("/v1/claims")).json()["claims"]] == [anchor]
    await claim_of(room, bob, second)  # it is anybody's again
    anew = Claimed(anchor, {"lease_token": back.json()["lease_token"]}, back.headers["etag"], None)
    assert results(await together(ann, anew, [(second, 1), (third, 1)], verdict="real", action="none")) == ["claimed_by_other", "decided"]
    actions = "SELECT count(*) FROM audit_events WHERE action = 'review.taken_back' AND detail ->> 'answered_with' = CAST(:id AS text)"
    assert room.world.value(actions, id=anchor) == 2


async def test_what_takes_two_people_is_not_decided_together_and_grounds_are_asked_for(room: Room) -> None:
    admin, ann, one = room.person(Scope.ADMIN), room.person(), a_picture()
    version = {"bands": [], "reason_required": True, "four_eyes": ["remove"]}
    made = await admin.post("/v1/policies/default/versions", version)
    assert made.status_code == 201, made.text
    await admin.post(f"/v1/policies/default/versions/{made.json()['version']}:promote")
    batch_id = judged(room, one, one)
    anchor, other = task_of(room, batch_id), task_of(room, batch_id, 1)
    claim = await claim_of(room, ann, anchor)
    assert results(await together(ann, claim, [(other, 1)], action="remove")) == ["needs_second_reviewer"]
    assert problem(await together(ann, claim, [(other, 1)], note="")) == (422, "reason_required")
    assert problem(await together(ann, claim, [(other, 1)], clause="nudity")) == (422, "clause_unknown")
    assert results(await together(ann, claim, [(other, 1)])) == ["decided"]


async def test_a_copy_that_asks_for_other_grounds_is_left_and_the_others_are_decided(room: Room) -> None:
    admin, ann, one = room.person(Scope.ADMIN), room.person(), a_picture()
    clause = {"id": "hands", "title": "Hands", "reason": "Six fingers."}
    batches = [judged(room, one, one)]
    for version in ({"bands": [], "clauses": [clause]}, {"bands": [], "reason_required": True}):
        made = await admin.post("/v1/policies/default/versions", version)
        assert made.status_code == 201, made.text
        await admin.post(f"/v1/policies/default/versions/{made.json()['version']}:promote")
        batches.append(judged(room, one))
    anchor, same = (task_of(room, batches[0], ordinal) for ordinal in range(2))
    other, strict = (task_of(room, batch_id) for batch_id in batches[1:])
    claim = await claim_of(room, ann, anchor)
    seen = {copy["task"]["id"]: copy["task"]["obstacle"] for copy in (await found(ann, anchor))["exact"]}
    assert seen == {same: None, other: "other_policy", strict: None}
    answer = await together(ann, claim, [(same, 1), (other, 1), (strict, 1)], note="")
    assert results(answer) == ["decided", "other_policy", "other_policy"]


async def test_a_task_whose_answer_is_known_cannot_be_told_from_one_without_duplicates(room: Room) -> None:
    ann, bob, one = room.person(), room.person(), a_picture()
    batch_id = judged(room, one, one, one)
    anchor, golden, other = (task_of(room, batch_id, ordinal) for ordinal in range(3))
    room.world.rows("UPDATE review_tasks SET kind = 'golden', assigned_to = :bob WHERE id = :id", id=golden, bob=bob.name)
    made = "INSERT INTO golden_tasks (task_id, reviewer, policy_version) VALUES (:id, :bob, 'default@1')"
    room.world.rows(made, id=golden, bob=bob.name)
    claim = await claim_of(room, ann, anchor)
    assert [copy["task"] and copy["task"]["id"] for copy in (await found(ann, anchor))["exact"]] == [other, None]
    assert results(await together(ann, claim, [(golden, 1)])) == ["not_a_duplicate"]
    claim = await claim_of(room, bob, golden)
    assert await found(bob, golden) == {"exact": [], "near": [], "more": False}
    assert results(await together(bob, claim, [(other, 1)])) == ["not_a_duplicate"]
