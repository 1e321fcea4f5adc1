"""An endpoint that is away, refuses, limits, bills too much or sends rubbish: each is an error that says what to do."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import httpx
import pytest

from tests.unit.translation.adversary import completion
from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, TransientError, ZoomInError
from worker.moderation.translation.languages import find_language
from worker.moderation.translation.passages import Field, Passage
from worker.translation.endpoint_text import MOST_REPLY_BYTES, EndpointText
from worker.translation.text_model import MAY_COST, SPARE_PROMPT_TOKENS, SPARE_REPLY_TOKENS, TextRequest
from worker.translation.translate import Billed, translate
from worker.vision.endpoint import EndpointAddress

KEY = "sk-very-secret"
BASE_URL = "https://translator.example/tenants-need-not-know/v1"
REQUEST = TextRequest(system="translate", user="hello", reply_schema={"type": "object"}, max_tokens=100)


def endpoint(answer: httpx.Response | Callable[[httpx.Request], httpx.Response], **limits: Any) -> EndpointText:
    transport = httpx.MockTransport(answer if callable(answer) else lambda _: answer)
    address = EndpointAddress("polyglot", BASE_URL)
    return EndpointText(address, KEY, **{"seconds": 5.0, "calls_per_minute": 6000, "transport": transport, **limits})


def body(answer: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(answer))


async def test_a_reply_is_read_and_the_key_travels_in_its_header_alone() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return body(completion("{}", usage={"prompt_tokens": 30, "completion_tokens": 2}))

    model = endpoint(answer)
    reply = await model.reply(REQUEST)
    assert (reply.text, reply.prompt_tokens, reply.completion_tokens, reply.refused) == ("{}", 30, 2, False)
    assert model.name == "polyglot at translator.example"
    (request,) = seen
    assert str(request.url) == f"{BASE_URL}/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    sent = json.loads(request.content)
    assert (sent["model"], sent["max_tokens"], sent["response_format"]["json_schema"]["strict"]) == ("polyglot", 100, True)
    assert KEY not in request.content.decode()


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (httpx.Response(401), MisconfiguredError, "endpoint_refused"),
        (httpx.Response(429), OutageError, "endpoint_rate_limited"),
        (httpx.Response(503), OutageError, "endpoint_busy"),
        (httpx.Response(400, content=b"schema?"), RejectedError, "endpoint_rejected"),
        (httpx.Response(200, content=b"<html>"), TransientError, "endpoint_reply_malformed"),
        (httpx.Response(200, content=b" " * (MOST_REPLY_BYTES + 1)), RejectedError, "endpoint_reply_too_large"),
        (body(completion("x", usage={"prompt_tokens": 10**9, "completion_tokens": 1})), MisconfiguredError, "endpoint_overbills"),
        (body(completion("x", usage={"prompt_tokens": 1, "completion_tokens": 10**6})), MisconfiguredError, "endpoint_overbills"),
        (body(completion("x", usage={"prompt_tokens": -5, "completion_tokens": 1})), MisconfiguredError, "endpoint_overbills"),
    ],
)
async def test_what_is_no_translation_is_an_error(answer: httpx.Response, kind: type[ZoomInError], code: str) -> None:
    with pytest.raises(kind) as refused:
        await endpoint(answer).reply(REQUEST)
    assert refused.value.code == code
    assert KEY not in refused.value.message
    assert "translator.example" in refused.value.message
    assert "tenants-need-not-know" not in refused.value.message


async def test_a_refusal_names_the_settings() -> None:
    with pytest.raises(MisconfiguredError, match="check ZOOMIN_TRANSLATION_API_KEY, and ZOOMIN_TRANSLATION_MODEL"):
        await endpoint(httpx.Response(401)).reply(REQUEST)


async def test_an_endpoint_that_is_away_is_an_outage() -> None:
    def away(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no route")

    with pytest.raises(OutageError) as refused:
        await endpoint(away).reply(REQUEST)
    assert refused.value.code == "endpoint_unreachable"


async def test_an_endpoint_that_breaks_off_is_an_outage_which_may_cost() -> None:
    def break_off(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadError("reset")

    with pytest.raises(OutageError) as refused:
        await endpoint(break_off).reply(REQUEST)
    assert refused.value.code == "endpoint_broke_off"
    assert refused.value.code in MAY_COST


@pytest.mark.parametrize(
    ("usage", "counted"),
    [
        ({"prompt_tokens": 500, "completion_tokens": 90}, (500, 90)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (2006, 164)),
        ({"prompt_tokens": None}, (2006, 164)),
        ({"prompt_tokens": 100, "completion_tokens": 100}, (2006, 100)),  # no tokenizer puts 2006 bytes into 100
        ({"other": 1}, (2006, 164)),
        (None, (2006, 164)),
    ],
)
async def test_a_bill_that_is_missing_or_too_small_counts_in_bytes(usage: Any, counted: tuple[int, int]) -> None:
    request = replace(REQUEST, system="system", user="u" * 2000)
    answer = completion("é" * 500) | {"usage": usage}  # 1000 bytes, of which no more than max_tokens and some can be tokens
    reply = await endpoint(body(answer)).reply(request)
    assert (reply.prompt_tokens, reply.completion_tokens) == counted


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (httpx.Response(200, content=b"<html>"), "endpoint_reply_malformed"),
        (httpx.Response(200, content=b" " * (MOST_REPLY_BYTES + 1)), "endpoint_reply_too_large"),
        (body(completion("x", usage={"prompt_tokens": 10**9})), "endpoint_overbills"),
        (httpx.Response(503), None),
        (httpx.Response(429), None),
        (httpx.Response(401), None),
    ],
)
async def test_a_request_that_fails_counts_at_its_most_where_it_may_be_billed(answer: httpx.Response, code: str | None) -> None:
    billed: list[Billed] = []
    passages = [Passage(Field.EXPLANATION, None, "The lamp casts no shadow.")]
    with pytest.raises(ZoomInError):
        await translate(passages, find_language("de"), endpoint(answer), billed=billed.append)
    assert [one.problems for one in billed] == ([(code,)] if code else [])
    assert all(one.prompt_tokens > SPARE_PROMPT_TOKENS and one.completion_tokens > SPARE_REPLY_TOKENS for one in billed)


async def test_an_endpoint_that_never_ends_is_given_up() -> None:
    async def dawdle(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    with pytest.raises(TransientError) as refused:
        await endpoint(dawdle, seconds=0.05).reply(REQUEST)  # type: ignore[arg-type]
    assert refused.value.code == "endpoint_too_slow"


async def test_an_endpoint_that_asks_for_rest_gets_it() -> None:
    asked = 0

    def answer(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        return httpx.Response(429, headers={"retry-after": "120"})

    model = endpoint(answer)
    for _ in range(3):
        with pytest.raises(OutageError, match=r"1[12]\d s") as refused:
            await model.reply(REQUEST)
        assert refused.value.code == "endpoint_rate_limited"
    assert asked == 1


def test_requests_keep_their_pace_whichever_thread_they_come_from() -> None:
    sent: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        sent.append(time.monotonic())
        return body(completion("{}"))

    model = endpoint(answer, calls_per_minute=600)  # one in 0.1 s

    async def two() -> None:
        await asyncio.gather(model.reply(REQUEST), model.reply(REQUEST))

    threads = [threading.Thread(target=asyncio.run, args=(two(),)) for _ in range(2)]  # jobs have an event loop each
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sent) == 4
    assert sent[-1] - began >= 0.29  # three intervals, whatever each reply takes
    assert all(later - before > 0.05 for before, later in pairwise(sent)), "one at a time"


async def test_a_pace_that_was_not_used_is_not_saved_up() -> None:
    sent: list[float] = []

    def answer(_: httpx.Request) -> httpx.Response:
        sent.append(time.monotonic())
        return body(completion("{}"))

    model = endpoint(answer, calls_per_minute=600)
    await model.reply(REQUEST)
    await asyncio.sleep(0.3)
    await asyncio.gather(*(model.reply(REQUEST) for _ in range(3)))
    assert sent[3] - sent[1] > 0.19, "two intervals lie between three requests, however long nobody asked before"
