"""The audit trail over HTTP: a tenant's own, filtered, polled without a gap; and the seals over everybody's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import calling, judged_batch, new_key, problem
from worker.audit.seals import export_seal
from worker.intake.storage import Storage
from worker.moderation.identifiers import item_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store import audit, windows
from worker.store.session import transaction

TRAIL = "/v1/audit-events"
HOSTILE = [
    "since=0",
    "since=yesterday",
    "since=2026-11-26",
    "since=2026-11-26T09:00:00",
    "since=9999999999",
    "since=2026-13-26T09:00:00Z",
    "actor=a%00b",
    "actor=",
    "action='; DROP TABLE audit_events; --",
    "batch=1",
    "item=item_1",
    "cursor=AAAA",
    "tenant_id=other",
    "limit=201",
]


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:8]}"


@pytest.fixture
async def api(settings: Settings, engine: Engine, tenant: str) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine, tenant=tenant).text) as client:
        yield client


def note(engine: Engine, tenant: str | None, *actions: str, actor: str = "test") -> None:
    with transaction(engine) as session:
        for action in actions:
            audit.record(session, actor=actor, action=action, tenant_id=tenant)


async def listed(api: httpx.AsyncClient, **params: str) -> list[str]:
    return [event["action"] for event in (await api.get(TRAIL, params=params)).json()["events"]]


async def test_the_trail_is_the_tenants_alone_and_is_polled_without_a_gap(api: httpx.AsyncClient, engine: Engine, tenant: str) -> None:
    note(engine, tenant, "a.done", "b.done")
    note(engine, "other", "c.done")
    note(engine, None, "d.done")
    first = (await api.get(TRAIL, params={"limit": "2"})).json()
    assert ([e["action"] for e in first["events"]], first["more"]) == (["key.created", "a.done"], True)
    rest = (await api.get(TRAIL, params={"cursor": first["next_cursor"]})).json()
    assert ([e["action"] for e in rest["events"]], rest["more"]) == (["b.done", "audit_events.read"], False)
    note(engine, tenant, "e.done")
    later = (await api.get(TRAIL, params={"cursor": rest["next_cursor"]})).json()
    assert [e["action"] for e in later["events"]] == ["audit_events.read", "e.done"]
    one = first["events"][1]
    assert (await api.get(f"{TRAIL}/{one['id']}")).json() == one


async def test_every_look_is_noted_and_whoever_polls_comes_to_an_end(api: httpx.AsyncClient, engine: Engine, tenant: str) -> None:
    note(engine, tenant, "a.done")
    cursor, pages = "", []
    for _ in range(4):
        page = (await api.get(TRAIL, params={"cursor": cursor} if cursor else {})).json()
        pages.append([event["action"] for event in page["events"]])
        cursor = page["next_cursor"]
    assert pages == [["key.created", "a.done"], ["audit_events.read"], [], []]
    (reading,) = (await api.get(TRAIL, params={"action": "audit_events.read"})).json()["events"]
    assert reading["actor"].startswith("key:")
    assert reading["detail"]["events"] == 2
    await api.get(f"{TRAIL}/{reading['id']}")
    assert await listed(api, action="audit_events.read") == ["audit_events.read"]


async def test_events_are_found_by_batch_item_actor_action_and_time(
    api: httpx.AsyncClient, engine: Engine, storage: Storage, settings: Settings, tenant: str
) -> None:
    batch, other = (judged_batch(engine, storage, settings, tenant=tenant) for _ in range(2))
    foreign = judged_batch(engine, storage, settings, tenant="other")
    assert {"batch.created", "batch.finished", "outcome.recorded"} <= set(await listed(api, batch=str(batch)))
    assert await listed(api, item=item_id(batch, 0)) == ["outcome.recorded"]
    assert await listed(api, item=item_id(batch, 0), batch=str(batch)) == ["outcome.recorded", "audit_events.read"]
    assert problem(await api.get(TRAIL, params={"item": item_id(batch, 0), "batch": str(other)})) == (404, "not_found")
    assert await listed(api, batch=str(foreign)) == await listed(api, item=item_id(foreign, 0)) == []
    assert await listed(api, batch=str(UUID(int=7))) == []
    note(engine, tenant, "a.done", actor="ann")
    assert await listed(api, actor="ann") == await listed(api, action="a.done") == ["a.done"]
    with engine.connect() as connection:
        query = text("SELECT occurred_at FROM audit_events WHERE tenant_id = :t AND action = 'a.done'")
        moment: datetime = connection.execute(query, {"t": tenant}).scalar_one()
    assert (await listed(api, since=moment.astimezone(UTC).isoformat().replace("+00:00", "Z")))[0] == "a.done"
    assert await listed(api, since=(moment + timedelta(days=1)).isoformat()) == []
    assert "batch.created" in await listed(api, since="1999-01-01T00:00:00Z")


async def test_a_rare_event_is_found_window_by_window(
    api: httpx.AsyncClient, engine: Engine, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW", 10)
    note(engine, tenant, *["a.done"] * 25, "rare.done", *["a.done"] * 5)
    cursor, found, pages = None, [], 0
    while True:
        page = (await api.get(TRAIL, params={"action": "rare.done", **({"cursor": cursor} if cursor else {})})).json()
        found += page["events"]
        cursor, pages = page["next_cursor"], pages + 1
        if not page["more"]:
            break
    assert ([event["action"] for event in found], pages >= 3) == (["rare.done"], True)


async def test_seals_show_heads_to_every_tenant_and_where_each_is_kept(
    api: httpx.AsyncClient, engine: Engine, storage: Storage, settings: Settings
) -> None:
    made = []
    for _ in range(2):
        note(engine, "other", "a.done")
        made.append(export_seal(engine, storage, settings.evidence_bucket))
    first = (await api.get("/v1/audit-seals", params={"limit": "1"})).json()
    rest = (await api.get("/v1/audit-seals", params={"cursor": first["next_cursor"]})).json()
    assert [seal["head"] for seal in (*first["seals"], *rest["seals"])][-2:] == [head.head for head in made if head]
    assert rest["next_cursor"] is None
    assert set(first["seals"][0]) == {"id", "link", "head", "events", "created_at"}
    one = (await api.get(f"/v1/audit-seals/{first['seals'][0]['id']}")).json()
    assert storage.get(one["bucket"], one["key"], max_bytes=10_000, timeout_seconds=5).body
    assert problem(await api.get("/v1/audit-seals/999999999")) == (404, "not_found")


async def test_auditors_alone_read_and_strangers_and_forged_ids_find_nothing(
    settings: Settings, engine: Engine, api: httpx.AsyncClient, tenant: str
) -> None:
    note(engine, tenant, "a.done")
    note(engine, None, "installations.own")
    with engine.connect() as connection:
        own = connection.execute(text("SELECT max(id) FROM audit_events WHERE tenant_id IS NULL")).scalar_one()
        mine = connection.execute(text("SELECT max(id) FROM audit_events WHERE tenant_id = :t"), {"t": tenant}).scalar_one()
    for forged in (own, 2**63 - 1, 2**63, 0, -1, "x", "1e3", "1%00", "%27%20OR%201=1"):
        assert problem(await api.get(f"{TRAIL}/{forged}")) == (404, "not_found"), forged
    async with calling(settings, new_key(engine, tenant="stranger").text) as stranger:
        assert problem(await stranger.get(f"{TRAIL}/{mine}")) == (404, "not_found")
    everything_else = [scope for scope in Scope if scope is not Scope.AUDIT]
    async with calling(settings, new_key(engine, *everything_else, tenant=tenant).text) as other:
        for path in (TRAIL, f"{TRAIL}/{mine}", "/v1/audit-seals", "/v1/audit-seals/1"):
            assert problem(await other.get(path)) == (403, "scope_missing")


async def test_hostile_filters_are_refused(api: httpx.AsyncClient) -> None:
    for query in HOSTILE:
        assert problem(await api.get(f"{TRAIL}?{query}"))[1] in {"request_invalid", "cursor_invalid"}, query
