"""Sealing the audit chain while the dispatcher runs, on a thread of its own: a silent S3 must not keep chunks waiting."""

import threading

import structlog
from sqlalchemy import Engine

from worker.audit.seals import export_seal
from worker.intake.storage import Storage
from worker.moderation.errors import ZoomInError
from worker.moderation.settings import Settings
from worker.queue import metrics

LONGEST_PAUSE_SECONDS = 60.0  # between looks at whether a seal is due
END_SECONDS = 3.0  # that a stopping dispatcher waits for a seal under way; it is safe to break off
log = structlog.get_logger(__name__)


class Sealer:
    """Seals whenever an event has been unsealed for `seal_seconds`, through outages. Any number may run: a seal is made once."""

    def __init__(self, settings: Settings, engine: Engine) -> None:
        self._settings = settings
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sealer", daemon=True)
        self._works = True

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends, within END_SECONDS."""
        self._stop.set()
        self._thread.join(END_SECONDS)

    def seal(self, storage: Storage) -> bool:
        """Makes a seal if one is due: whether one was made. What goes wrong is logged, once until it works again."""
        try:
            head = export_seal(self._engine, storage, self._settings.evidence_bucket, older_than_seconds=self._settings.seal_seconds)
        except ZoomInError as error:
            if self._works:
                log.warning("audit_not_sealed", code=error.code, error=error.message, next="trying again; events are recorded meanwhile")
            self._works = False
            metrics.SEAL_FAILURES.inc()
            return False
        self._works = True
        if head is not None:
            metrics.SEALED_EVENTS.set(head.events)
            log.info("audit_sealed", link=head.link, events=head.events)
        return head is not None

    def _run(self) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, self._settings.seal_seconds / 4)
        storage: Storage | None = None
        while not self._stop.is_set():
            try:
                storage = storage or Storage(self._settings)
                self.seal(storage)
            except Exception:
                log.exception("sealer_failed", next=f"trying again in {pause:g} s")
            self._stop.wait(pause)
