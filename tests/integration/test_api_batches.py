"""Batches over HTTP, on real Postgres and S3."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import calling, fresh, new_key, problem
from worker.intake.background import BackgroundIntake
from worker.intake.storage import Storage
from worker.moderation.identifiers import item_id
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store.batches import try_lock_key
from worker.store.session import transaction


@pytest.fixture
async def api(settings: Settings, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine).text) as client:
        yield client


@pytest.fixture
async def stranger(settings: Settings, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with calling(settings, new_key(engine, tenant="elsewhere").text) as client:
        yield client


@pytest.fixture
def intake(settings: Settings, engine: Engine, storage: Storage) -> BackgroundIntake:
    return BackgroundIntake(settings, engine, storage, "test")


@pytest.fixture
def manifest(settings: Settings, storage: Storage) -> str:
    """A manifest of three good rows and a bad one."""
    bucket, key = settings.upload_bucket, f"{uuid4().hex}.jsonl"
    rows = [f'{{"source-ref": "s3://{bucket}/{n}.jpg", "custom_id": "id-{n}"}}' for n in range(3)]
    storage.put(bucket, key, "\n".join([*rows, "{"]).encode(), "application/jsonl")
    return f"s3://{bucket}/{key}"


def inline(settings: Settings, *names: str) -> dict[str, object]:
    return {"items": [{"source-ref": f"s3://{settings.upload_bucket}/{name}.jpg", "custom_id": name} for name in names]}


async def test_a_manifest_is_accepted_at_once_and_read_in_the_background(
    api: httpx.AsyncClient, manifest: str, intake: BackgroundIntake
) -> None:
    answer = await api.post("/v1/batches", json={"source": manifest}, headers=fresh())
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/batches/{answer.json()['id']}"
    assert (answer.json()["state"], answer.json()["rows"]) == ("receiving", {"accepted": 0, "rejected": 0})
    assert intake.receive_next() == UUID(answer.json()["id"])
    batch = (await api.get(answer.headers["location"])).json()
    assert (batch["state"], batch["rows"]) == ("running", {"accepted": 3, "rejected": 1})
    assert batch["counts"]["pending"] == batch["counts"]["scope"] == 3
    assert intake.receive_next() is None


async def test_an_inline_set_is_taken_in_at_once_and_bad_rows_become_errors(api: httpx.AsyncClient, settings: Settings) -> None:
    body = inline(settings, "a", "b", "a")
    answer = await api.post("/v1/batches", json=body, headers=fresh())
    assert (answer.status_code, answer.json()["state"]) == (202, "running")
    assert answer.json()["rows"] == {"accepted": 2, "rejected": 1}
    errors = (await api.get(f"{answer.headers['location']}/errors")).text.splitlines()
    assert [json.loads(line)["code"] for line in errors] == ["duplicate_custom_id"]


async def test_the_same_key_and_request_give_the_same_batch_even_when_the_source_is_gone(
    api: httpx.AsyncClient, manifest: str, storage: Storage
) -> None:
    key = fresh()
    first = await api.post("/v1/batches", json={"source": manifest}, headers=key)
    bucket, _, name = manifest.removeprefix("s3://").partition("/")
    storage._client.delete_object(Bucket=bucket, Key=name)  # noqa: SLF001  nothing else deletes
    again = await api.post("/v1/batches", json={"source": manifest}, headers=key)
    assert (again.status_code, again.json()["id"]) == (202, first.json()["id"])
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


async def test_the_same_key_with_another_request_is_refused(api: httpx.AsyncClient, settings: Settings) -> None:
    key = fresh()
    assert (await api.post("/v1/items", json=inline(settings, "a"), headers=key)).status_code == 202
    assert problem(await api.post("/v1/items", json=inline(settings, "b"), headers=key)) == (422, "idempotency_key_reused")


async def test_a_key_in_flight_is_a_conflict_that_may_be_retried(api: httpx.AsyncClient, settings: Settings, engine: Engine) -> None:
    key = fresh()
    with transaction(engine) as session:
        assert try_lock_key(session, "default", key["Idempotency-Key"])
        answer = await api.post("/v1/items", json=inline(settings, "a"), headers=key)
        assert problem(answer) == (409, "idempotency_key_in_flight")
        assert answer.json()["retryable"]
    assert (await api.post("/v1/items", json=inline(settings, "a"), headers=key)).status_code == 202


async def test_twenty_equal_submissions_at_once_make_one_batch(api: httpx.AsyncClient, settings: Settings) -> None:
    key, body = fresh(), inline(settings, "a")

    async def submit() -> str:
        while (answer := await api.post("/v1/items", json=body, headers=key)).status_code == 409:
            await asyncio.sleep(0.05)
        return str(answer.json()["id"])

    assert len(set(await asyncio.gather(*(submit() for _ in range(20))))) == 1


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "idempotency_key_missing"),
        ({"Idempotency-Key": ""}, "idempotency_key_invalid"),
        ({"Idempotency-Key": "a b"}, "idempotency_key_invalid"),
    ],
)
async def test_submissions_need_a_key(api: httpx.AsyncClient, settings: Settings, headers: dict[str, str], code: str) -> None:
    assert problem(await api.post("/v1/items", json=inline(settings, "a"), headers=headers)) == (400, code)


@pytest.mark.parametrize(
    ("source", "status", "code"),
    [
        ("s3://elsewhere/photos/", 422, "bucket_not_allowed"),
        ("s3://{bucket}/nothing-here/", 422, "source_empty"),
        ("s3://{bucket}/nothing.jsonl", 422, "object_missing"),
        ("s3://{bucket}/photos", 422, "source_unknown"),
        ("s3://key:secret@{bucket}/m.jsonl", 422, "userinfo_refused"),
        ("/etc/passwd", 422, "request_invalid"),
        ("file:///etc/passwd", 422, "request_invalid"),
        ("http://169.254.169.254/m.jsonl", 422, "request_invalid"),
    ],
)
async def test_a_source_that_cannot_be_opens_no_batch(
    api: httpx.AsyncClient, settings: Settings, engine: Engine, source: str, status: int, code: str
) -> None:
    key = fresh()
    answer = await api.post("/v1/batches", json={"source": source.format(bucket=settings.upload_bucket)}, headers=key)
    assert problem(answer) == (status, code)
    with engine.connect() as connection:
        query = text("SELECT count(*) FROM batches WHERE idempotency_key = :key")
        assert connection.execute(query, {"key": key["Idempotency-Key"]}).scalar_one() == 0


async def test_another_tenants_batch_is_a_missing_one(api: httpx.AsyncClient, stranger: httpx.AsyncClient, settings: Settings) -> None:
    theirs = (await api.post("/v1/items", json=inline(settings, "a"), headers=fresh())).json()["id"]
    for path in ("", "/items", "/results", "/errors"):
        foreign = await stranger.get(f"/v1/batches/{theirs}{path}")
        missing = await stranger.get(f"/v1/batches/{uuid4()}{path}")
        malformed = await stranger.get(f"/v1/batches/1{path}")
        assert problem(foreign) == problem(missing) == problem(malformed) == (404, "not_found")
        assert {**foreign.json(), "request_id": ""} == {**missing.json(), "request_id": ""}
    for verb in ("cancel", "resume", "rescan"):
        assert problem(await stranger.post(f"/v1/batches/{theirs}:{verb}")) == (404, "not_found")
    item = item_id(UUID(theirs), 0)
    for path in ("", "/outcomes", "/regions", "/traces"):
        assert problem(await stranger.get(f"/v1/items/{item}{path}")) == (404, "not_found")
        assert (await api.get(f"/v1/items/{item}{path}")).status_code == 200
    assert problem(await stranger.post(f"/v1/items/{item}:rescan")) == (404, "not_found")
    assert (await stranger.get("/v1/batches")).json() == {"batches": [], "next_cursor": None}


async def test_a_cancelled_batch_says_so_and_an_unfinished_one_is_not_rescanned(api: httpx.AsyncClient, settings: Settings) -> None:
    batch = (await api.post("/v1/items", json=inline(settings, "a"), headers=fresh())).json()["id"]
    assert problem(await api.post(f"/v1/batches/{batch}:resume")) == (409, "batch_not_paused")
    assert problem(await api.post(f"/v1/batches/{batch}:rescan")) == (409, "batch_unfinished")
    assert (await api.post(f"/v1/batches/{batch}:cancel")).json()["state"] == "cancelling"
    assert (await api.post(f"/v1/batches/{batch}:cancel")).json()["state"] == "cancelling"


async def test_an_unchanged_batch_is_not_sent_again(api: httpx.AsyncClient, settings: Settings) -> None:
    batch = (await api.post("/v1/items", json=inline(settings, "a"), headers=fresh())).headers["location"]
    etag = (await api.get(batch)).headers["etag"]
    unchanged = await api.get(batch, headers={"If-None-Match": f'"other", W/{etag}'})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    await api.post(f"{batch}:cancel")
    assert (await api.get(batch, headers={"If-None-Match": etag})).status_code == 200


async def test_every_batch_is_listed_once_whatever_the_page_size(engine: Engine, settings: Settings) -> None:
    async with calling(settings, new_key(engine, tenant="lister").text) as api:
        made = [(await api.post("/v1/items", json=inline(settings, "a"), headers=fresh())).json()["id"] for _ in range(5)]
        listed: list[str] = []
        cursor: str | None = None
        while True:
            page = (await api.get("/v1/batches", params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))).json()
            listed += [batch["id"] for batch in page["batches"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert listed == made[::-1]


async def test_items_are_paged_and_filtered(api: httpx.AsyncClient, settings: Settings) -> None:
    names = [f"n{number}" for number in range(5)]
    batch = (await api.post("/v1/items", json=inline(settings, *names), headers=fresh())).headers["location"]
    first = (await api.get(f"{batch}/items", params={"limit": "3", "state": "pending"})).json()
    rest = (await api.get(f"{batch}/items", params={"limit": "3", "state": "pending", "cursor": first["next_cursor"]})).json()
    assert [item["custom_id"] for item in first["items"] + rest["items"]] == names
    assert rest["next_cursor"] is None
    assert (await api.get(f"{batch}/items", params={"state": "failed"})).json() == {"items": [], "next_cursor": None}
    item = (await api.get(f"/v1/items/{first['items'][0]['id']}")).json()
    assert item == first["items"][0]


async def test_results_are_json_lines_and_an_export_is_an_event(api: httpx.AsyncClient, settings: Settings, engine: Engine) -> None:
    batch = (await api.post("/v1/items", json=inline(settings, "a", "b"), headers=fresh())).json()["id"]
    answer = await api.get(f"/v1/batches/{batch}/results")
    assert answer.headers["content-type"] == "application/jsonl"
    assert [json.loads(line)["custom_id"] for line in answer.text.splitlines()] == ["a", "b"]
    with engine.connect() as connection:
        query = text("SELECT actor FROM audit_events WHERE batch_id = :id AND action = 'results.exported'")
        assert str(connection.execute(query, {"id": batch}).scalar_one()).startswith("key:")


async def test_a_key_does_what_its_scopes_say_and_no_more(settings: Settings, engine: Engine) -> None:
    async with calling(settings, new_key(engine, Scope.READ).text) as reader:
        assert (await reader.get("/v1/batches")).status_code == 200
        assert problem(await reader.post("/v1/items", json=inline(settings, "a"), headers=fresh())) == (403, "scope_missing")
        assert problem(await reader.get("/metrics")) == (403, "scope_missing")
    async with calling(settings, new_key(engine, Scope.SUBMIT).text) as submitter:
        assert problem(await submitter.get("/v1/batches")) == (403, "scope_missing")
    async with calling(settings, new_key(engine, Scope.ADMIN).text) as admin:
        assert (await admin.get("/metrics")).status_code == 200


async def test_storage_is_checked_target_by_target(api: httpx.AsyncClient, manifest: str, settings: Settings) -> None:
    bucket = settings.upload_bucket
    Storage(settings).put(bucket, "checks/a.jpg", b"a", "image/jpeg")
    targets = [manifest, f"s3://{bucket}/nothing/", f"s3://{bucket}/nothing.jpg", "s3://elsewhere/", f"s3://{bucket}/checks/"]
    checks = (await api.post("/v1/storage-checks", json={"targets": targets})).json()
    assert [check["code"] for check in checks["checks"]] == ["ok", "source_empty", "object_missing", "bucket_not_allowed", "ok"]
    assert not checks["ok"]
