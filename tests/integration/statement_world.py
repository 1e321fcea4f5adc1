"""A transparency database of our own: a real HTTP server with the documented rules, and failures on demand; and statements to send it."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

from pydantic import SecretStr, ValidationError
from sqlalchemy import Engine

from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action
from worker.moderation.settings import Settings
from worker.moderation.statement_of_reasons import Payload, Reasons, violations
from worker.store.overrides import Override, override
from worker.store.session import transaction
from worker.store.statements_of_reasons import draft_statement, sign_statement

TOKEN = "1|a-token"
REASONS: dict[str, Any] = {
    "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "incompatible_content_ground": "Terms of use, section 4",
    "incompatible_content_explanation": "The image was altered by artificial intelligence and not labelled.",
    "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "territorial_scope": ["DE"],
    "content_date": "2026-11-20",
    "source_type": "SOURCE_VOLUNTARY",
}


@dataclass
class Database:
    """`failures` are statuses that the next calls are answered with; 0 takes them and hangs up. `refused`: puids it will not have."""

    server: ThreadingHTTPServer
    token: str = TOKEN
    failures: list[int] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    under_way: set[str] = field(default_factory=set)  # locked by another request, and not there
    seconds: float = 0.0
    there: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: list[list[str]] = field(default_factory=list)  # puids of every group
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        """Its API."""
        return f"http://127.0.0.1:{self.server.server_port}/api/v1"

    def take(self, group: list[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
        """As the validator does: all or nothing; rules first, then puids."""
        puids = [statement.get("puid", "") for statement in group]
        time.sleep(self.seconds)
        with self.lock:
            self.calls.append(puids)
            errors = {f"statement_{n}": found for n, statement in enumerate(group) if (found := self._errors(statement))}
            if errors or not 1 <= len(group) <= 100:
                return 422, {"errors": errors or {"statements": ["The statements field must have between 1 and 100 items."]}}
            if known := [puid for puid in puids if puid in self.there or puid in self.under_way]:
                message = "The platform identifier(s) are not all unique within this call."
                return 422, {"message": message, "errors": {"puid": [message], "existing_puids": known}}
            made = [{**statement, "uuid": str(uuid4())} for statement in group]
            self.there |= {statement["puid"]: statement for statement in made}
            return 201, {"statements": made}

    def _errors(self, statement: dict[str, Any]) -> dict[str, list[str]]:
        if statement.get("puid") in self.refused:
            return {"decision_facts": ["The selected decision facts are invalid."]}
        try:
            return {violation.field: [violation.message] for violation in violations(Payload.model_validate(statement))}
        except ValidationError as error:
            return {str(fault["loc"][0]): [fault["msg"]] for fault in error.errors()}


class DatabaseServer(ThreadingHTTPServer):
    """Carries the database to the handlers."""

    daemon_threads = True
    database: Database


class Handler(BaseHTTPRequestHandler):
    """The routes that are documented, on the database that the server carries."""

    @property
    def database(self) -> Database:
        """The server's."""
        assert isinstance(self.server, DatabaseServer)
        return self.server.database

    def do_POST(self) -> None:
        """Takes a group."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if not self._known() or self._failed(body):
            return
        if self.path == "/api/v1/statements":
            self._answer(*self.database.take(body["statements"]))
        else:
            self._answer(404, {"message": "no route"})

    def do_GET(self) -> None:
        """Tells whether a puid is there."""
        puid = self.path.removeprefix("/api/v1/statement/existing-puid/")
        if self._known():
            there = puid in self.database.there
            self._answer(302 if there else 404, {"message": f"statement of reason {'' if there else 'not '}found", "puid": puid})

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the base class's word
        """Says nothing."""

    def _known(self) -> bool:
        if self.headers["authorization"] == f"Bearer {self.database.token}":
            return True
        self._answer(401, {"message": "Unauthenticated."})
        return False

    def _failed(self, body: Any) -> bool:
        with self.database.lock:
            status = self.database.failures.pop(0) if self.database.failures else None
        if status == 0:  # takes them, and is gone before it can say so
            self.database.take(body["statements"])
            self.close_connection = True
        elif status is not None:
            self._answer(status, {"message": "not now"}, {"retry-after": "7"} if status == 429 else {})
        return status is not None

    def _answer(self, status: int, said: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        body = json.dumps(said).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def transparency_database() -> Iterator[Database]:
    """One on a port of its own."""
    server = DatabaseServer(("127.0.0.1", 0), Handler)
    found = server.database = Database(server)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Desk:
    """A tenant of its own with decided images, and what a test does to their statements."""

    def __init__(self, engine: Engine) -> None:
        self.world = World(engine)
        self.engine = engine
        self.tenant = f"t-{uuid4().hex[:8]}"

    def decided(self, number: int = 1, action: Action = Action.LABEL) -> list[UUID]:
        """Decisions about so many images."""
        batch_id = judged_batch(self.world, dict.fromkeys(range(number), 0.95), tenant=self.tenant)
        return [self.decide(batch_id, ordinal, None, action) for ordinal in range(number)]

    def decide(self, batch_id: UUID, ordinal: int, supersedes: UUID | None, action: Action = Action.LABEL) -> UUID:
        """A lead's decision."""
        wanted = Override(verdict=Verdict.GENERATED, action=action, reason="x", supersedes=supersedes)
        with transaction(self.engine) as session:
            return override(session, self.tenant, (batch_id, ordinal), wanted, lead="lea")

    def supersede(self, decision_id: UUID) -> UUID:
        """A later decision that leaves the image as it is."""
        row = self.world.rows("SELECT batch_id, ordinal FROM decisions WHERE id = :id", id=decision_id)[0]
        return self.decide(row.batch_id, row.ordinal, decision_id, Action.NONE)

    def draft(self, decision_id: UUID, **reasons: Any) -> UUID:
        """A draft that breaks no rule, unless `reasons` do."""
        with transaction(self.engine) as session:
            said = Reasons.model_validate({**REASONS, **reasons})
            return draft_statement(session, self.tenant, decision_id, said, actor="test").id

    def signed(self, decision_id: UUID, hold: timedelta = timedelta()) -> UUID:
        """A statement that waits to be sent."""
        statement_id = self.draft(decision_id)
        with transaction(self.engine) as session:
            sign_statement(session, statement_id, tenant_id=self.tenant, signed_by="ann", hold=hold, actor="test")
        return statement_id

    def many(self, number: int) -> list[UUID]:
        """So many statements that wait to be sent, in one transaction: each would wait for the disk."""
        batch_id = judged_batch(self.world, dict.fromkeys(range(number), 0.95), tenant=self.tenant)
        wanted = Override(verdict=Verdict.GENERATED, action=Action.LABEL, reason="x", supersedes=None)
        made = []
        with transaction(self.engine) as session:
            for ordinal in range(number):
                decision = override(session, self.tenant, (batch_id, ordinal), wanted, lead="lea")
                row = draft_statement(session, self.tenant, decision, Reasons.model_validate(REASONS), actor="test")
                sign_statement(session, row.id, tenant_id=self.tenant, signed_by="ann", hold=timedelta(), actor="test")
                made.append(row.id)
        return made

    def row(self, statement_id: UUID) -> Any:
        """A statement's row."""
        return self.world.rows("SELECT * FROM statements_of_reasons WHERE id = :id", id=statement_id)[0]

    def states(self) -> list[str]:
        """Of all statements of the tenant."""
        return [
            row.state for row in self.world.rows("SELECT state FROM statements_of_reasons WHERE tenant_id = :t ORDER BY id", t=self.tenant)
        ]

    def hurry(self) -> None:
        """Pauses and leases are over."""
        self.world.rows("UPDATE statements_of_reasons SET next_attempt_at = now() WHERE state = 'held' AND hold_until <= now()")

    def audited(self, statement_id: UUID) -> list[str]:
        """What happened to a statement, in order."""
        sql = "SELECT action FROM audit_events WHERE detail->>'statement' = :s ORDER BY id"
        return [row.action for row in self.world.rows(sql, s=str(statement_id))]

    def signatory(self, statement_id: UUID) -> Any:
        """Who signed it, by the audit trail."""
        sql = "SELECT detail->>'signed_by' FROM audit_events WHERE action = 'statement.signed' AND detail->>'statement' = :s"
        return self.world.value(sql, s=str(statement_id))

    def clear(self) -> None:
        """Takes everything out of the next test's way."""
        self.world.rows("UPDATE statements_of_reasons SET state = 'withdrawn', lease_token = NULL WHERE state IN ('draft', 'held')")


def towards(settings: Settings, database: Database, **changes: Any) -> Settings:
    """Settings of a sender to it."""
    return settings.model_copy(update={"dsa_url": database.url, "dsa_token": SecretStr(TOKEN), **changes})
