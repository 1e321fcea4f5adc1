"""Retention while the dispatcher runs, on a thread of its own: a full run once a day, and every minute what was just erased.

The dispatcher is the one process that runs anyway, has S3 at hand for the seals, and may be slow here without keeping anybody waiting.
"""

import threading
import time
from dataclasses import asdict

import structlog
from sqlalchemy import Engine

from worker.intake.storage import Storage
from worker.moderation.errors import ZoomInError
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.retention.run import remove_let_go, run_retention
from worker.store.retention_lock import leading_retention

FIRST_RUN_SECONDS = 60.0  # after the start: one that keeps ending does not list the bucket each time
PAUSE_SECONDS = 60.0  # between looks for erased images' objects
END_SECONDS = 3.0  # that a stopping dispatcher waits for a page under way; it is safe to break off
ACTOR = "retention"
log = structlog.get_logger(__name__)


class Retainer:
    """Runs retention every `retention_seconds`, through outages. Of several dispatchers' one at a time does; two would be harmless."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="retention", daemon=True)
        self._works = True

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends, within END_SECONDS."""
        self._stop.set()
        self._thread.join(END_SECONDS)

    def turn(self, storage: Storage, *, whole: bool) -> None:
        """A whole run, or only what was erased. What goes wrong is logged, once until it works again."""
        try:
            with leading_retention(self._engine) as leads:
                if not leads:
                    return
                if whole:
                    report = run_retention(self._engine, storage, self._settings.evidence_bucket, actor=ACTOR)
                    log.info("retention_ran", **asdict(report))
                    refused = report.refused
                else:
                    refused = remove_let_go(self._engine, storage, actor=ACTOR).refused
        except ZoomInError as error:
            if self._works:
                log.warning("retention_waits", code=error.code, error=error.message, next="trying again; nothing is lost meanwhile")
            self._works = False
            metrics.RETENTION_FAILURES.inc()
            return
        self._works = True
        metrics.RETENTION_REFUSED.set(refused)

    def _run(self) -> None:
        storage: Storage | None = None
        due = time.monotonic() + min(FIRST_RUN_SECONDS, self._settings.retention_seconds)
        pause = min(PAUSE_SECONDS, self._settings.retention_seconds)
        while not self._stop.wait(pause):
            whole = time.monotonic() >= due
            try:
                storage = storage or Storage(self._settings)
                self.turn(storage, whole=whole)
            except Exception:
                log.exception("retention_failed", next=f"trying again in {pause:g} s")
            if whole:
                due = time.monotonic() + self._settings.retention_seconds
