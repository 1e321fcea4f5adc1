"""Request ids: a caller's own, when it is sane, or a new one; in every answer and every log line. Security headers beside them."""

import logging
import re
import time
from contextvars import ContextVar
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from worker.moderation.identifiers import new_uuid7

HEADER = "X-Request-Id"
SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")
SECURITY = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

current: ContextVar[str] = ContextVar("request_id", default="-")
log = logging.getLogger("api.requests")


class RequestIds:
    """ASGI middleware; the outermost but one. What a route sets of SECURITY stands."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Names the request, and logs how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if SANE.fullmatch(given) else new_uuid7().hex
        scope.setdefault("state", {})["request_id"] = request_id
        token, started, status = current.set(request_id), time.perf_counter(), 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(raw=message["headers"])
                headers[HEADER] = request_id
                for name, value in SECURITY.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, named)
        finally:
            if log.isEnabledFor(logging.INFO):
                log.info("request", extra={"request": _told(scope, status, time.perf_counter() - started)})
            current.reset(token)


def request_id_of(scope: Scope) -> str:
    """The id that this request was given."""
    return str(scope.get("state", {}).get("request_id", "-"))


def _told(scope: Scope, status: int, seconds: float) -> dict[str, Any]:
    route = getattr(scope.get("route"), "path", "unmatched")  # the template: paths hold ids, and strangers' texts
    principal = scope.get("state", {}).get("principal")
    return {
        "method": scope["method"][:16],
        "route": route,
        "status": status,
        "milliseconds": round(seconds * 1000, 1),
        "actor": getattr(principal, "actor", None),
    }
