"""Erasing and legal holds over HTTP."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine

from tests.integration.api_world import calling, judged_batch, new_key, problem
from worker.intake.storage import Storage
from worker.moderation.identifiers import RegionPlace, item_id, region_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings

NO_ITEM = f"item_{uuid4().hex}_0"


@pytest.fixture
async def api(settings: Settings, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine).text) as client:
        yield client


@pytest.fixture
def batch(engine: Engine, storage: Storage, settings: Settings) -> UUID:
    return judged_batch(engine, storage, settings)


async def test_an_erased_item_is_shown_as_erased_everywhere_and_fails_nowhere(api: httpx.AsyncClient, batch: UUID) -> None:
    place = f"/v1/items/{item_id(batch, 0)}"
    crop = f"/v1/regions/{region_id(RegionPlace(batch, 0, 1, 1))}/crop"
    before = (await api.get(f"/v1/batches/{batch}")).json()["counts"]
    erased = await api.post(f"{place}:erase", json={"reason": "gdpr-17"})
    again = await api.post(f"{place}:erase")
    assert (erased.status_code, again.status_code, erased.json()) == (200, 200, again.json())
    assert (erased.json()["item_id"], erased.json()["reason"]) == (item_id(batch, 0), "gdpr-17")
    item = (await api.get(place)).json()
    assert (item["state"], item["verdict"], item["p_generated"], item["erased_at"]) == (
        "verdict",
        "generated",
        0.9,
        erased.json()["erased_at"],
    )
    assert item["custom_id"].startswith("erased_")
    assert (item["source"], item["metadata"], item["explanation"]) == ("", None, None)
    (outcome,) = (await api.get(f"{place}/outcomes")).json()["outcomes"]
    assert (outcome["kind"], outcome["image_sha256"], outcome["width"], outcome["etag"]) == ("verdict", None, None, None)
    assert (await api.get(f"{place}/regions")).json() == {"regions": []}
    assert (await api.get(f"{place}/traces")).json() == {"traces": []}
    assert problem(await api.get(crop)) == (410, "item_erased")
    assert problem(await api.post(f"{place}:rescan")) == (410, "item_erased")
    assert (await api.get(f"/v1/batches/{batch}")).json()["counts"] == before
    lines = (await api.get(f"/v1/batches/{batch}/results")).text.splitlines()
    assert len(lines) == 2
    assert '"erased": true' in lines[0]
    listed = (await api.get(f"/v1/batches/{batch}/items")).json()["items"]
    assert [entry["erased_at"] is not None for entry in listed] == [True, False]


async def test_a_held_item_is_not_erased_until_the_hold_is_released(api: httpx.AsyncClient, batch: UUID) -> None:
    name = item_id(batch, 0)
    placed = await api.post("/v1/legal-holds", json={"item_id": name, "reason": "case 7 O 12/26"})
    assert (placed.status_code, placed.json()["item_id"], placed.json()["batch_id"]) == (201, name, str(batch))
    where = placed.headers["location"]
    assert problem(await api.post(f"/v1/items/{name}:erase")) == (409, "item_held")
    assert (await api.post(f"/v1/items/{item_id(batch, 1)}:erase")).status_code == 200
    released = await api.post(f"{where}:release")
    assert (released.status_code, released.json()["released_by"] is not None) == (200, True)
    assert (await api.post(f"{where}:release")).json() == released.json() == (await api.get(where)).json()
    assert (await api.post(f"/v1/items/{name}:erase")).status_code == 200
    assert problem(await api.post("/v1/legal-holds", json={"item_id": name, "reason": "too late"})) == (410, "item_erased")


async def test_a_hold_on_a_batch_holds_all_of_it_and_holds_are_listed_newest_first(
    settings: Settings, engine: Engine, storage: Storage
) -> None:
    tenant = f"t-{uuid4().hex[:8]}"
    batch = judged_batch(engine, storage, settings, tenant=tenant)
    async with calling(settings, new_key(engine, tenant=tenant).text) as api:
        first = (await api.post("/v1/legal-holds", json={"batch_id": str(batch), "reason": "one"})).json()
        second = (await api.post("/v1/legal-holds", json={"batch_id": str(batch), "reason": "two"})).json()
        assert problem(await api.post(f"/v1/items/{item_id(batch, 1)}:erase")) == (409, "item_held")
        page = (await api.get("/v1/legal-holds", params={"limit": 1})).json()
        rest = (await api.get("/v1/legal-holds", params={"limit": 1, "cursor": page["next_cursor"]})).json()
        assert [page["holds"], rest["holds"], rest["next_cursor"]] == [[second], [first], None]
        await api.post(f"/v1/legal-holds/{second['id']}:release")
        assert (await api.get("/v1/legal-holds", params={"state": "standing"})).json()["holds"] == [first]
        assert problem(await api.get("/v1/legal-holds", params={"cursor": page["next_cursor"], "state": "standing"})) == (
            400,
            "cursor_invalid",
        )


async def test_another_tenants_items_and_holds_are_missing_ones(
    api: httpx.AsyncClient, settings: Settings, engine: Engine, batch: UUID
) -> None:
    held = (await api.post("/v1/legal-holds", json={"batch_id": str(batch), "reason": "ours"})).json()["id"]
    async with calling(settings, new_key(engine, tenant="elsewhere").text) as stranger:
        for path in (f"/v1/items/{item_id(batch, 0)}:erase", f"/v1/items/{NO_ITEM}:erase", f"/v1/legal-holds/{held}:release"):
            assert problem(await stranger.post(path)) == (404, "not_found")
        for body in ({"batch_id": str(batch)}, {"item_id": item_id(batch, 0)}, {"item_id": NO_ITEM}):
            assert problem(await stranger.post("/v1/legal-holds", json={**body, "reason": "mine"})) == (404, "not_found")
        assert problem(await stranger.get(f"/v1/legal-holds/{held}")) == (404, "not_found")
        assert (await stranger.get("/v1/legal-holds")).json()["holds"] == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"reason": "r"},
        {"item_id": "item_1", "reason": "r"},
        {"batch_id": "b", "reason": "r"},
        {"item_id": NO_ITEM, "reason": ""},
        {"item_id": NO_ITEM, "reason": " "},
        {"item_id": NO_ITEM, "batch_id": str(uuid4()), "reason": "r"},
        {"item_id": NO_ITEM, "reason": "r", "until": "tomorrow"},
        {"item_id": 7, "reason": "r"},
    ],
)
async def test_a_hold_names_one_thing_and_why(api: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert problem(await api.post("/v1/legal-holds", json=body)) == (422, "request_invalid")


@pytest.mark.parametrize("reason", ["", "Ann Smith asked", "UPPER", "x" * 65, "'; DROP TABLE items", "<b>", None, 7])
async def test_a_reason_for_erasing_is_a_code_where_nobody_is_named(api: httpx.AsyncClient, batch: UUID, reason: object) -> None:
    answer = await api.post(f"/v1/items/{item_id(batch, 0)}:erase", json={"reason": reason})
    assert problem(answer) == (422, "request_invalid")
    assert (await api.get(f"/v1/items/{item_id(batch, 0)}")).json()["erased_at"] is None


async def test_erasing_and_holding_are_for_administrators_and_auditors_may_look(settings: Settings, engine: Engine, batch: UUID) -> None:
    others = tuple(scope for scope in Scope if scope is not Scope.ADMIN)
    async with calling(settings, new_key(engine, *others).text) as other:
        assert problem(await other.post(f"/v1/items/{item_id(batch, 0)}:erase")) == (403, "scope_missing")
        assert problem(await other.post("/v1/legal-holds", json={"batch_id": str(batch), "reason": "r"})) == (403, "scope_missing")
        assert problem(await other.post(f"/v1/legal-holds/{uuid4()}:release")) == (403, "scope_missing")
        assert (await other.get("/v1/legal-holds")).status_code == 200
    async with calling(settings, new_key(engine, Scope.READ).text) as reader:
        assert problem(await reader.get("/v1/legal-holds")) == (403, "scope_missing")
