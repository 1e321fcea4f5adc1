"""A database and a bucket whose audit trail a test may tamper with: as the application, as the tables' owner, as superuser."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import uuid4

from pydantic import SecretStr
from sqlalchemy import CursorResult, Engine, create_engine, text
from sqlalchemy.pool import NullPool

from worker.audit.check import check_trail
from worker.intake.storage import Storage
from worker.local import postgres
from worker.local.services import Services
from worker.moderation.audit_chain import Break, Verification
from worker.moderation.settings import Settings
from worker.store import audit
from worker.store.session import connect, transaction

TABLES = ("audit_events", "audit_links", "audit_seals")
TRIGGERS = text("SELECT tgrelid::regclass::text, tgname FROM pg_trigger WHERE tgrelid::regclass::text LIKE 'audit_%'")


@dataclass(frozen=True)
class Trail:
    """Three ways in, and what was found in the end."""

    app: Engine
    owner: Engine
    superuser: Engine
    storage: Storage
    settings: Settings

    def record(self, *commits: int) -> None:
        """Transactions with so many events each."""
        for number in commits:
            with transaction(self.app) as session:
                for place in range(number):
                    audit.record(session, actor="test", action="test.done", ordinal=place, detail={"said": "ü", "count": place})

    def tamper(self, *statements: str) -> None:
        """As superuser, with every trigger off. What the application cannot do, somebody always can."""
        with self.superuser.begin() as connection:
            for table in TABLES:
                connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            for statement in statements:
                connection.execute(text(statement))
            for table, trigger in connection.execute(TRIGGERS).all():
                connection.execute(text(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}"))

    def rows(self, query: str) -> Sequence[Any]:
        """As the application."""
        with self.app.begin() as connection:
            result = cast("CursorResult[Any]", connection.execute(text(query)))
            return result.all() if result.returns_rows else []

    def check(self, *, from_seals: bool = False, watch: Callable[[int], None] = lambda _: None) -> Verification:
        """The trail's verification, as the application."""
        return check_trail(self.app, self.storage, self.settings.evidence_bucket, from_seals=from_seals, watch=watch)

    def broken(self) -> tuple[str, int | None, int | None]:
        """The first break's code, link and event."""
        found = self.check().broken
        assert isinstance(found, Break)
        return found.code, found.link, found.event


@contextmanager
def a_trail(services: Services) -> Iterator[Trail]:
    """A migrated database of its own, and a bucket of its own for the seals."""
    database = f"audit_{uuid4().hex[:8]}"
    postgres.copy_database(services.layout, postgres.DATABASE, database)
    login, owner, superuser = (
        postgres.url(services.layout, role, database) for role in (postgres.LOGIN, postgres.OWNER, postgres.SUPERUSER)
    )
    settings = services.settings.model_copy(
        update={"database_url": SecretStr(login), "owner_url": SecretStr(owner), "evidence_bucket": f"evidence-{uuid4().hex[:8]}"}
    )
    storage = Storage(settings)
    storage.ensure_bucket(settings.evidence_bucket)
    app = connect(settings, application="zoomin-test")
    yield Trail(app, create_engine(owner, poolclass=NullPool), create_engine(superuser, poolclass=NullPool), storage, settings)
    app.dispose()
    postgres.drop_database(services.layout, database)
