"""Receivers and senders for the tests of webhooks: a real HTTP server that answers as it is told, and a sender with a short patience."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from worker.moderation.events import EventType
from worker.moderation.targets import Resolve, checked_target, system_addresses
from worker.store import outbox
from worker.store.sealing import Sealer
from worker.store.session import transaction
from worker.store.webhook_endpoints import NewSecret, create_endpoint
from worker.webhooks.post import Poster
from worker.webhooks.schedule import Schedule
from worker.webhooks.sender import Sender

KEYS = Sealer(["k" * 32])
AT_ONCE = Schedule(backoff=(0.0,) * 7, jitter=0.0, first_rest_seconds=0.0, longest_rest_seconds=0.0, poll_seconds=0.02)
DEADLINE_SECONDS = 20.0
TENANT = "acme"


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        """Its webhook-id."""
        return self.headers["webhook-id"]


@dataclass
class Receiver:
    """`answers` are statuses in turn, the last for ever; a callable is called and returns one. `seconds` before each."""

    server: ThreadingHTTPServer
    answers: list[int | Callable[[], int]] = field(default_factory=lambda: [204])
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    seconds: float = 0.0
    received: list[Received] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server.server_port}/hook"

    def answer(self, request: Received) -> int:
        """Notes a request: the status to answer."""
        with self.lock:
            self.received.append(request)
            given = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        time.sleep(self.seconds)
        return given if isinstance(given, int) else given()


@contextmanager
def receiver(*answers: int | Callable[[], int], seconds: float = 0.0) -> Iterator[Receiver]:
    """A server on a port of its own."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers["content-length"]))
            self.send_response(found.answer(Received(self.path, headers, body)))
            for name, value in found.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(found.body)))
            self.end_headers()
            try:
                self.wfile.write(found.body)
            except OSError:  # the sender has read enough
                self.close_connection = True

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's word
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    found = Receiver(server, seconds=seconds)
    if answers:
        found.answers = list(answers)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class WebhookWorld:
    """What a test does to the database beside the code under test."""

    engine: Engine

    def endpoint(self, url: str, *types: str, tenant: str = TENANT) -> NewSecret:
        """An active endpoint."""
        target = checked_target(url, private_targets=True)
        with transaction(self.engine) as session:
            return create_endpoint(session, tenant_id=tenant, target=target, types=types or ("batch.completed",), sealer=KEYS, actor="test")

    def publish(self, number: int = 1, *, tenant: str = TENANT, kind: EventType = EventType.BATCH_COMPLETED) -> list[UUID]:
        """Events that tell nothing."""
        with transaction(self.engine) as session:
            return [outbox.publish(session, tenant, kind, {"n": n}) for n in range(number)]

    def rows(self, sql: str, **parameters: object) -> Sequence[Any]:
        """What a query finds."""
        with transaction(self.engine) as session:
            return session.execute(text(sql), parameters).all()

    def change(self, sql: str, **parameters: object) -> None:
        """Changes rows."""
        with transaction(self.engine) as session:
            session.execute(text(sql), parameters)

    def value(self, sql: str, **parameters: object) -> Any:
        """The one value a query finds."""
        return self.rows(sql, **parameters)[0][0]

    def delivery(self, endpoint_id: UUID, event_id: UUID) -> Any:
        """A delivery's row, once the event was fanned out."""
        query = "SELECT * FROM webhook_deliveries WHERE endpoint_id = :e AND event_id = :v"
        assert eventually(lambda: bool(self.rows(query, e=endpoint_id, v=event_id)))
        return self.rows(query, e=endpoint_id, v=event_id)[0]

    def audited(self, endpoint_id: UUID) -> list[str]:
        """Actions on an endpoint, in order."""
        found = self.rows("SELECT action FROM audit_events WHERE detail->>'endpoint' = :e ORDER BY id", e=str(endpoint_id))
        return [row.action for row in found]

    def quiet(self) -> bool:
        """Nothing waits in the outbox, nothing for an active endpoint."""
        waiting = "SELECT count(*) FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id"
        undelivered = int(self.value("SELECT count(*) FROM outbox WHERE delivered_at IS NULL"))
        return not undelivered and not int(self.value(f"{waiting} WHERE d.state = 'pending' AND e.state = 'active'"))

    def clear(self) -> None:
        """Takes everything out of the next test's way."""
        self.change("UPDATE webhook_endpoints SET state = 'disabled'")
        self.change("UPDATE webhook_deliveries SET state = 'failed', lease_token = NULL WHERE state = 'pending'")
        self.change("UPDATE outbox SET delivered_at = now() WHERE delivered_at IS NULL")

    @contextmanager
    def sending(self, schedule: Schedule = AT_ONCE, *, resolve: Resolve = system_addresses, total: float = 15.0) -> Iterator[Sender]:
        """A sender on a thread of its own, until the block ends and what is in flight has landed."""
        stop, started = threading.Event(), threading.Event()
        found: list[Sender] = []

        async def run() -> None:
            poster = Poster(private_targets=True, resolve=resolve, total=total)
            found.append(Sender(self.engine, KEYS, poster, schedule))
            started.set()
            await found[0].run(stop)
            await poster.close()

        thread = threading.Thread(target=lambda: asyncio.run(run()))
        thread.start()
        try:
            assert started.wait(DEADLINE_SECONDS)
            yield found[0]
        finally:
            stop.set()
            thread.join(DEADLINE_SECONDS)
            assert not thread.is_alive()


def eventually(holds: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> bool:
    """Whether it becomes true before the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()
