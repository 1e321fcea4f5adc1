"""One request to an OpenAI-compatible chat endpoint that somebody bills for: sent once, read within bounds, failures told apart.

Knows nothing of retries, money or explanations. The key travels in a header only, and only over https or to this very machine; redirects
are not followed, since they would carry it elsewhere.
"""

import asyncio
import email.utils
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, ZoomInError
from worker.moderation.settings import is_safe_address
from worker.vision.endpoint import CONNECT_SECONDS, OPERATOR_STATUSES, REPLY_SECONDS

MOST_REPLY_BYTES = 1 << 20  # an explanation has some kilobytes
PASSING = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_EARLY)


class BusyEndpointError(OutageError):
    """The endpoint cannot now. `retry_after` in seconds, where it says; `billed`: whether it may have worked all the same."""

    def __init__(self, code: str, message: str, retry_after: float | None = None, *, billed: bool = False) -> None:
        super().__init__(code, message)
        self.retry_after = retry_after
        self.billed = billed


class OversizedReplyError(RejectedError):
    """A reply larger than any explanation: not read to its end, and paid for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A reply, as far as it is looked at. Token counts are the endpoint's word; None where it gives none."""

    text: str
    finish_reason: str
    refusal: str | None
    prompt_tokens: int | None
    completion_tokens: int | None


class _Message(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    usage: _Usage | None = None


class ChatEndpoint:
    """Where explanations come from. Safe to use concurrently from one event loop."""

    def __init__(
        self, base_url: str, api_key: str | None, transport: httpx.AsyncBaseTransport | None = None, *, seconds: float = REPLY_SECONDS
    ) -> None:
        """`seconds` is how long a reply may take to its last byte.

        Raises MisconfiguredError `explainer_address` for an address that pictures and a key must not be sent to.
        """
        if not is_safe_address(base_url):
            raise MisconfiguredError(
                "explainer_address",
                "--explainer must be https://host/v1, or http:// on this machine, without user, query or fragment: pictures and a key go "
                "there. The key itself is ZOOMIN_EXPLAINER_API_KEY.",
            )
        self.base_url = base_url.rstrip("/")
        self._seconds = seconds
        self._client = httpx.AsyncClient(
            base_url=self.base_url,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=httpx.Timeout(seconds, connect=CONNECT_SECONDS),
            transport=transport,
        )

    async def complete(self, body: Mapping[str, Any]) -> Completion:
        """One reply. Raises BusyEndpointError, RejectedError (this request never works), OversizedReplyError, MisconfiguredError."""
        try:
            async with (
                asyncio.timeout(self._seconds),  # httpx has none for the whole: a reply may come byte by byte
                self._client.stream("POST", "/chat/completions", json=dict(body)) as response,
            ):
                if not response.is_success:
                    raise self._failure(response)
                content = await self._bounded(response)
        except (httpx.HTTPError, TimeoutError) as error:
            billed = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise BusyEndpointError(
                "endpoint_unreachable",
                f"{self.base_url} does not answer ({type(error).__name__}). Is it running, and is the address right?",
                billed=billed,
            ) from error
        return self._read(content)

    async def close(self) -> None:
        """Closes the connections."""
        await self._client.aclose()

    async def _bounded(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for part in response.aiter_bytes():
            content += part
            if len(content) > MOST_REPLY_BYTES:
                raise OversizedReplyError("reply_oversized", f"{self.base_url} sent more than {MOST_REPLY_BYTES:,} bytes in one reply.")
        return bytes(content)

    def _read(self, content: bytes) -> Completion:
        try:
            reply = msgspec.json.decode(content, type=_Reply)
            choice = reply.choices[0]
        except (msgspec.DecodeError, UnicodeDecodeError, IndexError):
            raise BusyEndpointError("endpoint_reply_malformed", f"{self.base_url} sent no chat completion.", billed=True) from None
        usage = reply.usage or _Usage()
        return Completion(
            text=choice.message.content or "",
            finish_reason=choice.finish_reason or "unknown",
            refusal=choice.message.refusal,
            prompt_tokens=_count(usage.prompt_tokens),
            completion_tokens=_count(usage.completion_tokens),
        )

    def _failure(self, response: httpx.Response) -> ZoomInError:
        status, where = response.status_code, self.base_url
        if status in OPERATOR_STATUSES or response.is_redirect:
            return MisconfiguredError(
                "endpoint_refused",
                f"{where} answered {status}: check ZOOMIN_EXPLAINER_API_KEY, --explainer and --explainer-model. Nothing was billed.",
            )
        if status == HTTPStatus.PAYMENT_REQUIRED:
            return MisconfiguredError("endpoint_unpaid", f"{where} answered {status}: the account there has no credit left.")
        if status in PASSING or response.is_server_error:
            return BusyEndpointError("endpoint_busy", f"{where} answered {status}.", retry_after(response.headers.get("retry-after")))
        return RejectedError("endpoint_rejected", f"{where} turns this request down ({status}).")


def retry_after(header: str | None, now: float | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait, from either of its forms; None without one that can be read."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(header).timestamp() - (time.time() if now is None else now)
        except (TypeError, ValueError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _count(tokens: int | None) -> int | None:
    return tokens if tokens is not None and tokens >= 0 else None
