"""RELIABILITY.md's rows for the API, each with the problem it must get, against the whole application on real Postgres."""

import asyncio
import json
from collections.abc import AsyncIterator
from uuid import UUID

import httpx
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from api.cursors import write_cursor
from api.errors import problem_of
from tests.integration.api_world import calling, fresh, new_key, problem
from worker.moderation.identifiers import item_id
from worker.moderation.settings import Settings

INERT = [
    "'; DROP TABLE items; --",
    "%' OR '1'='1",
    "<script>alert(document.cookie)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{7*7}} ${jndi:ldap://x}",
    "=cmd|' /C calc'!A0",
    "a\u202egpj.exe",
    "\u2066\u2069 zero\u200bwidth",
    "\\copy items TO PROGRAM 'id'",
    "😀" * 200,
]


@pytest.fixture
async def api(settings: Settings, engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    quick = settings.model_copy(update={"api_body_seconds": 0.5})
    async with calling(quick, new_key(engine).text) as client:
        yield client


async def post(api: httpx.AsyncClient, body: bytes | AsyncIterator[bytes], path: str = "/v1/items") -> tuple[int, str]:
    return problem(await api.post(path, content=body, headers={**fresh(), "Content-Type": "application/json"}))


def rows(value: str) -> bytes:
    return f'{{"items": [{{"source-ref": "s3://zoomin-uploads/a.jpg", "metadata": {value}}}]}}'.encode()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rows("[" * 100 + "]" * 100), (400, "json_too_deep")),
        (rows('{"a": 1, "a": 2}'), (400, "json_duplicate_key")),
        (rows('{"a": NaN}'), (400, "json_invalid")),
        (rows('{"a": Infinity}'), (400, "json_invalid")),
        (rows('{"a": 18446744073709551616}'), (400, "json_number_range")),
        (rows('{"a": 1e400}'), (400, "json_number_range")),
        (rows('{"a": "\\u0000"}'), (400, "json_text_invalid")),
        (rows('{"a": "\\ud800"}'), (400, "json_text_invalid")),
        (b"{", (400, "json_invalid")),
        (b"\xff\xfe", (400, "json_invalid")),
        (b"", (422, "request_invalid")),
        (b"null", (422, "request_invalid")),
        (b"[]", (422, "request_invalid")),
        (b'{"items": []}', (422, "request_invalid")),
        (b'{"items": {}}', (422, "request_invalid")),
        (b'{"items": [{"source-ref": 7}]}', (422, "request_invalid")),
        (b'{"items": [{"source-ref": "s3://b/k", "unknown": 1}]}', (422, "request_invalid")),
        (b'{"items": [{"source_ref": "s3://b/k"}]}', (422, "request_invalid")),
        (b'{"items": [{"source-ref": "s3://b/k"}], "priority": "1"}', (422, "request_invalid")),
        (b'{"items": [{"source-ref": "s3://b/k"}], "priority": 9223372036854775807}', (422, "request_invalid")),
        (b'{"items": [' + b",".join([b'{"source-ref": "s3://b/k"}'] * 1_001) + b"]}", (422, "request_invalid")),
        (b"[" + b" " * 50_000_000 + b"]", (413, "body_too_large")),
    ],
)
async def test_a_hostile_body_gets_its_code(api: httpx.AsyncClient, body: bytes, expected: tuple[int, str]) -> None:
    assert await post(api, body) == expected


async def test_a_slow_body_is_cut_off(api: httpx.AsyncClient) -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(100):
            await asyncio.sleep(0.05)
            yield b" "

    assert await post(api, slow()) == (408, "body_timeout")


async def test_an_endless_body_is_cut_off(api: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 10_000

    assert await post(api, endless()) == (413, "body_too_large")


async def test_every_fault_is_pointed_at(api: httpx.AsyncClient) -> None:
    body = {"items": [{"source-ref": "s3://b/k"}, {"custom_id": 1, "~/": 1}], "priority": 101}
    answer = await api.post("/v1/items", json=body, headers=fresh())
    assert problem(answer) == (422, "request_invalid")
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert pointers == {"#/items/1/source-ref", "#/items/1/custom_id", "#/items/1/~0~1", "#/priority"}


@pytest.mark.parametrize("value", INERT)
async def test_sql_html_and_bidi_in_every_text_stay_inert(api: httpx.AsyncClient, engine: Engine, value: str) -> None:
    row = {"source-ref": f"s3://zoomin-uploads/{value}", "custom_id": value, "metadata": {value: value}}
    answer = await api.post("/v1/items", json={"items": [row]}, headers=fresh())
    assert answer.status_code == 202
    batch = answer.json()
    assert batch["rows"] == {"accepted": 1, "rejected": 0}
    item = await api.get(f"/v1/items/{item_id(UUID(batch['id']), 0)}")
    assert item.headers["content-type"] == "application/json"
    assert (item.json()["custom_id"], item.json()["metadata"]) == (value, {value: value})
    exported = (await api.get(f"/v1/batches/{batch['id']}/results")).text
    assert json.loads(exported)["custom_id"] == value
    assert not {"\u202e", "\u200b", "\u2066"} & set(exported)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM items WHERE batch_id = :id"), {"id": batch["id"]}).scalar_one() == 1


@pytest.mark.parametrize("value", INERT)
async def test_hostile_texts_in_places_of_ids_and_parameters_are_refused(api: httpx.AsyncClient, value: str) -> None:
    segment = value.replace("/", "").replace(":", "").replace("?", "")
    assert problem(await api.get("/v1/batches/" + segment))[1] == "not_found"
    assert problem(await api.get("/v1/items/" + segment))[1] == "not_found"
    assert problem(await api.get("/v1/regions/" + segment + "/crop"))[1] == "not_found"
    for name in ("limit", "cursor"):
        assert problem(await api.get("/v1/batches", params={name: value})) == (422, "request_invalid")
    headers = [(b"Idempotency-Key", value.encode())]
    answer = await api.post("/v1/items", json={"items": [{"source-ref": "s3://b/k"}]}, headers=headers)
    visible = all("!" <= character <= "~" for character in value)
    assert answer.status_code == 202 if visible else problem(answer) == (400, "idempotency_key_invalid")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limit=0", (422, "request_invalid")),
        ("limit=201", (422, "request_invalid")),
        ("limit=-1", (422, "request_invalid")),
        ("limit=1e2", (422, "request_invalid")),
        ("limit=99999999999999999999", (422, "request_invalid")),
        ("limit=1&limit=2", (422, "request_invalid")),
        ("offset=10", (422, "request_invalid")),
        ("cursor=", (422, "request_invalid")),
        ("cursor=AAAA", (400, "cursor_invalid")),
        ("cursor=" + "A" * 300, (400, "cursor_invalid")),
        ("cursor=" + write_cursor("items:x", 5), (400, "cursor_invalid")),
        ("cursor=" + write_cursor("batches", "no id"), (400, "cursor_invalid")),
        ("cursor=" + write_cursor("batches", {"a": 1}), (400, "cursor_invalid")),
    ],
)
async def test_pagination_is_not_abused(api: httpx.AsyncClient, query: str, expected: tuple[int, str]) -> None:
    assert problem(await api.get(f"/v1/batches?{query}")) == expected


@pytest.mark.parametrize(
    ("path", "listing", "position"),
    [
        ("/v1/policies", "policies", "\x00"),
        ("/v1/policies", "policies", "\ud800"),
        ("/v1/policies/default/versions", "policies/default", 10**30),
        ("/v1/queues", "queues", "\x00"),
        ("/v1/tasks", "tasks/None/None/None", [10**30, "2026-01-01T00:00:00+00:00", 1]),
        ("/v1/tasks", "tasks/None/None/None", [0, "2026-01-01T00:00:00+00:00", 10**30]),
        ("/v1/tasks", "tasks/None/None/None", [0, "\x00", 1]),
    ],
)
async def test_a_cursor_that_was_made_up_is_refused(api: httpx.AsyncClient, path: str, listing: str, position: object) -> None:
    assert problem(await api.get(path, params={"cursor": write_cursor(listing, position)})) == (400, "cursor_invalid")


async def test_nul_in_a_reviewers_name_is_refused(api: httpx.AsyncClient) -> None:
    assert problem(await api.get("/v1/tasks?assigned_to=%00")) == (422, "request_invalid")


async def test_a_refused_statement_is_logged_without_its_values(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    value = "-".join(("somebodys", "secret"))  # in two: the traceback shows lines of code
    with engine.connect() as connection, pytest.raises(DBAPIError) as refused:
        connection.execute(text("SELECT CAST(:value AS integer)"), {"value": value})
    assert problem_of(refused.value).kind.code == "internal_error"
    assert "22P02" in caplog.text
    assert value not in caplog.text


async def test_the_uploads_of_others_are_not_listed(api: httpx.AsyncClient) -> None:
    for source in ("s3://zoomin-uploads/", "s3://zoomin-uploads/folders/", "s3://zoomin-uploads/manifests/"):
        check = (await api.post("/v1/storage-checks", json={"targets": [source]})).json()
        assert check["checks"][0]["code"] == "prefix_refused"
        assert problem(await api.post("/v1/batches", json={"source": source}, headers=fresh())) == (422, "prefix_refused")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/batches", "GET, POST"),
        ("PUT", "/v1/items", "POST"),
        ("GET", "/v1/batches/1:cancel", "POST"),
        ("BREW", "/healthz", "GET"),
    ],
)
async def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    api: httpx.AsyncClient, method: str, path: str, allowed: str
) -> None:
    answer = await api.request(method, path)
    assert problem(answer) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allowed


async def test_an_unknown_path_is_a_problem_too(api: httpx.AsyncClient) -> None:
    for path in ("/v2/batches", "/v1/batches/", "/v1//batches", "/../etc/passwd", "/v1/batches/%2e%2e/items"):
        assert problem(await api.get(path)) == (404, "not_found")


async def test_a_database_that_is_away_is_a_retryable_problem_without_details(settings: Settings, engine: Engine) -> None:
    assert settings.database_url is not None
    key = new_key(engine).text
    away = type(settings.database_url)(settings.database_url.get_secret_value().partition("?")[0] + "?host=/nowhere")
    async with calling(settings.model_copy(update={"database_url": away}), key) as client:
        answer = await client.get("/v1/batches")
    assert problem(answer) == (503, "database_unavailable")
    assert answer.json()["retryable"]
    assert "nowhere" not in answer.text
