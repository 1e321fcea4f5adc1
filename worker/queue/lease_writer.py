"""Writes outcomes under a lease and keeps the lease alive, from the one thread that sees outcomes arrive."""

import time
from collections.abc import Callable
from typing import TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from worker.moderation.errors import TransientError
from worker.moderation.outcomes import Outcome
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.store.chunks import Lease, Tally, renew
from worker.store.models.intake import BatchState
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.session import transaction

WRITE_OUTCOMES = 200  # at most this many per transaction
WRITE_SECONDS = 1.0  # between transactions, so that no outcome waits longer; a chunk's first does not wait at all
FIRST_PAUSE_SECONDS = 0.2  # before a failed write is tried again; doubles
LONGEST_PAUSE_SECONDS = 5.0
Result = TypeVar("Result")
log = structlog.get_logger(__name__)


class LeaseWriter:
    """Outcomes of one chunk on their way to Postgres. Raises FencedError as soon as a statement finds the lease lost."""

    def __init__(self, engine: Engine, lease: Lease, judgement: Judgement, settings: Settings) -> None:
        self._engine = engine
        self._lease = lease
        self._judgement = judgement
        self._lease_seconds = settings.lease_seconds
        self._heartbeat_seconds = settings.heartbeat_seconds
        self._held_since = time.monotonic()  # local, for waiting only: whether the lease is lost, Postgres decides
        self._waiting: list[Outcome] = []
        self._wrote_at = float("-inf")
        self.batch_state = BatchState.RUNNING
        self.tally = Tally()
        self.duplicates = 0
        self.unkept = 0

    @property
    def waiting(self) -> int:
        """Outcomes not written yet."""
        return len(self._waiting)

    def add(self, outcome: Outcome) -> None:
        """Takes an outcome; it is written by the next `keep_up` that finds it due."""
        self._waiting.append(outcome)

    def keep_up(self) -> None:
        """Writes what is due, renews the lease when that is due. Call at least every second. Raises FencedError, TransientError."""
        now = time.monotonic()
        if self._waiting and (len(self._waiting) >= WRITE_OUTCOMES or now - self._wrote_at >= WRITE_SECONDS):
            self.flush()
        if now - self._held_since >= self._heartbeat_seconds:
            began = time.monotonic()
            self.batch_state = self.persist(lambda session: renew(session, self._lease, self._lease_seconds))
            self._held_since = began

    def flush(self) -> None:
        """Writes all that waits. Raises FencedError, TransientError."""
        self._wrote_at = time.monotonic()
        while self._waiting:
            part = self._waiting[:WRITE_OUTCOMES]
            recorded = self.persist(lambda session, part=part: record_outcomes(session, self._lease, part, self._judgement))  # type: ignore[misc]
            del self._waiting[: len(part)]
            self.batch_state = recorded.batch_state
            self.tally += recorded.tally
            self.duplicates += recorded.duplicates
            self.unkept += recorded.unkept
            metrics.count_written(part, recorded.tally, recorded.duplicates)

    def persist(self, write: Callable[[Session], Result]) -> Result:
        """One transaction, tried again while Postgres is away and the lease may still be ours; then gives up: TransientError.

        A commit whose answer was lost may have happened. Trying again is safe: outcomes are inserted once, leases checked first.
        """
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                with transaction(self._engine) as session:
                    return write(session)
            except TransientError as error:
                left = self._held_since + self._lease_seconds - time.monotonic()
                if left <= pause:
                    raise
                log.warning("write_waits", error=error.message, next_try_seconds=pause, lease_seconds_left=round(left))
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
