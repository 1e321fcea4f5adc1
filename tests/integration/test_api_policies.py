"""Policies over HTTP, on a real Postgres."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import calling, new_key, problem
from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

STRICT = [{"verdict": verdict, "pass_below": 0.1, "flag_from": 0.5} for verdict in ("generated", "real")]


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:8]}"


@pytest.fixture
async def api(settings: Settings, engine: Engine, tenant: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine, tenant=tenant).text) as client:
        yield client


async def test_a_version_is_written_watched_compared_promoted_and_taken_back(api: httpx.AsyncClient, engine: Engine, tenant: str) -> None:
    written = await api.post("/v1/policies/default/versions", json={"bands": STRICT, "note": "stricter"})
    place = "/v1/policies/default/versions/2"
    assert (written.status_code, written.headers["location"], written.json()["state"]) == (201, place, "draft")
    assert (await api.post(f"{place}:shadow")).json()["state"] == "shadow"
    judged_batch(World(engine), {0: 0.05, 1: 0.15, 2: 0.6, 3: 0.95}, tenant=tenant)
    comparison = (await api.get(f"{place}/comparison")).json()
    assert (comparison["outcomes"], comparison["changed"]) == (4, 2)
    assert {"live": "review", "shadow": "flag", "outcomes": 1} in comparison["changes"]
    assert (await api.post(f"{place}:promote")).json()["state"] == "live"
    assert (await api.get("/v1/policies/default")).json()["live"] == 2
    assert (await api.post("/v1/policies/default/versions/1:promote")).json()["state"] == "live"
    states = [(v["version"], v["state"]) for v in (await api.get("/v1/policies/default/versions")).json()["versions"]]
    assert states == [(2, "retired"), (1, "live")]


async def test_a_policy_without_a_live_version_takes_no_batch(api: httpx.AsyncClient, settings: Settings) -> None:
    made = await api.post("/v1/policies", json={"name": "uploads", "description": "What users upload"})
    assert (made.status_code, made.json()["live"]) == (201, None)
    body = {"items": [{"source-ref": f"s3://{settings.upload_bucket}/a.jpg"}], "policy": "uploads"}
    assert problem(await api.post("/v1/batches", json=body, headers={"Idempotency-Key": "a"})) == (422, "policy_not_live")
    assert (await api.post("/v1/policies/uploads/versions", json={"bands": []})).status_code == 201
    await api.post("/v1/policies/uploads/versions/1:promote")
    assert (await api.post("/v1/batches", json=body, headers={"Idempotency-Key": "a"})).status_code == 202
    assert problem(await api.post("/v1/batches", json={**body, "policy": "none"}, headers={"Idempotency-Key": "b"})) == (
        422,
        "policy_missing",
    )


async def test_an_automatic_action_is_kept_with_who_opted_in(api: httpx.AsyncClient) -> None:
    opt_in = {"action": "label", "opted_in_by": "ann", "reason": "labels may be wrong"}
    written = await api.post("/v1/policies/default/versions", json={"bands": STRICT, "automatic": opt_in})
    assert written.json()["automatic"] == opt_in
    lacking = await api.post("/v1/policies/default/versions", json={"bands": STRICT, "automatic": {**opt_in, "reason": " "}})
    assert problem(lacking) == (422, "request_invalid")
    forged = await api.post("/v1/policies/default/versions", json={"bands": STRICT, "automatic": {**opt_in, "opted_in_by": "person:kim"}})
    assert problem(forged) == (422, "request_invalid")


async def test_listings_go_on_behind_their_cursor(api: httpx.AsyncClient) -> None:
    for name in ("a", "b", "c"):
        await api.post("/v1/policies", json={"name": name})
    first = (await api.get("/v1/policies", params={"limit": "3"})).json()
    rest = (await api.get("/v1/policies", params={"limit": "3", "cursor": first["next_cursor"]})).json()
    assert [p["name"] for p in (*first["policies"], *rest["policies"])] == ["a", "b", "c", "default"]
    assert rest["next_cursor"] is None
    for _ in range(2):
        await api.post("/v1/policies/default/versions", json={"bands": []})
    page = (await api.get("/v1/policies/default/versions", params={"limit": "2"})).json()
    last = (await api.get("/v1/policies/default/versions", params={"limit": "2", "cursor": page["next_cursor"]})).json()
    assert [v["version"] for v in (*page["versions"], *last["versions"])] == [3, 2, 1]


async def test_what_cannot_be_has_its_problem(api: httpx.AsyncClient) -> None:
    assert problem(await api.post("/v1/policies", json={"name": "default"})) == (409, "policy_exists")
    assert problem(await api.get("/v1/policies/none")) == (404, "not_found")
    assert problem(await api.get("/v1/policies/default/versions/9")) == (404, "not_found")
    assert problem(await api.post("/v1/policies/default/versions/1:promote")) == (409, "version_state")
    assert problem(await api.post("/v1/policies/default/versions", json={"bands": [], "queue": "none"})) == (422, "queue_missing")
    turned = [{"verdict": "real", "pass_below": 0.9, "flag_from": 0.1}]
    assert problem(await api.post("/v1/policies/default/versions", json={"bands": turned})) == (422, "band_invalid")
    assert problem(await api.post("/v1/policies/default/versions", json={"bands": [*STRICT, STRICT[0]]})) == (422, "band_repeated")


async def test_a_reader_writes_nothing_a_lead_promotes_nothing_and_a_stranger_sees_nothing(
    settings: Settings, engine: Engine, api: httpx.AsyncClient, tenant: str
) -> None:
    await api.post("/v1/policies/default/versions", json={"bands": []})
    async with calling(settings, new_key(engine, Scope.READ, tenant=tenant).text) as reader:
        assert (await reader.get("/v1/policies/default/versions/2")).status_code == 200
        assert problem(await reader.post("/v1/policies/default/versions", json={"bands": []})) == (403, "scope_missing")
    async with calling(settings, new_key(engine, Scope.LEAD, tenant=tenant).text) as lead:
        assert (await lead.post("/v1/policies/default/versions/2:shadow")).status_code == 200
        assert problem(await lead.post("/v1/policies/default/versions/2:promote")) == (403, "scope_missing")
    async with calling(settings, new_key(engine, tenant=f"{tenant}-other").text) as stranger:
        assert problem(await stranger.get("/v1/policies/default/versions/2")) == (404, "not_found")


async def test_what_a_version_opens_is_kept_and_shown_without_its_key(engine: Engine, api: httpx.AsyncClient, tenant: str) -> None:
    await api.post("/v1/queues", json={"name": "odds"})
    opening = {"flag_queue": None, "disagreement_queue": "odds", "qa_share": 0.02, "double_share": 0.5}
    written = await api.post("/v1/policies/default/versions", json={"bands": STRICT, **opening})
    assert written.status_code == 201
    assert {name: written.json()[name] for name in opening} == opening
    with engine.connect() as connection:
        keys = connection.execute(text("SELECT sampling_key FROM policy_versions WHERE tenant_id = :tenant"), {"tenant": tenant}).scalars()
        assert not any(str(key) in written.text or key.hex in written.text for key in keys)
    plain = (await api.get("/v1/policies/default/versions/1")).json()
    assert {name: plain[name] for name in opening} == {"flag_queue": None, "disagreement_queue": None, "qa_share": 0, "double_share": 0}


async def test_what_a_version_explains_is_kept_and_shown(api: httpx.AsyncClient, tenant: str) -> None:
    explained = {
        "faithfulness_share": 0.5,
        "least_drop": 0.1,
        "attention_share": 0.01,
        "languages": ["de", "zh-Hans"],
        "accuracy_floor": 0.8,
    }
    written = await api.post("/v1/policies/default/versions", json={"bands": STRICT, **explained})
    assert {name: written.json()[name] for name in explained} == explained
    plain = (await api.get("/v1/policies/default/versions/1")).json()
    assert (plain["faithfulness_share"], plain["attention_share"], plain["languages"], plain["accuracy_floor"]) == (0, 0, [], None)
    twice = await api.post("/v1/policies/default/versions", json={"bands": [], "languages": ["de", "de"]})
    assert problem(twice) == (422, "languages_invalid")
    klingon = await api.post("/v1/policies/default/versions", json={"bands": [], "languages": ["de", "tlh"]})
    assert problem(klingon) == (422, "languages_invalid")
    assert "tlh" in klingon.json()["detail"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"qa_share": 1.1},
        {"qa_share": -0.1},
        {"double_share": "0.1"},
        {"flag_queue": "A b"},
        {"faithfulness_share": 2},
        {"accuracy_floor": -1},
        {"languages": ["german"]},
    ],
)
async def test_a_share_that_is_none_and_a_name_that_is_none_are_refused(api: httpx.AsyncClient, wrong: dict[str, object]) -> None:
    assert problem(await api.post("/v1/policies/default/versions", json={"bands": [], **wrong})) == (422, "request_invalid")


async def test_a_queue_that_is_not_there_takes_no_flags(api: httpx.AsyncClient) -> None:
    assert problem(await api.post("/v1/policies/default/versions", json={"bands": [], "flag_queue": "none"})) == (422, "queue_missing")
