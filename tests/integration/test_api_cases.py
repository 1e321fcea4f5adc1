"""Decisions and appeals over HTTP, on a real Postgres."""

import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.api_world import calling, fresh, new_key, problem
from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.review import ReviewVerdict
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.decisions import MOST_DECISIONS
from worker.store.overrides import Override, override
from worker.store.review_answers import Answer
from worker.store.review_claims import claim_task
from worker.store.review_tasks import Claimant
from worker.store.reviews import submit_review
from worker.store.session import transaction

LABEL = {"verdict": "generated", "action": "label", "reason": "six fingers"}


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:8]}"


@pytest.fixture
async def api(settings: Settings, engine: Engine, tenant: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine, tenant=tenant).text) as client:
        yield client


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def batch_id(world: World, tenant: str) -> UUID:
    """0 passed, 1 waits for review, 2 is flagged."""
    return judged_batch(world, {0: 0.05, 1: 0.6, 2: 0.95}, tenant=tenant)


async def decided(api: httpx.AsyncClient, item: str, supersedes: str | None = None, **changes: Any) -> Any:
    answer = await api.post(f"/v1/items/{item}/decisions", json={**LABEL, "supersedes": supersedes, **changes})
    assert answer.status_code == 201, answer.text
    return answer.json()


def reviewed(engine: Engine, tenant: str, name: str, queue: str, answer: Answer) -> None:
    """Somebody claims the queue's first task and answers."""
    who = Claimant(tenant_id=tenant, reviewer=name)
    with transaction(engine) as session:
        claim = claim_task(session, who, queue)
        assert claim is not None
        submit_review(session, who, claim.task_id, claim.token, answer, version=claim.version)


async def test_a_lead_decides_without_a_task_and_over_what_stands(api: httpx.AsyncClient, world: World, batch_id: UUID) -> None:
    item = item_id(batch_id, 1)
    first = await decided(api, item)
    assert (first["basis"], first["supersedes"], first["current"], first["policy_version"]) == ("lead", None, True, "default@1")
    second = await decided(api, item, first["id"], verdict="real", action="none")
    line = (await api.get(f"/v1/items/{item}/decisions")).json()["decisions"]
    assert [(d["id"], d["current"]) for d in line] == [(first["id"], False), (second["id"], True)]
    assert (await api.get(f"/v1/decisions/{first['id']}")).json()["current"] is False
    assert world.value("SELECT state FROM review_tasks WHERE batch_id = :id AND ordinal = 1", id=batch_id) == "withdrawn"
    kinds = world.rows("SELECT action FROM audit_events WHERE batch_id = :id AND ordinal = 1 AND action LIKE 'decision%'", id=batch_id)
    assert len(kinds) == 2


async def test_a_stale_lead_overwrites_nothing(api: httpx.AsyncClient, batch_id: UUID) -> None:
    item = item_id(batch_id, 1)
    first = await decided(api, item)
    for stale in (None, str(uuid4())):
        refused = await api.post(f"/v1/items/{item}/decisions", json={**LABEL, "supersedes": stale})
        assert problem(refused) == (409, "decision_superseded")
    assert len((await api.get(f"/v1/items/{item}/decisions")).json()["decisions"]) == 1
    await decided(api, item, first["id"])


def test_eight_leads_at_once_make_one_decision_and_nobody_breaks(engine: Engine, tenant: str, batch_id: UUID, world: World) -> None:
    begin = threading.Barrier(8)

    def lead(number: int) -> str:
        begin.wait()
        wanted = Override(verdict=Verdict.REAL, action=Action.NONE, reason="x", supersedes=None)
        try:
            with transaction(engine) as session:
                override(session, tenant, (batch_id, 0), wanted, lead=f"lead-{number}")
        except (RejectedError, TransientError) as error:
            return error.code
        return "decided"

    with ThreadPoolExecutor(8) as pool:
        ends = sorted(pool.map(lead, range(8)))
    assert ends.count("decided") == 1
    assert set(ends) <= {"decided", "decision_conflict", "decision_superseded"}
    assert world.value("SELECT count(*) FROM decisions WHERE batch_id = :id", id=batch_id) == 1


async def test_of_a_long_line_the_newest_hundred_are_listed(api: httpx.AsyncClient, engine: Engine, tenant: str, batch_id: UUID) -> None:
    made: list[UUID] = []
    with transaction(engine) as session:
        for _ in range(MOST_DECISIONS + 2):
            wanted = Override(verdict=Verdict.REAL, action=Action.NONE, reason="x", supersedes=made[-1] if made else None)
            made.append(override(session, tenant, (batch_id, 0), wanted, lead="lea"))
    line = (await api.get(f"/v1/items/{item_id(batch_id, 0)}/decisions")).json()["decisions"]
    assert [d["id"] for d in line] == [str(decision) for decision in made[2:]]
    assert [d["current"] for d in line] == [False] * (MOST_DECISIONS - 1) + [True]
    assert (await api.get(f"/v1/items/{item_id(batch_id, 1)}/decisions")).json() == {"decisions": []}


async def test_an_item_without_an_outcome_cannot_be_decided_on(api: httpx.AsyncClient, world: World, tenant: str) -> None:
    pending = item_id(world.batch(1, tenant=tenant), 0)
    assert problem(await api.post(f"/v1/items/{pending}/decisions", json={**LABEL, "supersedes": None})) == (409, "item_not_judged")
    world.retire()


async def test_decisions_are_listed_oldest_first_from_a_moment_on(api: httpx.AsyncClient, batch_id: UUID) -> None:
    made = [await decided(api, item_id(batch_id, ordinal)) for ordinal in range(3)]
    first = (await api.get("/v1/decisions", params={"limit": "2"})).json()
    rest = (await api.get("/v1/decisions", params={"limit": "2", "cursor": first["next_cursor"]})).json()
    assert [d["id"] for d in (*first["decisions"], *rest["decisions"])] == [d["id"] for d in made]
    assert rest["next_cursor"] is None
    future = await api.get("/v1/decisions", params={"since": "2100-01-01T00:00:00Z"})
    past = await api.get("/v1/decisions", params={"since": "0001-01-01T00:00:00+00:00"})
    assert (future.json()["decisions"], len(past.json()["decisions"])) == ([], 3)
    for wrong in ("0", "2026-11-26", "2026-11-26T00:00:00", "now", "2026-13-01T00:00:00Z"):
        assert problem(await api.get("/v1/decisions", params={"since": wrong})) == (422, "request_invalid")
    taken_elsewhere = {"since": "2100-01-01T00:00:00Z", "cursor": first["next_cursor"]}
    assert problem(await api.get("/v1/decisions", params=taken_elsewhere)) == (400, "cursor_invalid")


async def test_an_appeal_freezes_the_evidence_and_names_what_ended_it(
    api: httpx.AsyncClient, world: World, engine: Engine, tenant: str, batch_id: UUID
) -> None:
    item = item_id(batch_id, 0)  # it had passed: its evidence was routine
    crop = world.value("SELECT crop_sha256 FROM regions WHERE batch_id = :id AND ordinal = 0", id=batch_id)
    assert world.value("SELECT retention_class FROM evidence WHERE sha256 = :s", s=crop) == "routine"
    decision = await decided(api, item)
    body = {"decision_id": decision["id"], "statement": "I took it <b>myself</b>", "region": 1, "reference": "case-7"}
    opened = await api.post("/v1/appeals", json=body, headers=fresh())
    appeal = opened.json()
    assert (opened.status_code, opened.headers["location"], appeal["state"]) == (201, f"/v1/appeals/{appeal['id']}", "open")
    assert (appeal["region"], appeal["statement"], appeal["settled_by"]) == (1, body["statement"], None)
    assert appeal["evidence"]["revision"] == 1
    assert [(r["position"], r["crop_sha256"]) for r in appeal["evidence"]["regions"]] == [(1, crop)]
    assert world.value("SELECT retention_class FROM evidence WHERE sha256 = :s", s=crop) == "case"
    assert problem(await api.post(f"/v1/items/{item}/decisions", json={**LABEL, "supersedes": decision["id"]})) == (409, "appeal_open")
    judged_batch(world, {0: 0.01}, tenant=tenant, revision=2, batch_id=batch_id)  # a rescan changes nothing of the case
    reviewed(engine, tenant, "ann", "appeals", Answer(verdict=ReviewVerdict.REAL, note="a photograph"))
    ended = (await api.get(f"/v1/appeals/{appeal['id']}")).json()
    assert (ended["state"], ended["evidence"]) == ("reversed", appeal["evidence"])
    assert (await api.get(f"/v1/decisions/{ended['settled_by']}")).json()["supersedes"] == decision["id"]
    told = world.rows("SELECT payload FROM outbox WHERE tenant_id = :t AND type = 'appeal.decided'", t=tenant)
    assert [row.payload["decision_id"] for row in told] == [ended["settled_by"]]


async def test_the_key_that_opened_an_appeal_is_not_offered_it(api: httpx.AsyncClient, engine: Engine, tenant: str, batch_id: UUID) -> None:
    with transaction(engine) as session:
        wanted = Override(verdict=Verdict.GENERATED, action=Action.LABEL, reason="x", supersedes=None)
        decision = override(session, tenant, (batch_id, 2), wanted, lead="lea")
    opened = await api.post("/v1/appeals", json={"decision_id": str(decision), "statement": "no"}, headers=fresh())
    assert opened.status_code == 201
    assert (await api.post("/v1/queues/appeals:claim")).status_code == 204
    reviewed(engine, tenant, "ann", "appeals", Answer(verdict=ReviewVerdict.REAL))


async def test_the_same_key_opens_an_appeal_once(api: httpx.AsyncClient, batch_id: UUID) -> None:
    decision = await decided(api, item_id(batch_id, 2))
    body, headers = {"decision_id": decision["id"], "statement": "no"}, fresh()
    first = await api.post("/v1/appeals", json=body, headers=headers)
    again = await api.post("/v1/appeals", json=body, headers=headers)
    assert (again.status_code, again.json(), again.headers["idempotency-replayed"]) == (201, first.json(), "true")
    other = await api.post("/v1/appeals", json={**body, "statement": "yes"}, headers=headers)
    assert problem(other) == (422, "idempotency_key_reused")
    assert problem(await api.post("/v1/appeals", json=body, headers=fresh())) == (409, "appeal_exists")
    assert problem(await api.post("/v1/appeals", json=body)) == (400, "idempotency_key_missing")


async def test_appeals_that_cannot_be_have_their_problem(api: httpx.AsyncClient, world: World, batch_id: UUID) -> None:
    item = item_id(batch_id, 2)
    first = await decided(api, item)

    async def refused(**body: Any) -> tuple[int, str]:
        return problem(await api.post("/v1/appeals", json={"statement": "x", **body}, headers=fresh()))

    assert await refused(decision_id=str(uuid4())) == (422, "decision_missing")
    assert await refused(decision_id=first["id"], region=9) == (422, "region_unknown")
    assert await refused(decision_id=first["id"], statement="x" * 5_001) == (422, "request_invalid")
    assert await refused(decision_id=first["id"], statement=" ") == (422, "request_invalid")
    assert await refused(decision_id=first["id"], reference="\x00") == (400, "json_text_invalid")
    second = await decided(api, item, first["id"])
    assert await refused(decision_id=first["id"]) == (409, "decision_superseded")
    assert await refused(decision_id=f"{second['id']}'; DROP TABLE appeals; --") == (422, "request_invalid")


async def test_appeals_are_listed_by_state_and_page(api: httpx.AsyncClient, batch_id: UUID, engine: Engine, tenant: str) -> None:
    opened = []
    for ordinal in range(3):
        decision = await decided(api, item_id(batch_id, ordinal))
        answer = await api.post("/v1/appeals", json={"decision_id": decision["id"], "statement": "no"}, headers=fresh())
        opened.append(answer.json()["id"])
    first = (await api.get("/v1/appeals", params={"limit": "2"})).json()
    rest = (await api.get("/v1/appeals", params={"limit": "2", "cursor": first["next_cursor"]})).json()
    assert [a["id"] for a in (*first["appeals"], *rest["appeals"])] == opened[::-1]
    reviewed(engine, tenant, "ann", "appeals", Answer(verdict=ReviewVerdict.GENERATED, action=Action.LABEL))
    for state, number in (("open", 2), ("upheld", 1), ("reversed", 0)):
        assert len((await api.get("/v1/appeals", params={"state": state})).json()["appeals"]) == number
    assert problem(await api.get("/v1/appeals", params={"state": "open", "cursor": first["next_cursor"]})) == (400, "cursor_invalid")


async def test_scopes_are_asked_for_and_strangers_learn_nothing(
    settings: Settings, engine: Engine, api: httpx.AsyncClient, tenant: str, batch_id: UUID
) -> None:
    item = item_id(batch_id, 1)
    decision = await decided(api, item)
    opened = await api.post("/v1/appeals", json={"decision_id": decision["id"], "statement": "no"}, headers=fresh())
    places = (f"/v1/decisions/{decision['id']}", f"/v1/items/{item}/decisions", f"/v1/appeals/{opened.json()['id']}")
    async with calling(settings, new_key(engine, Scope.READ, tenant=tenant).text) as reader:
        assert all([(await reader.get(place)).status_code == 200 for place in places])
        assert problem(await reader.post(places[1], json={**LABEL, "supersedes": decision["id"]})) == (403, "scope_missing")
        body = {"decision_id": decision["id"], "statement": "x"}
        assert problem(await reader.post("/v1/appeals", json=body, headers=fresh())) == (403, "scope_missing")
    async with calling(settings, new_key(engine, tenant=f"{tenant}-other").text) as stranger:
        assert {problem(await stranger.get(place)) for place in places} == {(404, "not_found")}
        assert problem(await stranger.post(places[1], json={**LABEL, "supersedes": decision["id"]})) == (404, "not_found")
        body = {"decision_id": decision["id"], "statement": "x"}
        assert problem(await stranger.post("/v1/appeals", json=body, headers=fresh())) == (422, "decision_missing")
        assert (await stranger.get("/v1/decisions")).json()["decisions"] == []
        assert (await stranger.get("/v1/appeals")).json()["appeals"] == []
