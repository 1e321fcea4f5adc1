"""Speaking HTTP to the API: with the key, time-outs, patience, and answers that became values or errors for people."""

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
from pydantic import SecretStr

from worker.cli.installation.problems import error_of, retryable
from worker.moderation.errors import TransientError

ATTEMPTS = 5
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 60.0  # doubled each time; a Retry-After beyond the longest is left to the caller
TIMEOUT = httpx.Timeout(30.0, connect=5.0)  # seconds; the server ends its own statements after 15
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Api:
    """A client. Never follows a redirection: the key goes to the address that was set and nowhere else."""

    def __init__(
        self, url: str, key: SecretStr, *, transport: httpx.BaseTransport | None = None, sleep: Callable[[float], None] = time.sleep
    ):
        self._url = url.rstrip("/")
        headers = {"Authorization": f"Bearer {key.get_secret_value()}", "User-Agent": "zoomin-cli"}
        self._client = httpx.Client(headers=headers, timeout=TIMEOUT, transport=transport)
        self._sleep = sleep

    def get(self, path: str, *, query: Mapping[str, str | int] | None = None, etag: str | None = None) -> httpx.Response:
        """The answer: a success, or 304 with an `etag`. Raises RejectedError, TransientError, MisconfiguredError."""
        headers = {"If-None-Match": etag} if etag else {}
        return self._patiently("GET", path, repeatable=True, params=query, headers=headers)

    def post(
        self,
        path: str,
        body: Any = None,
        *,
        repeatable: bool,
        query: Mapping[str, str | int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """The answer. What is not `repeatable` is sent again only where it cannot have been done. Raises as `get`."""
        return self._patiently("POST", path, repeatable=repeatable, params=query, json=body, headers=dict(headers or {}))

    def lines(self, path: str, query: Mapping[str, str | int]) -> Iterator[bytes]:
        """The lines of a stream. Raises TransientError when it breaks off: what came was not all."""
        answer = self._patiently("GET", path, repeatable=True, params=query, stream=True)
        rest = b""
        try:
            with _transport_named():
                for block in answer.iter_bytes():
                    *whole, rest = (rest + block).split(b"\n")
                    yield from whole
        finally:
            answer.close()
        if rest:
            raise TransientError("stream_broken", "The API's answer broke off in the middle of a line. Run the command again.")

    def _patiently(self, method: str, path: str, *, repeatable: bool, stream: bool = False, **parts: Any) -> httpx.Response:
        for attempt in range(1, ATTEMPTS + 1):
            pause = FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * random.uniform(0.5, 1.0)  # noqa: S311  spreads callers, keeps no secret
            try:
                with _transport_named():
                    answer = self._client.send(self._client.build_request(method, self._url + path, **parts), stream=stream)
                    if answer.is_success or answer.status_code == httpx.codes.NOT_MODIFIED:
                        return answer
                    answer.read()
            except TransientError as error:
                if attempt == ATTEMPTS or not (repeatable or isinstance(error.__cause__, NOT_SENT)):
                    raise
            else:
                asked = _seconds(answer.headers.get("Retry-After"))
                again = answer.status_code == httpx.codes.TOO_MANY_REQUESTS or (repeatable and retryable(answer))
                if attempt == ATTEMPTS or not again or (asked or 0) > LONGEST_PAUSE_SECONDS:
                    raise error_of(answer)
                pause = pause if asked is None else asked
            self._sleep(pause)
        raise AssertionError("unreachable")


@contextmanager
def _transport_named() -> Iterator[None]:
    """What can happen on the way, in words. The URL's host is told, headers never."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise TransientError("api_unavailable", f"The API at {_host(error)} did not answer in time.") from error
    except httpx.RemoteProtocolError as error:
        raise TransientError("api_broke_off", f"The API at {_host(error)} broke off its answer. Run the command again.") from error
    except httpx.HTTPError as error:
        raise TransientError("api_unavailable", f"The API at {_host(error)} cannot be reached: {_reason(error)}.") from error


def _host(error: httpx.HTTPError) -> str:
    try:
        return error.request.url.netloc.decode("ascii", "replace")
    except RuntimeError:  # a body's error knows no request
        return "ZOOMIN_API_URL"


def _reason(error: httpx.HTTPError) -> str:
    return str(error) if isinstance(error, httpx.ConnectError | httpx.ReadError | httpx.ProxyError) and str(error) else type(error).__name__


def _seconds(value: str | None) -> float | None:
    """A Retry-After in seconds; dates are not asked for."""
    return float(value) if value is not None and value.isascii() and value.isdigit() else None
