"""Bodies: counted while they arrive, within a time, of one media type, strictly read. Routes see whole, checked bodies only."""

import asyncio

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.strict_json import check_json
from api.problems import ProblemError

BODILESS = ("GET", "HEAD", "OPTIONS", "TRACE", "CONNECT")
QUICK_BYTES = 16_384  # are checked in well under a millisecond; more is checked beside the event loop
CLOSING = {"Connection": "close"}  # what is left of the body is not worth reading


class ClientGoneError(Exception):
    """The caller hung up before the body was whole."""


class Bodies:
    """ASGI middleware. `seconds` is for the whole body, not between two pieces: a slow one cannot keep a connection for ever."""

    def __init__(self, app: ASGIApp, max_bytes: int, seconds: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a good body on. Raises ProblemError: body_too_large, body_timeout, media_type_unsupported, json_*."""
        if scope["type"] != "http" or scope["method"] in BODILESS:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (declared := headers.get("content-length", "0")).isdigit() and int(declared) > self._max_bytes:
            raise ProblemError("body_too_large", headers=CLOSING)
        try:
            body = await asyncio.wait_for(self._whole(receive), self._seconds)
        except TimeoutError:
            raise ProblemError("body_timeout", headers=CLOSING) from None
        except ClientGoneError:
            return
        if body:
            await _check(body, headers)
        await self._app(scope, _replaying(body, receive), send)

    async def _whole(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                raise ProblemError("body_too_large", headers=CLOSING)
            if not message.get("more_body", False):
                return bytes(body)


async def _check(body: bytes, headers: Headers) -> None:
    media_type, _, parameters = headers.get("content-type", "").partition(";")
    plain = headers.get("content-encoding", "identity").strip().lower() == "identity"
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() != "application/json" or charset not in ("", "charset=utf-8") or not plain:
        raise ProblemError("media_type_unsupported")
    if len(body) <= QUICK_BYTES:
        check_json(body)
    else:
        await run_in_threadpool(check_json, body)


def _replaying(body: bytes, receive: Receive) -> Receive:
    told = False

    async def replay() -> Message:
        nonlocal told
        if told:
            return await receive()
        told = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
