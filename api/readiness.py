"""What the API needs, and what the pipeline behind it needs, each looked at with a hard time-out."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from alembic.script import ScriptDirectory
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from worker.intake.storage import Storage
from worker.moderation.errors import ZoomInError
from worker.store import migrate

log = logging.getLogger(__name__)

CHECK_SECONDS = 3.0  # a probe that waits longer is no probe; the connections' own time-outs end the thread later
FRESH_SECONDS = 1.0  # anybody may ask: however often, each service is asked once a second
CONNECTED = text(
    "SELECT count(DISTINCT application_name) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE :name"
)


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. `needed`: the API itself cannot answer without it. `detail` is fixed text: it reaches strangers."""

    ok: bool
    detail: str
    needed: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All checks by name."""

    checks: dict[str, Check]

    @property
    def ready(self) -> bool:
        """Whether the API can do its own work."""
        return all(check.ok for check in self.checks.values() if check.needed)


class Readiness:
    """Asks Postgres and S3. Knows nothing of Redis: the API only writes rows, and the dispatcher survives a Redis that is down."""

    def __init__(self, engine: Engine, storage: Storage, bucket: str) -> None:
        self._engine = engine
        self._storage = storage
        self._bucket = bucket
        self._lock = asyncio.Lock()
        self._report: Report | None = None
        self._looked_at = 0.0

    async def look(self) -> Report:
        """The state of things, at most FRESH_SECONDS old; within about CHECK_SECONDS."""
        async with self._lock:
            if self._report is None or time.monotonic() - self._looked_at > FRESH_SECONDS:
                found = await asyncio.gather(
                    _within("database", self._database, "Postgres does not answer.", needed=True),
                    _within("schema", self._schema, "The schema is not at this release's revision: run `zoomin db upgrade`.", needed=True),
                    _within("storage", self._bucket_readable, "The evidence bucket cannot be read.", needed=True),
                    _within("dispatcher", self._dispatcher, "No dispatcher is connected: batches are accepted and wait.", needed=False),
                    _within("intake", self._intake, "No intake worker is connected: sources are accepted and wait.", needed=False),
                    _within("webhooks", self._webhooks, "No webhook sender is connected: events wait.", needed=False),
                    _within("attention", self._attention, "No attention worker is connected: attention maps wait.", needed=False),
                    _within("worker", self._worker, "No scan worker has its model loaded: batches are accepted and wait.", needed=False),
                )
                self._report = Report(dict(found))
                self._looked_at = time.monotonic()
            return self._report

    def _database(self) -> bool:
        with self._engine.connect() as connection:
            return bool(connection.execute(text("SELECT 1")).scalar_one())

    def _schema(self) -> bool:
        return not _is_behind(migrate.current(self._engine))

    def _bucket_readable(self) -> bool:
        self._storage.check_readable(self._bucket)
        return True

    def _dispatcher(self) -> bool:
        return self._connected("zoomin-dispatcher%")

    def _intake(self) -> bool:
        return self._connected("zoomin-intake-worker%")

    def _webhooks(self) -> bool:
        return self._connected("zoomin-webhooks%")

    def _attention(self) -> bool:
        return self._connected("zoomin-explainer%")

    def _worker(self) -> bool:
        return self._connected("zoomin-worker%")  # a worker connects once its model is loaded

    def _connected(self, name: str) -> bool:
        with self._engine.connect() as connection:
            return int(connection.execute(CONNECTED, {"name": name}).scalar_one()) > 0


async def _within(name: str, look: Callable[[], bool], complaint: str, *, needed: bool) -> tuple[str, Check]:
    try:
        ok = await asyncio.wait_for(asyncio.to_thread(look), CHECK_SECONDS)
    except (ZoomInError, SQLAlchemyError, TimeoutError) as error:
        log.warning("readiness: %s failed: %s", name, error or "timed out")
        ok = False
    return name, Check(ok=ok, detail="ok" if ok else complaint, needed=needed)


def _is_behind(revision: str | None) -> bool:
    """Whether the database lacks a migration of ours. One that is ahead is fine: it is migrated before the processes are replaced."""
    head, known = _revisions()
    return revision is None or (revision != head and revision in known)


@cache
def _revisions() -> tuple[str | None, frozenset[str]]:
    scripts = ScriptDirectory.from_config(migrate.configuration(""))
    return scripts.get_current_head(), frozenset(script.revision for script in scripts.walk_revisions())
