"""Any OpenAI-compatible chat endpoint as a translator. What it says, asks for and bills is checked before it is believed."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

import httpx

from worker.moderation.errors import MisconfiguredError, OutageError, RejectedError, TransientError, ZoomInError
from worker.translation.text_model import TextReply, TextRequest
from worker.vision.endpoint import CONNECT_SECONDS, EndpointAddress

MOST_REPLY_BYTES = 1 << 20  # of a response; a translation of all that a model says of an image has some kilobytes
LONGEST_PAUSE = 3600.0  # seconds that an endpoint may ask to be left alone
DEFAULT_PAUSE = 20.0  # where it does not say for how long
MOST_BYTES_PER_TOKEN = 16  # on average over a text: tokenizers make three to eight
UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
OPERATOR_STATUSES = (HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)


class EndpointText:
    """A TextModel over HTTP, at most `calls_per_minute`, and silent for as long as the endpoint asks to be left alone."""

    def __init__(
        self,
        address: EndpointAddress,
        api_key: str | None,
        *,
        seconds: float,
        calls_per_minute: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._address = address
        self._host = httpx.URL(address.base_url).host  # all that is said of the address: tenants read errors
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._seconds = seconds
        self._interval = 60 / calls_per_minute
        self._transport = transport
        self._next_call = 0.0  # monotonic
        self._silent_until = 0.0

    @property
    def name(self) -> str:
        """Model, and where it runs."""
        return f"{self._address.model} at {self._host}"

    async def reply(self, request: TextRequest) -> TextReply:
        """One reply. Raises OutageError, TransientError, RejectedError, and MisconfiguredError, also when it bills what cannot be."""
        await self._wait_for_turn()
        try:
            async with asyncio.timeout(self._seconds):
                status, headers, body = await self._post(self._body(request))
        except (httpx.ReadTimeout, TimeoutError) as error:  # it may bill what it does not finish: attempts are counted
            raise TransientError(
                "endpoint_too_slow", f"{self._host} did not translate within ZOOMIN_TRANSLATION_SECONDS, {self._seconds:g} s."
            ) from error
        except UNSENT as error:
            raise OutageError(
                "endpoint_unreachable", f"{self._host} does not answer ({type(error).__name__}); the request can be sent again."
            ) from error
        except httpx.HTTPError as error:
            raise OutageError(
                "endpoint_broke_off", f"{self._host} broke off ({type(error).__name__}); the request can be sent again."
            ) from error
        if not httpx.codes.is_success(status):
            raise self._failure(status, headers)
        try:
            return self._priced(_read(json.loads(body)), request)
        except (ValueError, KeyError, IndexError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise TransientError("endpoint_reply_malformed", f"{self._host} sent no chat completion.") from error

    async def _wait_for_turn(self) -> None:
        """Raises OutageError while the endpoint wants to be left alone."""
        now = time.monotonic()
        if now < self._silent_until:
            raise OutageError(
                "endpoint_rate_limited",
                f"{self._host} asked to be left alone for {self._silent_until - now:.0f} s more; it is asked again then.",
            )
        turn = max(now, self._next_call)
        self._next_call = turn + self._interval
        await asyncio.sleep(turn - now)

    async def _post(self, body: Mapping[str, Any]) -> tuple[int, httpx.Headers, bytes]:
        """A fresh client each time: jobs come from several threads, each with an event loop of its own."""
        timeout = httpx.Timeout(self._seconds, connect=CONNECT_SECONDS)
        async with (
            httpx.AsyncClient(headers=self._headers, timeout=timeout, transport=self._transport) as client,
            client.stream("POST", f"{self._address.base_url}/chat/completions", json=body) as response,
        ):
            read = bytearray()
            async for part in response.aiter_bytes():
                read += part
                if len(read) > MOST_REPLY_BYTES:
                    raise RejectedError(
                        "endpoint_reply_too_large", f"{self._host} sent more than {MOST_REPLY_BYTES} bytes: not a translation."
                    )
            return response.status_code, response.headers, bytes(read)

    def _body(self, request: TextRequest) -> dict[str, Any]:
        return {
            "model": self._address.model,
            "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "translation", "schema": dict(request.reply_schema), "strict": True},
            },
        }

    def _failure(self, status: int, headers: httpx.Headers) -> ZoomInError:
        where = self._host
        if status in OPERATOR_STATUSES or httpx.codes.is_redirect(status):
            return MisconfiguredError(
                "endpoint_refused", f"{where} answered {status}: check ZOOMIN_TRANSLATION_API_KEY, and ZOOMIN_TRANSLATION_MODEL."
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            pause = _retry_after(headers)
            self._silent_until = time.monotonic() + pause
            return OutageError("endpoint_rate_limited", f"{where} answered 429: it is left alone for {pause:.0f} s, and asked again.")
        if status == HTTPStatus.REQUEST_TIMEOUT or httpx.codes.is_server_error(status):
            return OutageError("endpoint_busy", f"{where} answered {status}; the request can be sent again.")
        return RejectedError("endpoint_rejected", f"{where} refuses this request ({status}).")

    def _priced(self, reply: TextReply, request: TextRequest) -> TextReply:
        """The reply with what it counts for: its bill, or bytes where that is missing or too small. Raises MisconfiguredError."""
        most_sent, most_received = request.most_prompt_tokens, request.most_completion_tokens
        if not (0 <= reply.prompt_tokens <= most_sent and 0 <= reply.completion_tokens <= most_received):
            raise MisconfiguredError(
                "endpoint_overbills",
                f"{self._host} bills {reply.prompt_tokens} + {reply.completion_tokens} tokens, where at most {most_sent} +"
                f" {most_received} can have been sent and received. Ask whoever runs it; nothing of its reply is used.",
            )
        return replace(
            reply,
            prompt_tokens=_counted(reply.prompt_tokens, request.system + request.user, most_sent),
            completion_tokens=_counted(reply.completion_tokens, reply.text, most_received),
        )


def _counted(billed: int, text: str, most: int) -> int:
    """The tokens of a bill, or, where it has fewer than such a text can have, one for each byte, and `most` at most."""
    byte_count = len(text.encode(errors="replace"))
    return billed if billed * MOST_BYTES_PER_TOKEN >= byte_count else min(byte_count, most)


def _read(completion: Mapping[str, Any]) -> TextReply:
    choice, usage = completion["choices"][0], completion.get("usage") or {}
    message = choice["message"]
    text = message.get("content") or ""
    if not isinstance(text, str):
        raise TypeError("content is no text")
    return TextReply(
        text=text,
        finish_reason=str(choice.get("finish_reason") or "unknown"),
        prompt_tokens=int(usage.get("prompt_tokens") or 0),
        completion_tokens=int(usage.get("completion_tokens") or 0),
        refused=bool(message.get("refusal")),
    )


def _retry_after(headers: httpx.Headers) -> float:
    """Seconds. A date is not honoured: it would need the endpoint's clock to be right."""
    text = headers.get("retry-after", "")
    asked = float(text) if text.isascii() and text.isdigit() and len(text) < 10 else DEFAULT_PAUSE
    return min(max(asked, 1.0), LONGEST_PAUSE)
