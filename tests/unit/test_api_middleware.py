"""Request ids, bodies and rates, in front of an application that repeats what it got."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.middleware.bodies import Bodies
from api.middleware.guard import Guard
from api.middleware.request_ids import RequestIds
from api.problems import ProblemError
from api.security.authentication import Recent
from api.security.principal import Principal
from api.security.rates import Rates

MAX_BYTES = 1_000
JSON = {"Content-Type": "application/json"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the body, or fails as its path says."""
    if scope["path"] == "/fails":
        raise RuntimeError("secret of the implementation")
    body = await Request(scope, receive).body()
    await JSONResponse({"body": body.decode()})(scope, receive, send)


@pytest.fixture
def app() -> ASGIApp:
    return RequestIds(Guard(Bodies(echo, max_bytes=MAX_BYTES, seconds=0.3)))


@pytest.fixture
def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api")


async def pieces(*parts: bytes, pause: float = 0) -> AsyncIterator[bytes]:
    for part in parts:
        await asyncio.sleep(pause)
        yield part


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"[" * 100


@pytest.mark.parametrize("given", ["request-1", "0198c7a0-0000-7000-8000-000000000000"])
async def test_a_sane_request_id_is_kept(client: httpx.AsyncClient, given: str) -> None:
    assert (await client.get("/", headers={"X-Request-Id": given})).headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "short", "a" * 65, "with blanks in it", "<script>alert(1)</script>", "%0d%0aSet-Cookie: a=b"])
async def test_any_other_request_id_is_replaced(client: httpx.AsyncClient, given: str) -> None:
    answer = await client.get("/", headers={"X-Request-Id": given})
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"] != given


async def test_every_answer_forbids_caching_sniffing_and_framing(client: httpx.AsyncClient) -> None:
    for path in ("/", "/fails"):
        headers = (await client.get(path)).headers
        assert headers["cache-control"] == "no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]


async def test_a_fault_of_ours_tells_nothing_but_the_request_id(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    answer = await client.get("/fails")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert "RuntimeError" in caplog.text


async def test_a_body_in_pieces_arrives_whole(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", content=pieces(b"[1,", b"2]"), headers=JSON)
    assert answer.json() == {"body": "[1,2]"}


async def test_a_declared_body_beyond_the_limit_is_refused_unread(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", content=b"[" + b" " * 50_000_000 + b"]", headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert answer.headers["connection"] == "close"


async def test_an_endless_body_is_cut_off(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", content=endless(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_slow_body_is_cut_off_although_every_piece_is_quick(client: httpx.AsyncClient) -> None:
    answer = await client.post("/", content=pieces(*[b" "] * 50, pause=0.05), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (408, "body_timeout")
    assert answer.json()["retryable"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=utf-16"},
        {**JSON, "Content-Encoding": "gzip"},
    ],
)
async def test_only_plain_json_is_taken(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    answer = await client.post("/", content=b"[]", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "media_type_unsupported")


async def test_a_large_strict_body_is_checked_too(app: ASGIApp) -> None:
    roomy = RequestIds(Guard(Bodies(echo, max_bytes=10_000_000, seconds=5)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(roomy), base_url="http://api") as client:
        answer = await client.post("/", content=json.dumps(["x" * 100] * 1000).replace("x", "\\u0000", 1).encode(), headers=JSON)
    assert answer.json()["code"] == "json_text_invalid"


def test_a_bucket_lets_a_burst_through_and_then_its_rate() -> None:
    now = 0.0
    rates = Rates(per_second=2, burst=3, clock=lambda: now)
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert rates.take("b") == 0
    now = 0.5
    assert [rates.take("a") for _ in range(2)] == [0, 0.5]
    now = 100.0
    assert [rates.take("a") for _ in range(4)] == [0, 0, 0, 0.5]


async def test_a_valid_credential_is_remembered_for_a_second_and_no_longer_and_a_bad_one_never() -> None:
    now, asked = 10.0, []

    def look_up(credential: str) -> Principal | None:
        asked.append(credential)
        return Principal("t", "key:a", frozenset(), "a") if credential == "good" else None

    recent = Recent(look_up, clock=lambda: now)
    assert await recent.principal("good") is await recent.principal("good")
    for _ in range(2):
        with pytest.raises(ProblemError, match="unauthenticated"):
            await recent.principal("bad")
    now = 11.0
    await recent.principal("good")
    assert asked == ["good", "bad", "bad", "good"]


def test_no_rate_is_no_limit() -> None:
    rates = Rates(per_second=0, burst=1)
    assert {rates.take("a") for _ in range(1000)} == {0}


def test_a_problem_is_one_of_the_table() -> None:
    with pytest.raises(KeyError):
        ProblemError("no_such_code")
