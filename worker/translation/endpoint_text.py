"""Any OpenAI-compatible chat endpoint as a translator. What it says, asks for and bills is checked before it is believed."""

import asyncio
import threading
import time
from contextlib import aclosing
from functools import partial
from typing import Any

import httpx

from worker.moderation.errors import MisconfiguredError, OutageError, TransientError
from worker.translation.text_model import TextReply, TextRequest
from worker.vision.chat_endpoint import BrokenOffError, ChatEndpoint, Completion, LateReplyError, RateLimitedError, reply_format
from worker.vision.endpoint import EndpointAddress

MOST_REPLY_BYTES = 1 << 20  # of a response; a translation of all that a model says of an image has some kilobytes
LONGEST_PAUSE = 3600.0  # seconds that an endpoint may ask to be left alone
DEFAULT_PAUSE = 20.0  # where it does not say for how long
MOST_BYTES_PER_TOKEN = 16  # on average over a text: tokenizers make three to eight


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
        self._endpoint = partial(  # a fresh one for each reply: jobs come from several threads, each with an event loop of its own
            ChatEndpoint,
            address.base_url,
            api_key,
            seconds=seconds,
            most_bytes=MOST_REPLY_BYTES,
            check="check ZOOMIN_TRANSLATION_API_KEY, and ZOOMIN_TRANSLATION_MODEL.",
            transport=transport,
        )
        self._seconds = seconds
        self._interval = 60 / calls_per_minute
        self._turns = threading.Lock()  # no two threads may take the same turn
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
            async with aclosing(self._endpoint()) as endpoint:
                completion = await endpoint.complete(self._body(request))
        except LateReplyError as error:  # it may bill what it does not finish: attempts are counted
            raise TransientError(
                "endpoint_too_slow", f"{self._host} did not translate within ZOOMIN_TRANSLATION_SECONDS, {self._seconds:g} s."
            ) from error
        except BrokenOffError as error:
            how = type(error.__cause__).__name__
            raise OutageError("endpoint_broke_off", f"{self._host} broke off ({how}); the request can be sent again.") from error
        except RateLimitedError as error:
            pause = min(max(DEFAULT_PAUSE if error.retry_after is None else error.retry_after, 1.0), LONGEST_PAUSE)
            self._silent_until = time.monotonic() + pause
            message = f"{self._host} answered 429: it is left alone for {pause:.0f} s, and asked again."
            raise OutageError("endpoint_rate_limited", message) from error
        return self._priced(completion, request)

    async def _wait_for_turn(self) -> None:
        """Raises OutageError while the endpoint wants to be left alone."""
        now = time.monotonic()
        if now < self._silent_until:
            raise OutageError(
                "endpoint_rate_limited",
                f"{self._host} asked to be left alone for {self._silent_until - now:.0f} s more; it is asked again then.",
            )
        with self._turns:
            turn = max(now, self._next_call)
            self._next_call = turn + self._interval
        await asyncio.sleep(turn - now)

    def _body(self, request: TextRequest) -> dict[str, Any]:
        return {
            "model": self._address.model,
            "messages": [{"role": "system", "content": request.system}, {"role": "user", "content": request.user}],
            "max_tokens": request.max_tokens,
            "temperature": request.temperature,
            "response_format": reply_format("translation", request.reply_schema),
        }

    def _priced(self, completion: Completion, request: TextRequest) -> TextReply:
        """The reply with what it counts for: its bill, or bytes where that is missing or too small. Raises MisconfiguredError."""
        sent, received = completion.prompt_tokens or 0, completion.completion_tokens or 0
        most_sent, most_received = request.most_prompt_tokens, request.most_completion_tokens
        if not (0 <= sent <= most_sent and 0 <= received <= most_received):
            raise MisconfiguredError(
                "endpoint_overbills",
                f"{self._host} bills {sent} + {received} tokens, where at most {most_sent} + {most_received} can have been sent and"
                " received. Ask whoever runs it; nothing of its reply is used.",
            )
        return TextReply(
            text=completion.text,
            finish_reason=completion.finish_reason,
            prompt_tokens=_counted(sent, request.system + request.user, most_sent),
            completion_tokens=_counted(received, completion.text, most_received),
            refused=bool(completion.refusal),
        )


def _counted(billed: int, text: str, most: int) -> int:
    """The tokens of a bill, or, where it has fewer than such a text can have, one for each byte, and `most` at most."""
    byte_count = len(text.encode())
    return billed if billed * MOST_BYTES_PER_TOKEN >= byte_count else min(byte_count, most)
