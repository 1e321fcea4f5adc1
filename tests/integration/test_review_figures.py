"""Figures of review over HTTP, on a real Postgres: every number against what people and models did, and who may see whose."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, create_engine

from migrations.versions.review_figures import BACKFILL
from tests.integration.api_world import problem
from tests.integration.queue_world import RELEASE, World, verdict
from tests.integration.review_room import CLAIM, Person, Room, a_room
from worker.moderation.boxes import Box
from worker.moderation.outcomes import ItemReference, Outcome, Region, Verdict
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.moderation.shares import wilson
from worker.store.golden_items import Known, put_golden
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.session import transaction

PATH = "/v1/review-figures"
NOWHERE = UUID(int=0)
REAL, GENERATED, UNSURE = {"verdict": "real"}, {"verdict": "generated"}, {"verdict": "unsure"}


@pytest.fixture
async def room(settings: Settings, engine: Engine) -> AsyncIterator[Room]:
    async with a_room(settings, engine) as room:
        yield room


@pytest.fixture
def owner(settings: Settings) -> Iterator[World]:
    """Who may put what happened into the past."""
    assert settings.owner_url is not None
    engine = create_engine(settings.owner_url.get_secret_value())
    yield World(engine)
    engine.dispose()


async def figures(person: Person, **parameters: str) -> Any:
    answer = await person.get(PATH, **parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def record(room: Room, *outcomes: Outcome) -> None:
    """Outcomes of a batch of their own, as a worker writes them."""
    batch_id = room.world.batch(len(outcomes), tenant=room.tenant)
    place = Place(batch_id=batch_id, revision=1, chunk_id=room.world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id))
    with transaction(room.world.engine) as session:
        insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))


def said(ordinal: int, p: float = 0.6, **changes: Any) -> Outcome:
    return replace(verdict(ItemReference(NOWHERE, ordinal, "", "b", "k"), p), evidence=(), **changes)


async def answered(person: Person, body: Any, queue: str = CLAIM) -> Any:
    answer = await person.answer(await person.claim(queue), body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_where_nothing_happened_figures_are_zero_or_null(room: Room) -> None:
    seen = await figures(room.person(Scope.READ))
    assert [(queue["queue"], queue["tasks"], queue["oldest"]) for queue in seen["queues"]] == [("appeals", 0, None), ("default", 0, None)]
    assert {step["waiting"] for step in seen["flow"]} == {0}
    nothing = {"answers": 0, "settled": 0, "unsure": 0, "median_seconds": None, "slow_seconds": None, "measured": 0, "exposed_seconds": 0}
    assert seen["throughput"]["total"] == nothing
    assert seen["overrides"]["total"]["rate"] == {"part": 0, "whole": 0, "value": None, "low": None, "high": None}
    assert seen["agreement"]["alpha"] == {"value": None, "observed": None, "units": 0}
    assert (seen["boxes"]["artefacts"], seen["boxes"]["missed"], seen["stages"]) == ([], 0, [])


@pytest.mark.parametrize(("days", "steps", "seconds"), [("1", 24, 3_600), ("2", 8, 21_600), ("7", 28, 21_600), ("30", 30, 86_400)])
async def test_a_window_is_cut_into_whole_steps_of_which_the_last_one_runs(room: Room, days: str, steps: int, seconds: int) -> None:
    seen = await figures(room.person(), days=days)
    assert (len(seen["flow"]), seen["step_seconds"]) == (steps, seconds)
    last, until = datetime.fromisoformat(seen["flow"][-1]["at"]), datetime.fromisoformat(seen["until"])
    assert 0 <= (until - last).total_seconds() < seconds
    assert seen["flow"][0]["at"] == seen["since"]
    assert last.timestamp() % seconds == 0
    assert len(seen["throughput"]["steps"]) == len(seen["overrides"]["steps"]) == steps


async def test_what_waits_is_counted_by_age_and_how_it_grew_is_told(room: Room) -> None:
    ann, lead = room.person(), room.person(Scope.LEAD)
    room.judged(*[0.6] * 6)
    tasks = [task["id"] for task in (await lead.get("/v1/tasks")).json()["tasks"]]
    for task, hours in zip(tasks, (100, 30, 2, 0, 0, 0), strict=True):
        moved = "UPDATE review_tasks SET created_at = now() - make_interval(hours => :h), priority = :h WHERE id = :id"
        room.world.rows(moved, id=task, h=hours)
    room.world.rows("UPDATE review_tasks SET due_at = now() - interval '1 minute' WHERE id = :id", id=tasks[0])
    await answered(ann, UNSURE)  # the oldest: escalated
    await answered(ann, REAL)
    held = await ann.claim()
    await ann.post(f"{held.path}:hold", {**held.token, "reason": "asked"}, seen=held.etag)
    seen = await figures(ann, days="7", queue="default")
    (depth,) = seen["queues"]
    assert {name: depth[name] for name in ("tasks", "held", "escalated", "overdue")} == {
        "tasks": 5,
        "held": 1,
        "escalated": 1,
        "overdue": 1,
    }
    assert [bucket["tasks"] for bucket in depth["ages"]] == [3, 1, 0, 0, 1, 0]
    assert (depth["ages"][0]["from_hours"], depth["ages"][0]["to_hours"], depth["ages"][-1]["to_hours"]) == (0, 1, None)
    assert (sum(step["opened"] for step in seen["flow"]), sum(step["closed"] for step in seen["flow"])) == (6, 1)
    waiting = [step["waiting"] for step in seen["flow"]]
    assert (waiting[0], max(waiting), waiting[-1]) == (0, 5, 5)
    assert {1, 2} <= set(waiting)  # from 100 and 30 hours ago on
    recent = await figures(ann, days="1", queue="default")
    assert recent["flow"][0]["waiting"] == 2  # those from before the window are known without being read
    assert recent["flow"][-1]["waiting"] == 5
    assert [queue["tasks"] for queue in (await figures(ann, queue="appeals"))["queues"]] == [0]


async def test_answers_are_counted_and_single_reviewers_are_for_leads_and_themselves(room: Room) -> None:
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    room.judged(*[0.6] * 4)
    for person, body in ((ann, REAL), (ann, UNSURE), (ann, GENERATED), (bob, REAL)):
        await answered(person, body)
    await answered(lead, REAL)  # settles what ann was unsure of
    for person, names in ((ann, [ann.name]), (bob, [bob.name]), (lead, [ann.name, bob.name, lead.name]), (room.person(Scope.READ), [])):
        seen = (await figures(person))["throughput"]
        assert (seen["total"]["answers"], seen["total"]["unsure"], seen["steps"][-1]["answers"]) == (5, 1, 5)
        assert {one["reviewer"] for one in seen["reviewers"]} == set(names)
    (first, *_) = (await figures(room.person(Scope.ADMIN)))["throughput"]["reviewers"]
    assert (first["reviewer"], first["answers"], first["unsure"]) == (ann.name, 3, 1)
    assert 0 <= first["median_seconds"] <= first["slow_seconds"] < 60


async def test_what_was_taken_back_is_no_answer_and_what_was_answered_with_another_took_no_time(room: Room, owner: World) -> None:
    ann = room.person()
    room.judged(*[0.6] * 4)
    tasks = []
    for exposure in (5, None, 30, 40):
        claim = await ann.claim()
        answer = await ann.answer(claim, {**REAL, **({"exposure_seconds": exposure} if exposure else {})})
        assert answer.status_code == 201, answer.text
        tasks.append(claim.task)
    owner.rows("UPDATE reviews SET seconds = 70 WHERE task_id = :id", id=tasks[0])
    owner.rows("UPDATE reviews SET seconds = 900, answered_with = :first WHERE task_id = :id", first=tasks[0], id=tasks[1])
    owner.rows("UPDATE reviews SET seconds = 900, taken_back_at = now() WHERE task_id = :id", id=tasks[3])
    seen = (await figures(ann))["throughput"]["total"]
    assert (seen["answers"], seen["measured"], seen["exposed_seconds"], seen["slow_seconds"]) == (3, 2, 35, 70)


async def test_images_that_a_policy_passed_are_told_apart_from_those_it_asked_about(room: Room, owner: World) -> None:
    ann = room.person()
    record(room, said(0), said(1))
    await answered(ann, REAL)
    await answered(ann, GENERATED)
    sampled = "UPDATE review_tasks SET kind = 'qa' WHERE id = (SELECT task_id FROM reviews WHERE verdict = 'real' AND reviewer = :name)"
    owner.rows(sampled, name=ann.name)
    found = {one["kind"]: one["rate"]["value"] for one in (await figures(ann))["overrides"]["occasions"]}
    assert found == {"qa": 1.0, "routing": 0.0}


async def test_golden_accuracy_is_for_leads_and_golden_answers_count_as_work_alone(room: Room, owner: World) -> None:
    ann, lead = room.person(), room.person(Scope.LEAD)
    batch_id = room.judged(0.6, 0.6)
    accept = {"judgements": [{"kind": "accept", "position": 1}]}
    for body in (REAL, GENERATED):
        await answered(ann, {**body, **accept})
    with transaction(room.world.engine) as session:
        for ordinal in (0, 1):
            put_golden(
                session, room.tenant, (batch_id, ordinal), Known(verdict=Verdict.GENERATED, boxes=(Box(1, 2, 30, 40),)), actor="keeper"
            )
    owner.rows("UPDATE review_tasks SET kind = 'golden' WHERE batch_id = :id", id=batch_id)
    owner.rows("DELETE FROM decisions WHERE batch_id = :id", id=batch_id)
    seen = await figures(lead)
    (mine,) = seen["golden"]["reviewers"]
    for one in (mine, seen["golden"]["total"]):
        assert (one["accuracy"]["part"], one["accuracy"]["whole"], one["missed"], one["false_alarms"], one["unsure"]) == (1, 2, 1, 0, 0)
        assert (one["judged_boxes"], one["box_iou"]) == (2, 1.0)
    assert (mine["reviewer"], seen["throughput"]["total"]["answers"], seen["boxes"]["artefacts"]) == (ann.name, 2, [])
    assert (await figures(ann))["golden"] is None


async def test_overrides_are_decisions_that_stand_against_the_model(room: Room) -> None:
    ann, lead = room.person(), room.person(Scope.LEAD, Scope.READ)
    record(room, *[said(n, 0.6) for n in range(4)], said(4, 0.3), said(5, 0.3))
    decided = [await answered(ann, body) for body in (REAL, GENERATED, GENERATED, GENERATED, GENERATED, REAL)]
    seen = (await figures(ann))["overrides"]
    of_tenant = "release_id IS NOT NULL AND batch_id IN (SELECT id FROM batches WHERE tenant_id = :t)"
    models = dict(room.world.rows(f"SELECT ordinal, verdict FROM outcomes WHERE {of_tenant}", t=room.tenant))  # noqa: S608
    rows = room.world.rows("SELECT ordinal, verdict FROM decisions WHERE tenant_id = :t", t=room.tenant)
    to_real = sum(models[row.ordinal] == "generated" and row.verdict == "real" for row in rows)
    to_generated = sum(models[row.ordinal] == "real" and row.verdict == "generated" for row in rows)
    interval = wilson(to_real + to_generated, 6)
    assert seen["total"] == {
        "to_real": to_real,
        "to_generated": to_generated,
        "rate": {
            "part": to_real + to_generated,
            "whole": 6,
            "value": (to_real + to_generated) / 6,
            "low": interval.low,
            "high": interval.high,
        },
    }
    assert [(one["policy_version"], one["rate"]["whole"]) for one in seen["policies"]] == [("default@1", 6)]
    assert [(one["release"], one["rate"]["whole"]) for one in seen["releases"]] == [(RELEASE.id, 6)]
    assert seen["steps"][-1]["rate"] == seen["total"]["rate"]
    wrong = next(one for one in decided if one["decision_id"])
    decision = (await lead.get(f"/v1/decisions/{wrong['decision_id']}")).json()
    back = {"verdict": "generated" if decision["verdict"] == "real" else "real", "action": "none", "reason": "looked again"}
    answer = await lead.post(f"/v1/items/{decision['item_id']}/decisions", {**back, "supersedes": decision["id"]})
    assert answer.status_code == 201
    after = (await figures(ann))["overrides"]["total"]["rate"]
    assert (after["whole"], abs(after["part"] - seen["total"]["rate"]["part"])) == (6, 1)
    of_queue = (await figures(ann, queue="default"))["overrides"]["total"]["rate"]["whole"]
    assert of_queue == 5  # the lead's own came of no queue


async def test_agreement_is_over_blind_answers_alone(room: Room) -> None:
    ann, bob, lead = room.person(), room.person(), room.person(Scope.LEAD)
    room.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :t", t=room.tenant)
    room.judged(*[0.6] * 4)
    for one, other in ((REAL, REAL), (GENERATED, GENERATED), (REAL, GENERATED), (REAL, REAL)):
        await answered(ann, one)
        await answered(bob, other)
    await answered(lead, GENERATED)  # settles the third: not blind
    for person in (ann, lead):
        seen = (await figures(person))["agreement"]
        assert (seen["alpha"]["units"], seen["alpha"]["observed"]) == (4, 0.75)
        assert seen["alpha"]["value"] == pytest.approx(1 - 2 / ((8 * 7 - 5 * 4 - 3 * 2) / 7))
        pairs = [({pair["one"], pair["other"]}, pair["kappa"]) for pair in seen["pairs"]]
        assert pairs == ([({ann.name, bob.name}, {"value": 0.5, "observed": 0.75, "units": 4})] if person is lead else [])


async def test_figures_tell_nothing_of_what_was_said_of_a_task_that_others_are_still_asked_about(room: Room) -> None:
    ann, bob = room.person(), room.person()
    room.world.rows("UPDATE review_queues SET slots = 2 WHERE tenant_id = :t", t=room.tenant)
    room.judged(0.6, 0.6)
    judged = {"judgements": [{"kind": "accept", "position": 1}]}
    await answered(ann, {**UNSURE, **judged})
    await answered(ann, {**GENERATED, **judged, "undo_seconds": 60})
    for body in (None, {**UNSURE, **judged}):  # alone, and escalated by the second
        if body:
            await answered(bob, body)
        seen = await figures(room.person())
        pace = seen["throughput"]["total"]
        assert (pace["answers"], pace["settled"], pace["unsure"]) == (3 if body else 2, 0, 0)
        assert (seen["boxes"]["artefacts"], seen["agreement"]["alpha"]["units"]) == ([], 0)


async def test_neither_of_two_leads_answers_is_a_blind_one(room: Room) -> None:
    ann, bob, admin = room.person(), room.person(), room.person(Scope.ADMIN)
    made = (await admin.post("/v1/policies/default/versions", {"bands": [], "four_eyes": ["remove"]})).json()
    assert (await admin.post(f"/v1/policies/default/versions/{made['version']}:promote")).status_code == 200
    room.judged(0.6)
    for person, body in ((ann, {**GENERATED, "action": "remove"}), (bob, REAL)):  # the second of four eyes differs
        await answered(person, body)
    await answered(room.person(Scope.LEAD), {**REAL, "action": "remove"})
    await answered(room.person(Scope.LEAD), {**REAL, "action": "remove"})
    seen = (await figures(room.person(Scope.LEAD)))["agreement"]
    assert (seen["alpha"]["units"], seen["alpha"]["observed"]) == (1, 0.0)
    assert [({pair["one"], pair["other"]}, pair["kappa"]["units"]) for pair in seen["pairs"]] == [({ann.name, bob.name}, 1)]


async def test_boxes_are_judged_by_what_they_are_about(room: Room, owner: World) -> None:
    ann = room.person()
    hand, sign = Region(box=Box(1, 1, 9, 9), reason="left hand"), Region(box=Box(2, 2, 9, 9), reason="edge", finding="garbled letters")
    record(room, said(0, regions=(hand, sign)), said(1, regions=(hand,)))
    moved = {"kind": "move", "position": 2, "box": [3, 3, 9, 9]}
    added = {"kind": "add", "box": [20, 20, 30, 30]}
    claims = [await ann.claim(), await ann.claim()]
    for claim in claims:
        two = len(claim.body["task"]["regions"]) == 2
        judgements = [{"kind": "accept", "position": 1}, moved, added] if two else [{"kind": "reject", "position": 1}]
        assert (await ann.answer(claim, {**GENERATED, "judgements": judgements})).status_code == 201
    seen = (await figures(ann))["boxes"]
    found = [(one["artefact"], one["accepted"], one["moved"], one["rejected"], one["precision"]["value"]) for one in seen["artefacts"]]
    assert found == [("hand", 1, 0, 1, 0.5), ("text", 0, 1, 0, 0.0)]
    assert (seen["missed"], seen["precision"]["part"], seen["precision"]["whole"]) == (1, 1, 3)
    owner.rows("DELETE FROM regions WHERE batch_id IN (SELECT id FROM batches WHERE tenant_id = :t)", t=room.tenant)  # as erasing does
    assert (await figures(ann))["boxes"]["artefacts"] == []


async def test_scan_and_zoom_are_compared_by_release_without_counting_outcomes_anew(room: Room, owner: World) -> None:
    record(room, said(0), *(said(ordinal, scan_verdict=Verdict.REAL) for ordinal in (1, 2)), said(3, scan_verdict=None))
    record(room, said(0), said(1, 0.3, scan_verdict=Verdict.REAL))
    seen = (await figures(room.person()))["stages"]
    assert [(one["release"], one["differing"]["part"], one["differing"]["whole"]) for one in seen] == [(RELEASE.id, 2, 5)]
    assert (seen[0]["steps"][-1]["part"], len(seen[0]["steps"])) == (2, 28)
    tallied = "SELECT sum(verdicts), sum(disagreed) FROM stage_tallies WHERE tenant_id = :t AND release_id = :r"
    (counted,) = owner.rows(tallied, t=room.tenant, r=RELEASE.id)
    owner.rows("DELETE FROM stage_tallies")
    owner.rows(BACKFILL)
    assert owner.rows(tallied, t=room.tenant, r=RELEASE.id) == [counted] == [(5, 2)]


async def test_figures_are_a_tenant_s_own(room: Room) -> None:
    ann, stranger = room.person(), room.person(*Scope, tenant=f"{room.tenant}-other")
    room.judged(0.6, 0.6)
    await answered(ann, REAL)
    seen = await figures(stranger)
    assert sum(queue["tasks"] for queue in seen["queues"]) == seen["throughput"]["total"]["answers"] == 0
    assert (seen["overrides"]["total"]["rate"]["whole"], seen["stages"], seen["throughput"]["reviewers"]) == (0, [], [])


async def test_the_page_takes_a_form_s_empty_choice_for_all_queues_and_tells_a_bad_one(room: Room) -> None:
    ann = room.person()
    html = {**ann.headers, "Accept": "text/html"}

    async def look(**parameters: str) -> tuple[int, str]:
        answer = await room.api.get("/review/dashboard", params=parameters, headers=html)
        return answer.status_code, answer.text

    assert (await look(days="30", queue=""))[0] == (await look(queue="default"))[0] == 200
    for parameters, status, code in (({"queue": "none"}, 404, "not_found"), ({"days": "0"}, 422, "request_invalid")):
        found = await look(**parameters)
        assert (found[0], code in found[1]) == (status, True)
    stranger = await room.api.get("/review/dashboard", headers={**room.person(Scope.AUDIT).headers, "Accept": "text/html"})
    assert stranger.status_code == 403


async def test_what_cannot_be_asked_is_refused(room: Room) -> None:
    ann = room.person()
    for days in ("0", "91", "-1", "1.0", "x", "1e1"):
        assert problem(await ann.get(PATH, days=days)) == (422, "request_invalid")
    assert problem(await ann.get(PATH, queue="none")) == (404, "not_found")
    assert problem(await ann.get(PATH, queue="'; DROP TABLE reviews; --")) == (422, "request_invalid")
    assert problem(await ann.get(PATH, hours="1")) == (422, "request_invalid")
    assert problem(await room.person(Scope.SUBMIT, Scope.AUDIT).get(PATH)) == (403, "scope_missing")
    assert problem(await ann.post(PATH, {})) == (405, "method_not_allowed")
