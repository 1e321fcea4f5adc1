"""Judged items over HTTP: outcomes, regions, traces, crops, rescans."""

import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import a_crop, calling, judged_batch, new_key, problem
from worker.intake.storage import Storage
from worker.moderation.identifiers import RegionPlace, item_id, region_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings


@pytest.fixture
async def api(settings: Settings, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine).text) as client:
        yield client


@pytest.fixture
def batch(engine: Engine, storage: Storage, settings: Settings) -> UUID:
    return judged_batch(engine, storage, settings)


async def test_a_finished_batchs_counts_add_up(api: httpx.AsyncClient, batch: UUID) -> None:
    body = (await api.get(f"/v1/batches/{batch}")).json()
    counts = body["counts"]
    assert body["state"] == "finished"
    assert counts["scope"] == sum(counts[kind] for kind in ("verdict", "unreadable", "failed", "cancelled", "pending")) == 2
    assert (counts["verdict"], counts["failed"], counts["flagged"]) == (1, 1, 1)


async def test_an_item_shows_its_verdict_and_a_failed_one_its_error(api: httpx.AsyncClient, batch: UUID) -> None:
    judged = (await api.get(f"/v1/items/{item_id(batch, 0)}")).json()
    assert (judged["state"], judged["verdict"], judged["p_generated"], judged["training"]) == ("verdict", "generated", 0.9, "trained")
    broken = (await api.get(f"/v1/items/{item_id(batch, 1)}")).json()
    assert (broken["state"], broken["verdict"], broken["error"]["code"]) == ("failed", None, "image_corrupt")
    failed = (await api.get(f"/v1/batches/{batch}/items", params={"state": "failed"})).json()
    assert [item["id"] for item in failed["items"]] == [broken["id"]]


async def test_outcomes_regions_and_traces_are_those_that_were_recorded(api: httpx.AsyncClient, batch: UUID) -> None:
    place = f"/v1/items/{item_id(batch, 0)}"
    (outcome,) = (await api.get(f"{place}/outcomes")).json()["outcomes"]
    assert (outcome["revision"], outcome["kind"], outcome["image_sha256"]) == (1, "verdict", "0" * 64)
    border = {"left": 0, "top": 12, "right": 0, "bottom": 0}
    assert outcome["degradation"] == {"band": "compressed", "jpeg_quality": 80, "blur": 0.25, "rescaling": 1.0, "border": border}
    for band, found in (("compressed", 1), ("blurred", 0)):
        answer = await api.get("/v1/search", params={"batch": str(batch), "degradation": band})
        assert len(answer.json()["items"]) == found
    (region,) = (await api.get(f"{place}/regions")).json()["regions"]
    assert (region["id"], region["box"]) == (region_id(RegionPlace(batch, 0, 1, 1)), [1, 2, 30, 40])
    traces = (await api.get(f"{place}/traces")).json()["traces"]
    assert [trace["stage"] for trace in traces] == ["scan", "zoom"]
    assert (await api.get(f"{place}/regions", params={"revision": "2"})).json() == {"regions": []}


async def test_a_crop_is_the_very_object_the_model_was_sent_and_the_look_is_an_event(
    api: httpx.AsyncClient, batch: UUID, engine: Engine
) -> None:
    answer = await api.get(f"/v1/regions/{region_id(RegionPlace(batch, 0, 1, 1))}/crop")
    assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, a_crop(), "image/webp")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    with engine.connect() as connection:
        query = text("SELECT ordinal, revision, payload_digest FROM audit_events WHERE batch_id = :id AND action = 'crop.read'")
        assert tuple(connection.execute(query, {"id": batch}).one()) == (0, 1, hashlib.sha256(a_crop()).hexdigest())


async def test_a_crop_that_is_not_what_was_recorded_is_not_shown(
    api: httpx.AsyncClient, batch: UUID, storage: Storage, settings: Settings
) -> None:
    digest = hashlib.sha256(a_crop()).hexdigest()
    key = f"{digest[:2]}/{digest}"
    storage.put(settings.evidence_bucket, key, b"RIFF<script>alert(1)</script>", "text/html")
    try:
        assert problem(await api.get(f"/v1/regions/{region_id(RegionPlace(batch, 0, 1, 1))}/crop")) == (500, "crop_damaged")
    finally:
        storage.put(settings.evidence_bucket, key, a_crop(), "image/webp")


async def test_another_tenants_crop_is_a_missing_one_and_reviewers_may_look(
    settings: Settings, engine: Engine, batch: UUID, api: httpx.AsyncClient
) -> None:
    path = f"/v1/regions/{region_id(RegionPlace(batch, 0, 1, 1))}/crop"
    missing = f"/v1/regions/{region_id(RegionPlace(batch, 0, 1, 2))}/crop"
    async with calling(settings, new_key(engine, tenant="elsewhere").text) as stranger:
        assert problem(await stranger.get(path)) == problem(await api.get(missing)) == (404, "not_found")
    async with calling(settings, new_key(engine, Scope.REVIEW).text) as reviewer:
        assert (await reviewer.get(path)).status_code == 200
    async with calling(settings, new_key(engine, Scope.SUBMIT).text) as submitter:
        assert problem(await submitter.get(path)) == (403, "scope_missing")


async def test_a_reviewer_sees_the_whole_image_as_it_was_sent_and_the_look_is_an_event(
    settings: Settings, engine: Engine, batch: UUID, api: httpx.AsyncClient, storage: Storage
) -> None:
    path = f"/v1/items/{item_id(batch, 0)}/image"
    async with calling(settings, new_key(engine, Scope.REVIEW).text) as reviewer:
        answer = await reviewer.get(path, params={"revision": "1"})
        assert (answer.status_code, answer.content, answer.headers["content-type"]) == (200, a_crop(), "image/webp")
        assert problem(await reviewer.get(f"/v1/items/{item_id(batch, 0)}")) == (403, "scope_missing")
    with engine.connect() as connection:
        query = text("SELECT ordinal, revision, payload_digest FROM audit_events WHERE batch_id = :id AND action = 'image.read'")
        assert tuple(connection.execute(query, {"id": batch}).one()) == (0, 1, hashlib.sha256(a_crop()).hexdigest())
    assert problem(await api.get(path, params={"revision": "2"})) == (404, "image_missing")
    assert problem(await api.get(f"/v1/items/{item_id(batch, 1)}/image")) == (404, "image_missing")
    assert problem(await api.get(f"/v1/items/{item_id(batch, 9)}/image")) == (404, "not_found")
    async with calling(settings, new_key(engine, tenant="elsewhere").text) as stranger:
        assert problem(await stranger.get(path)) == (404, "not_found")
    digest = hashlib.sha256(a_crop()).hexdigest()
    storage.put(settings.evidence_bucket, f"{digest[:2]}/{digest}", b"RIFF<script>", "text/html")
    try:
        assert problem(await api.get(path)) == (500, "image_damaged")
    finally:
        storage.put(settings.evidence_bucket, f"{digest[:2]}/{digest}", a_crop(), "image/webp")


async def test_one_item_is_judged_again_and_only_once_at_a_time(api: httpx.AsyncClient, batch: UUID) -> None:
    place = f"/v1/items/{item_id(batch, 1)}"
    answer = await api.post(f"{place}:rescan")
    assert (answer.status_code, answer.json()) == (202, {"batch_id": str(batch), "revision": 2, "items": 1})
    assert problem(await api.post(f"{place}:rescan")) == (409, "batch_unfinished")
    standing = (await api.get(f"/v1/batches/{batch}")).json()
    assert (standing["state"], standing["revision"], standing["counts"]["scope"], standing["counts"]["pending"]) == ("running", 2, 1, 1)


async def test_items_of_one_kind_are_judged_again(api: httpx.AsyncClient, batch: UUID) -> None:
    assert problem(await api.post(f"/v1/batches/{batch}:rescan", json={"only": ["unreadable"]})) == (409, "nothing_to_rescan")
    assert problem(await api.post(f"/v1/batches/{batch}:rescan", json={"only": ["good"]})) == (422, "request_invalid")
    assert (await api.post(f"/v1/batches/{batch}:rescan", json={"only": ["failed"]})).json()["items"] == 1


async def test_an_item_and_a_policy_that_have_not_changed_are_not_sent_again(api: httpx.AsyncClient, batch: UUID) -> None:
    for path in (f"/v1/items/{item_id(batch, 1)}", "/v1/policies/default", "/v1/policies/default/versions/1"):
        tag = (await api.get(path)).headers["etag"]
        for seen in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            same = await api.get(path, headers={"If-None-Match": seen})
            assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        assert (await api.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
