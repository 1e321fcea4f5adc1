"""What all who speak to a chat endpoint rely on: bounds, who is told what, and whether an attempt may have been billed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, ZoomInError
from worker.vision.chat_endpoint import (
    AttemptError,
    AwayError,
    BrokenOffError,
    ChatEndpoint,
    Completion,
    LateReplyError,
    OversizedReplyError,
    RateLimitedError,
    Token,
    retry_after,
)

KEY = "sk-very-secret"
BASE_URL = "https://models.example/deployments/hidden/v1"
MOST_BYTES = 10_000
SAID = {"choices": [{"message": {"content": "{}"}}]}


class Dripping(httpx.AsyncByteStream):
    """Bytes without an end; `parts` were read."""

    def __init__(self, part: bytes, seconds: float) -> None:
        self._part = part
        self._seconds = seconds
        self.parts = 0

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(self._seconds)
            self.parts += 1
            yield self._part


def endpoint(answer: httpx.Response | httpx.HTTPError | Callable[[httpx.Request], Any], seconds: float = 5.0) -> ChatEndpoint:
    def respond(request: httpx.Request) -> Any:
        if isinstance(answer, httpx.HTTPError):
            raise answer
        return answer(request) if callable(answer) else answer

    transport = httpx.MockTransport(respond)
    return ChatEndpoint(BASE_URL + "/", KEY, seconds=seconds, most_bytes=MOST_BYTES, check="check the setting.", transport=transport)


def said(**reply: Any) -> httpx.Response:
    return httpx.Response(200, content=json.dumps(SAID | reply))


async def test_the_key_travels_in_its_header_alone() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return said()

    await endpoint(answer).complete({"model": "polyglot"})
    [request] = seen
    assert str(request.url) == f"{BASE_URL}/chat/completions"
    assert request.headers.pop("authorization") == f"Bearer {KEY}"
    assert KEY not in f"{request.headers} {request.content!r}"
    assert json.loads(request.content) == {"model": "polyglot"}


async def test_a_redirect_is_not_followed() -> None:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        return httpx.Response(307, headers={"location": "https://elsewhere.example/v1"})

    with pytest.raises(MisconfiguredError):
        await endpoint(answer).complete({})
    assert asked == ["models.example"]


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        (302, MisconfiguredError, "endpoint_refused"),
        (401, MisconfiguredError, "endpoint_refused"),
        (402, MisconfiguredError, "endpoint_refused"),
        (403, MisconfiguredError, "endpoint_refused"),
        (404, MisconfiguredError, "endpoint_refused"),
        (400, RejectedError, "endpoint_rejected"),
        (413, RejectedError, "endpoint_rejected"),
        (422, RejectedError, "endpoint_rejected"),
        (408, AwayError, "endpoint_busy"),
        (409, AwayError, "endpoint_busy"),
        (425, AwayError, "endpoint_busy"),
        (429, RateLimitedError, "endpoint_busy"),
        (500, AwayError, "endpoint_busy"),
        (503, AwayError, "endpoint_busy"),
    ],
)
async def test_status_becomes_what_the_caller_does_next(status: int, kind: type[ZoomInError], code: str) -> None:
    with pytest.raises(kind) as failed:
        await endpoint(httpx.Response(status, content=b"models.example/deployments/hidden")).complete({})
    assert type(failed.value) is kind
    assert failed.value.code == code
    assert not isinstance(failed.value, AttemptError) or not failed.value.billed
    assert f"models.example answered {status}" in failed.value.message or f"({status})" in failed.value.message
    assert not any(secret in failed.value.message for secret in ("hidden", KEY))


async def test_who_must_act_is_told_what_to_check() -> None:
    with pytest.raises(MisconfiguredError, match=r"answered 401: check the setting\.$"):
        await endpoint(httpx.Response(401)).complete({})
    with pytest.raises(MisconfiguredError, match="no credit left"):
        await endpoint(httpx.Response(402)).complete({})


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (httpx.ConnectError("refused"), AwayError),
        (httpx.ConnectTimeout("slow"), AwayError),
        (httpx.ReadTimeout("slow"), LateReplyError),
        (httpx.WriteTimeout("slow"), BrokenOffError),
        (httpx.ReadError("reset"), BrokenOffError),
        (httpx.RemoteProtocolError("cut"), BrokenOffError),
        (httpx.DecodingError("no gzip"), BrokenOffError),
    ],
)
async def test_what_was_sent_may_be_billed_though_no_answer_came(failure: httpx.HTTPError, kind: type[AwayError]) -> None:
    with pytest.raises(AwayError) as failed:
        await endpoint(failure).complete({})
    assert type(failed.value) is kind
    assert failed.value.code == "endpoint_unreachable"
    assert failed.value.billed is (kind is not AwayError)
    assert failed.value.message == f"models.example does not answer ({type(failure).__name__}); the request can be sent again."


async def test_a_reply_that_comes_byte_by_byte_is_given_up_in_time() -> None:
    with pytest.raises(LateReplyError) as failed:
        await endpoint(httpx.Response(200, stream=Dripping(b" ", 0.001)), seconds=0.05).complete({})
    assert (failed.value.code, failed.value.billed) == ("endpoint_unreachable", True)


async def test_an_oversized_reply_is_not_read_to_its_end() -> None:
    body = Dripping(b" " * 1000, 0.0)
    with pytest.raises(OversizedReplyError) as failed:
        await endpoint(httpx.Response(200, stream=body)).complete({})
    assert (failed.value.code, body.parts) == ("endpoint_reply_too_large", MOST_BYTES // 1000 + 1)
    assert "models.example sent over 10,000 bytes" in failed.value.message


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "{}",
        '{"choices":[]}',
        '{"choices":[{}]}',
        '{"choices":[{"message":{"content":{"a":1}}}]}',
        '{"choices":[{"message":{"content":"\\ud800"}}]}',
        '{"choices":[{"message":{}}],"usage":[]}',
        '{"choices":[{"message":{}}],"usage":{"prompt_tokens":"many"}}',
        '{"choices":[{"message":{}}],"usage":{"prompt_tokens":Infinity}}',
        '{"choices":[{"message":{},"logprobs":{"content":[{"token":"a","logprob":0,"bytes":[256]}]}}]}',
        '{"nested":' + "[" * 9_000,
    ],
    ids=range(13),
)
async def test_what_is_no_completion_is_worth_another_attempt_and_may_be_billed(body: str) -> None:
    with pytest.raises(AttemptError) as failed:
        await endpoint(httpx.Response(200, text=body)).complete({})
    assert (failed.value.code, failed.value.billed) == ("endpoint_reply_malformed", True)
    assert not isinstance(failed.value, OutageError)  # it is there, and answers: the attempt counts
    assert failed.value.message == "models.example sent no chat completion."


async def test_a_completion_is_read_with_all_that_is_looked_at() -> None:
    token = {"token": "r", "logprob": -0.5, "bytes": [114], "top_logprobs": [{"token": "r", "logprob": -0.5, "bytes": None}]}
    choice = {"message": {"content": "real", "refusal": "no"}, "finish_reason": "length", "logprobs": {"content": [token]}, "index": 0}
    usage = {"prompt_tokens": 90, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 64}, "total_tokens": 97}
    assert await endpoint(said(id="x", choices=[choice], usage=usage)).complete({}) == Completion(
        text="real",
        finish_reason="length",
        refusal="no",
        prompt_tokens=90,
        completion_tokens=7,
        cached_tokens=64,
        tokens=(Token(token="r", logprob=-0.5, raw=(114,), top_logprobs=(Token(token="r", logprob=-0.5),)),),
    )


@pytest.mark.parametrize("rest", [{}, {"usage": None}, {"usage": {"prompt_tokens": None, "prompt_tokens_details": None}}], ids=range(3))
@pytest.mark.parametrize("choice", [{}, {"finish_reason": None, "logprobs": None}, {"logprobs": {"content": None}}], ids=range(3))
async def test_what_a_completion_leaves_out_is_unknown(choice: dict[str, Any], rest: dict[str, Any]) -> None:
    assert await endpoint(said(choices=[{"message": {"content": None}, **choice}], **rest)).complete({}) == Completion(
        text="", finish_reason="unknown", refusal=None, prompt_tokens=None, completion_tokens=None, cached_tokens=None, tokens=()
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("12", 12.0),
        ("0.5", 0.5),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 90.0),
        ("-3", 0.0),
        ("soon", None),
        ("inf", None),
        ("Thu, 01 Jan 1970 00:01:40 +99999999999999", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_read_in_both_forms(header: str | None, seconds: float | None) -> None:
    assert retry_after(header, 10.0) == seconds


@pytest.mark.parametrize("status", [429, 503])
async def test_an_endpoint_says_for_how_long_it_wants_to_be_left_alone(status: int) -> None:
    with pytest.raises(AwayError) as failed:
        await endpoint(httpx.Response(status, headers={"retry-after": "37"})).complete({})
    assert failed.value.retry_after == 37
