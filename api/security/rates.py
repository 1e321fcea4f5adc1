"""Rates per key: a token bucket each, in this process. With n processes a key may do n times as much; that is accepted, and documented."""

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import ProblemError

MOST_BUCKETS = 10_000  # of keys in use; the longest unused is forgotten, and would be full again anyway


@dataclass(slots=True)
class Bucket:
    """What is left of a quota, and when that was reckoned."""

    tokens: float
    at: float


class Rates:
    """Buckets that hold `burst` requests and fill by `per_second`; 0 lets everything through."""

    def __init__(self, per_second: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = float(burst)
        self._clock = clock
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def take(self, quota: str) -> float:
        """0 when the request may go on, else the seconds until one may."""
        if self._per_second <= 0:
            return 0.0
        now = self._clock()
        bucket = self._buckets.pop(quota, None) or Bucket(self._burst, now)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        self._buckets[quota] = bucket
        if len(self._buckets) > MOST_BUCKETS:
            self._buckets.popitem(last=False)
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_second
        bucket.tokens -= 1
        return 0.0


class RateLimit:
    """ASGI middleware behind the authentication."""

    def __init__(self, app: ASGIApp, rates: Rates) -> None:
        self._app = app
        self._rates = rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes on what the key has left. Raises ProblemError `rate_limited`."""
        principal = scope["state"].get("principal") if scope["type"] == "http" else None
        if principal is not None and (wait := self._rates.take(principal.quota)):
            raise ProblemError("rate_limited", headers={"Retry-After": str(math.ceil(wait))})
        await self._app(scope, receive, send)
