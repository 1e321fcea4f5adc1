"""Counts and times of requests, by route template: a label per path would be a label per id."""

import time

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
PROBLEM = "problem"  # in a request's state: the code that it was answered with
UNANSWERED = 500  # what a client is told when the application failed before it answered


class Measurements:
    """The metrics of one application; a registry of its own, so that a second one in the process does not collide."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = Counter("zoomin_api_requests", "Requests answered", ["method", "route", "status"], registry=self._registry)
        self._problems = Counter("zoomin_api_problems", "Problems answered, by code", ["route", "code"], registry=self._registry)
        self._seconds = Histogram(
            "zoomin_api_request_seconds", "Time to the end of the answer", ["method", "route"], buckets=SECONDS, registry=self._registry
        )

    def count(self, method: str, route: str, status: int, seconds: float, *, problem: str | None = None) -> None:
        """Counts one request, and the code of the problem that it was answered with: a claim that was lost, a version that was stale."""
        if problem is not None:
            self._problems.labels(route, problem).inc()
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        """Prometheus's text format."""
        return generate_latest(self._registry)


class Measuring:
    """ASGI middleware that counts every HTTP request."""

    def __init__(self, app: ASGIApp, measurements: Measurements) -> None:
        self._app = app
        self._measurements = measurements

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes the request on, and counts it whether it was answered or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, started = UNANSWERED, time.perf_counter()

        async def observe(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, observe)
        finally:
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if route != "unmatched" else "any"  # a stranger's method must not become a label
            problem = scope.get("state", {}).get(PROBLEM)
            self._measurements.count(method, route, status, time.perf_counter() - started, problem=problem)
