"""Webhook endpoints, deliveries and events over HTTP, on a real Postgres and with a real sender."""

from collections.abc import AsyncIterator
from typing import get_args
from uuid import uuid4

import httpx
import pytest
from anyio import sleep, to_thread
from pydantic import SecretStr
from sqlalchemy import Engine

from api.cursors import write_cursor
from api.schemas.webhooks import Kind
from tests.integration.api_world import calling, new_key, problem
from tests.integration.webhook_world import Receiver, WebhookWorld, eventually, receiver
from worker.moderation.events import SUBSCRIBABLE, EventType
from worker.moderation.identifiers import event_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.moderation.signatures import verify

ENDPOINTS = "/v1/webhook-endpoints"
URL = "http://127.0.0.1:9/hook"
LOCAL: dict[str, object] = {"url": URL, "types": ["batch.completed"]}
NOWHERE = f"{ENDPOINTS}/00000000-0000-7000-8000-000000000000"

# Each with the end of its code: webhook_target_…
TARGETS = [
    ("http://8.8.8.8/", "insecure"),
    ("ftp://8.8.8.8/", "insecure"),
    ("https://127.0.0.1/", "private"),
    ("https://127.1/", "malformed"),
    ("https://2130706433/", "malformed"),
    ("https://0x7f000001/", "malformed"),
    ("https://0177.0.0.1/", "malformed"),
    ("https://[::1]/", "private"),
    ("https://[::ffff:127.0.0.1]/", "private"),
    ("https://[64:ff9b::7f00:1]/", "private"),
    ("https://localhost/", "private"),
    ("https://169.254.169.254/latest/meta-data/", "private"),
    ("https://10.0.0.1/", "private"),
    ("https://[fd00::1]/", "private"),
    ("https://168.63.129.16/", "private"),
    ("https://user:pw@8.8.8.8/", "malformed"),
    ("https://ok\\@evil.example/", "malformed"),
    ("https://8.8.8.8:25/", "port"),
    ("https://8.8.8.8/#x", "malformed"),
    ("https://no-such-name.invalid/", "unresolved"),
    ("https://b\u00fccher.example/", "malformed"),
]
HOSTILE: list[dict[str, object]] = [
    {},
    {"url": URL},
    {**LOCAL, "types": []},
    {**LOCAL, "types": ["webhook.test"]},
    {**LOCAL, "types": ["'; DROP TABLE outbox; --"]},
    {**LOCAL, "types": "batch.completed"},
    {**LOCAL, "url": 7},
    {**LOCAL, "url": "https://" + "a" * 2_048},
    {**LOCAL, "description": "x" * 201},
    {**LOCAL, "secret": "whsec_mine"},
    {**LOCAL, "tenant_id": "other"},
]


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:8]}"


@pytest.fixture
def world(engine: Engine) -> WebhookWorld:
    world = WebhookWorld(engine)
    world.clear()
    return world


@pytest.fixture
def near(settings: Settings) -> Settings:
    """Settings under which this machine's own addresses may be sent to, with the key that the world's sender has."""
    return settings.model_copy(update={"webhook_private_targets": True, "secrets_key": SecretStr("k" * 32)})


@pytest.fixture
async def api(near: Settings, engine: Engine, tenant: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(near, new_key(engine, tenant=tenant).text) as client:
        yield client


async def test_an_endpoint_is_added_seen_changed_paused_resumed_and_removed(api: httpx.AsyncClient) -> None:
    made = await api.post(ENDPOINTS, json={**LOCAL, "description": "ours\u202e"})
    place = made.headers["location"]
    assert (made.status_code, made.json()["secret"][:6], made.json()["description"]) == (201, "whsec_", "ours")
    seen = await api.get(place)
    assert "secret" not in seen.json()
    assert (await api.get(ENDPOINTS)).json() == {"endpoints": [seen.json()]}
    assert (await api.get(place, headers={"If-None-Match": seen.headers["etag"]})).status_code == 304
    changed = await api.patch(place, json={"types": ["item.failed"]}, headers={"If-Match": seen.headers["etag"]})
    assert (changed.status_code, changed.json()["types"], changed.json()["url"]) == (200, ["item.failed"], URL)
    assert problem(await api.patch(place, json={}, headers={"If-Match": seen.headers["etag"]})) == (412, "precondition_failed")
    assert problem(await api.patch(place, json={})) == (428, "precondition_missing")
    again = await api.patch(place, json={"description": "new"}, headers={"If-Match": changed.headers["etag"]})
    assert again.json()["description"] == "new"
    assert (await api.post(f"{place}:pause")).json()["state"] == "paused"
    assert (await api.post(f"{place}:resume")).json()["state"] == "active"
    assert (await api.delete(place)).json()["state"] == "disabled"
    assert (await api.delete(place)).status_code == 200
    assert (await api.get(place)).json()["state_reason"] == "removed by its owner"
    assert (await api.get(ENDPOINTS)).json() == {"endpoints": []}
    for refused in (await api.post(f"{place}:pause"), await api.post(f"{place}:rotate"), await api.post(f"{place}:test")):
        assert problem(refused) == (409, "webhook_endpoint_disabled")


async def test_a_test_arrives_signed_by_both_secrets_during_a_rotation_and_is_sent_again_under_its_id(
    api: httpx.AsyncClient, world: WebhookWorld
) -> None:
    with receiver() as there, world.sending():
        made = (await api.post(ENDPOINTS, json={**LOCAL, "url": there.url})).json()
        place = f"{ENDPOINTS}/{made['id']}"
        rotated = (await api.post(f"{place}:rotate", json={"overlap_seconds": 600})).json()
        sent = (await api.post(f"{place}:test")).json()
        delivery = f"{place}/deliveries/{sent['event_id']}"
        await arrived(there, 1)
        (got,) = there.received
        now = float(got.headers["webhook-timestamp"])
        assert {verify(secret, got.headers, got.body, now=now) for secret in (made["secret"], rotated["secret"])} == {sent["event_id"]}
        await settled(api, delivery)
        answer = await api.post(f"/v1/events/{sent['event_id']}:redeliver", json={"endpoint_id": made["id"]})
        assert (answer.status_code, answer.json()) == (202, {"event_id": sent["event_id"], "endpoints": 1})
        await arrived(there, 2)
        assert there.received[1].id == sent["event_id"]
        await settled(api, delivery)
        attempts = (await api.get(f"{delivery}/attempts")).json()["attempts"]
        assert [(attempt["attempt"], attempt["status"]) for attempt in attempts] == [(1, 204), (1, 204)]


async def test_events_are_polled_without_a_gap_and_deliveries_by_state(api: httpx.AsyncClient, world: WebhookWorld, tenant: str) -> None:
    place = (await api.post(ENDPOINTS, json=LOCAL)).headers["location"]
    ids = [event_id(event) for event in world.publish(5, tenant=tenant)]
    world.publish(2, tenant="other")
    first = (await api.get("/v1/events", params={"limit": "3"})).json()
    rest = (await api.get("/v1/events", params={"limit": "3", "cursor": first["next_cursor"]})).json()
    assert ([e["id"] for e in first["events"]], first["more"]) == (ids[:3], True)
    assert ([e["id"] for e in rest["events"]], rest["more"]) == (ids[3:], False)
    assert first["events"][0]["data"] == {"n": 0}
    idle = (await api.get("/v1/events", params={"cursor": rest["next_cursor"]})).json()
    assert idle == {"events": [], "next_cursor": rest["next_cursor"], "more": False}
    (late,) = world.publish(tenant=tenant, kind=EventType.APPEAL_DECIDED)
    assert [e["id"] for e in (await api.get("/v1/events", params={"cursor": idle["next_cursor"]})).json()["events"]] == [event_id(late)]
    only = (await api.get("/v1/events", params={"type": "appeal.decided"})).json()
    assert [e["id"] for e in only["events"]] == [event_id(late)]
    assert (await api.get(f"/v1/events/{ids[0]}")).json() == first["events"][0]
    with world.sending():
        await to_thread.run_sync(lambda: eventually(lambda: int(world.value("SELECT count(*) FROM webhook_deliveries")) >= 5))
    listed = (await api.get(f"{place}/deliveries", params={"limit": "2"})).json()
    older = (await api.get(f"{place}/deliveries", params={"limit": "9", "cursor": listed["next_cursor"]})).json()
    assert [d["event_id"] for d in (*listed["deliveries"], *older["deliveries"])] == sorted(ids, reverse=True)
    assert (await api.get(f"{place}/deliveries", params={"state": "delivered"})).json()["deliveries"] == []


async def test_a_target_that_is_not_of_the_public_internet_is_refused(
    near: Settings, engine: Engine, world: WebhookWorld, tenant: str
) -> None:
    place = f"{ENDPOINTS}/{world.endpoint(URL, tenant=tenant).endpoint.id}"
    async with calling(near.model_copy(update={"webhook_private_targets": False}), new_key(engine, tenant=tenant).text) as api:
        etag = (await api.get(place)).headers["etag"]
        for url, code in TARGETS:
            assert problem(await api.post(ENDPOINTS, json={**LOCAL, "url": url})) == (422, f"webhook_target_{code}"), url
            assert problem(await api.patch(place, json={"url": url}, headers={"If-Match": etag})) == (422, f"webhook_target_{code}"), url
        assert (await api.get(place)).json()["url"] == URL


async def test_hostile_endpoints_and_overlaps_are_invalid_requests(api: httpx.AsyncClient) -> None:
    place = (await api.post(ENDPOINTS, json=LOCAL)).headers["location"]
    for body in HOSTILE:
        assert problem(await api.post(ENDPOINTS, json=body)) == (422, "request_invalid"), body
    for seconds in (-1, 604_801, 1.5, "60", None, True):
        assert problem(await api.post(f"{place}:rotate", json={"overlap_seconds": seconds})) == (422, "request_invalid"), seconds
    assert (await api.post(f"{place}:rotate", json={"overlap_seconds": 60.0})).status_code == 200  # a whole number, says JSON Schema


async def test_the_twenty_first_endpoint_is_one_too_many(api: httpx.AsyncClient) -> None:
    for _ in range(20):
        assert (await api.post(ENDPOINTS, json=LOCAL)).status_code == 201
    assert problem(await api.post(ENDPOINTS, json=LOCAL)) == (409, "webhook_endpoints_full")


async def test_strangers_and_forged_ids_find_nothing(
    near: Settings, engine: Engine, api: httpx.AsyncClient, world: WebhookWorld, tenant: str
) -> None:
    place = (await api.post(ENDPOINTS, json=LOCAL)).headers["location"]
    sent = (await api.post(f"{place}:test")).json()["event_id"]
    (event,) = world.publish(tenant=tenant)
    async with calling(near, new_key(engine, tenant=f"{tenant}-other").text) as stranger:
        for who, where, told in ((stranger, place, sent), (api, NOWHERE, f"evt_{uuid4().hex}"), (api, f"{ENDPOINTS}/x", "evt_1")):
            for answer in (
                await who.get(where),
                await who.patch(where, json={"description": "mine"}, headers={"If-Match": "*"}),
                await who.delete(where),
                await who.post(f"{where}:pause"),
                await who.post(f"{where}:resume"),
                await who.post(f"{where}:rotate"),
                await who.post(f"{where}:test"),
                await who.get(f"{where}/deliveries"),
                await who.get(f"{where}/deliveries/{told}"),
                await who.get(f"{where}/deliveries/{told}/attempts"),
                await who.get(f"/v1/events/{told}"),
                await who.post(f"/v1/events/{told}:redeliver"),
            ):
                assert problem(answer) == (404, "not_found"), answer.request.url
        assert (await stranger.get("/v1/events")).json()["events"] == []
        foreign = await stranger.post(f"/v1/events/{event_id(event)}:redeliver", json={"endpoint_id": place.rpartition("/")[2]})
        assert problem(foreign) == (404, "not_found")
    assert problem(await api.get(f"{place}/deliveries/{event_id(event)}")) == (404, "not_found")
    assert (await api.get(place)).json()["state"] == "active"


async def test_readers_poll_and_administrators_alone_manage(near: Settings, engine: Engine, tenant: str) -> None:
    async with calling(near, new_key(engine, Scope.READ, tenant=tenant).text) as reader:
        assert (await reader.get("/v1/events")).status_code == 200
        assert problem(await reader.get(ENDPOINTS)) == (403, "scope_missing")
        assert problem(await reader.post(f"/v1/events/evt_{'0' * 32}:redeliver")) == (403, "scope_missing")


async def test_without_a_key_to_seal_with_it_is_the_operators_turn(near: Settings, engine: Engine, tenant: str) -> None:
    keyless = near.model_copy(update={"secrets_key": None})
    async with calling(keyless, new_key(engine, tenant=tenant).text) as api:
        assert problem(await api.post(ENDPOINTS, json=LOCAL)) == (503, "misconfigured")


async def test_the_listing_of_events_is_not_abused(api: httpx.AsyncClient) -> None:
    for query in ("limit=0", "type=none", "offset=1", "type=batch.completed&type=item.failed"):
        assert problem(await api.get(f"/v1/events?{query}")) == (422, "request_invalid"), query
    for cursor in ("AAAA", write_cursor("events:None", -1), write_cursor("events:None", "x"), write_cursor("events:item.failed", 1)):
        assert problem(await api.get("/v1/events", params={"cursor": cursor})) == (400, "cursor_invalid"), cursor


def test_the_types_of_a_request_are_those_that_can_be_subscribed_to() -> None:
    assert set(get_args(Kind)) == {kind.value for kind in SUBSCRIBABLE}


async def arrived(there: Receiver, number: int) -> None:
    assert await to_thread.run_sync(lambda: eventually(lambda: len(there.received) >= number))


async def settled(api: httpx.AsyncClient, delivery: str) -> None:
    for _ in range(200):
        if (await api.get(delivery)).json()["state"] == "delivered":
            return
        await sleep(0.02)
    raise AssertionError((await api.get(delivery)).json())
