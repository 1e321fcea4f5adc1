"""One request to an OpenAI-compatible chat endpoint: sent once, read within bounds, failures told apart. Knows no models, pace or money.

The key travels in a header only; redirects are not followed, since they would carry it elsewhere. Messages name the host alone: tenants
read them, and a path may hold a deployment's secret.
"""

import asyncio
import base64
import email.utils
import io
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any

import httpx
import msgspec
from PIL import Image

from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, TransientError, ZoomInError

CONNECT_SECONDS = 10.0
REPLY_SECONDS = 180.0  # a full engine may queue a request for minutes; past that, another attempt is better
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout)
OPERATOR_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
PASSING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)


class AttemptError(TransientError):
    """This attempt brought nothing, another may. `billed`: it may have been worked on; `retry_after`: seconds asked for, if any."""

    billed = True

    def __init__(self, code: str, message: str, retry_after: float | None = None) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after


class AwayError(AttemptError, OutageError):
    """The endpoint cannot now, or could not be reached."""

    billed = False


class RateLimitedError(AwayError):
    """It wants to be asked less often."""


class BrokenOffError(AwayError):
    """It was sent the request, and the reply did not come whole."""

    billed = True


class LateReplyError(BrokenOffError):
    """The reply was not whole in time."""


class OversizedReplyError(RejectedError):
    """A reply beyond its bound: not read to its end, and paid for."""


class Token(msgspec.Struct, frozen=True):
    """A token of a reply, with the likeliest in its place. `raw` may hold half a character."""

    token: str
    logprob: float
    raw: tuple[Annotated[int, msgspec.Meta(ge=0, le=255)], ...] | None = msgspec.field(default=None, name="bytes")
    top_logprobs: tuple["Token", ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A reply, as far as it is looked at. Token counts are the endpoint's word; None where it gives none."""

    text: str
    finish_reason: str
    refusal: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cached_tokens: int | None
    tokens: tuple[Token, ...]  # empty unless log-probabilities were asked for, and given


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Logprobs(msgspec.Struct):
    content: tuple[Token, ...] | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None


class _Reply(msgspec.Struct):
    choices: Annotated[list[_Choice], msgspec.Meta(min_length=1)]
    usage: _Usage | None = None


class ChatEndpoint:
    """Where chat completions come from. Safe to use concurrently, from one event loop."""

    def __init__(
        self,
        base_url: str,
        api_key: str | None,
        *,
        seconds: float,
        most_bytes: int,
        check: str,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """`seconds` and `most_bytes` bound a whole reply; `check` says what to look at when it refuses key, model or address."""
        self.base_url = base_url.rstrip("/")
        self.host = httpx.URL(base_url).host
        self._seconds = seconds
        self._most_bytes = most_bytes
        self._check = check
        self._client = httpx.AsyncClient(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
            limits=httpx.Limits(max_connections=None),
            transport=transport,
        )

    async def complete(self, body: Mapping[str, Any]) -> Completion:
        """One reply. Raises AttemptError, OversizedReplyError, RejectedError (this request never works), MisconfiguredError."""
        try:
            async with (
                asyncio.timeout(self._seconds),  # httpx has none for the whole: a reply may come byte by byte
                self._client.stream("POST", "/chat/completions", json=body) as response,
            ):
                if not response.is_success:
                    raise self._failure(response.status_code, retry_after(response.headers.get("retry-after"), time.time()))
                content = await self._bounded(response)
        except (httpx.HTTPError, TimeoutError) as error:
            late = isinstance(error, httpx.ReadTimeout | TimeoutError)
            kind = AwayError if isinstance(error, UNSENT) else LateReplyError if late else BrokenOffError
            message = f"{self.host} does not answer ({type(error).__name__}); the request can be sent again."
            raise kind("endpoint_unreachable", message) from error
        try:
            return _read(content)
        except (ValueError, RecursionError) as error:
            raise AttemptError("endpoint_reply_malformed", f"{self.host} sent no chat completion.") from error

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _bounded(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > self._most_bytes:
                raise OversizedReplyError("endpoint_reply_too_large", f"{self.host} sent over {self._most_bytes:,} bytes in one reply.")
        return bytes(content)

    def _failure(self, status: int, pause: float | None) -> ZoomInError:
        answered = f"{self.host} answered {status}"
        if status in OPERATOR_STATUSES or httpx.codes.is_redirect(status):
            check = "the account there has no credit left." if status == HTTPStatus.PAYMENT_REQUIRED else self._check
            return MisconfiguredError("endpoint_refused", f"{answered}: {check}")
        if status in PASSING or httpx.codes.is_server_error(status):
            kind = RateLimitedError if status == HTTPStatus.TOO_MANY_REQUESTS else AwayError
            return kind("endpoint_busy", f"{answered}; the request can be sent again.", pause)
        return RejectedError("endpoint_rejected", f"{self.host} refuses this request ({status}).")


def image_part(pixels: Image.Image) -> dict[str, Any]:
    """Pixels as a part of a message, losslessly: a second JPEG would add its own traces."""
    buffer = io.BytesIO()
    pixels.save(buffer, "PNG", compress_level=1)
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"}}


def reply_format(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    """A body's `response_format`: JSON of the schema and nothing else."""
    return {"type": "json_schema", "json_schema": {"name": name, "schema": dict(schema), "strict": True}}


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds that a Retry-After header asks to wait, from either of its forms; None without one that can be read. `now` is a Unix time."""
    try:
        seconds = float(header or "")
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header or "").timestamp() - now
        except (ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _read(content: bytes) -> Completion:
    """Raises ValueError, and RecursionError for what is nested too deeply."""
    reply = msgspec.json.decode(content, type=_Reply)
    choice, usage = reply.choices[0], reply.usage or _Usage()
    return Completion(
        text=choice.message.content or "",
        finish_reason=choice.finish_reason or "unknown",
        refusal=choice.message.refusal,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.prompt_tokens_details.cached_tokens if usage.prompt_tokens_details else None,
        tokens=(choice.logprobs.content if choice.logprobs else None) or (),
    )
