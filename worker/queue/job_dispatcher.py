"""What the dispatcher does for explanation jobs: announces them, a few ahead of their workers, and repairs what was lost."""

from uuid import UUID

import structlog
from sqlalchemy import Engine

from worker.moderation.errors import TransientError
from worker.moderation.explanation_jobs import QUEUES, JobQueue
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.queue.doorbell import Doorbell
from worker.store.explanation_queue import announce_jobs, expire_jobs, job_demand, job_flights, rering_jobs, unring_jobs
from worker.store.session import transaction

log = structlog.get_logger(__name__)


class JobDispatcher:
    """Every step is a transaction of its own, safe to repeat and to be killed in."""

    def __init__(self, settings: Settings, engine: Engine, doorbell: Doorbell, *, actor: str) -> None:
        self._settings = settings
        self._engine = engine
        self._doorbell = doorbell
        self._actor = actor

    def turn(self) -> None:
        """Announces what workers have room for, each kind by itself: one that nobody works on holds up no other."""
        with transaction(self._engine) as session:
            flights = job_flights(session)
        for flight in flights:
            room = self._settings.announce_ahead * max(flight.runners, 1) - flight.announced
            with transaction(self._engine) as session:
                job_ids = announce_jobs(session, flight.kind, room)
            self._ring(QUEUES[flight.kind], job_ids)  # after the commit: a worker that is faster would find nothing to claim

    def sweep(self) -> None:
        """Repairs expired leases, and announcements that nobody answered. Shows how many wait: that counts them all, so not every turn."""
        with transaction(self._engine) as session:
            expired = expire_jobs(session, max_attempts=self._settings.max_attempts, actor=self._actor)
        with transaction(self._engine) as session:
            rerung = rering_jobs(session, self._settings.announce_timeout_seconds, actor=self._actor)
        with transaction(self._engine) as session:
            metrics.show_jobs(job_demand(session))
        if expired or rerung:
            log.info("jobs_swept", expired=expired, rerung=rerung, next="announced again, or failed when out of attempts")

    def _ring(self, queue: JobQueue, job_ids: list[UUID]) -> None:
        if not job_ids:
            return
        try:
            rung = self._doorbell.ring_jobs(queue, job_ids)
        except TransientError as error:
            log.warning("jobs_not_rung", queue=queue.value, error=error.message, next="they wait in Postgres; trying again every turn")
            rung = 0
        if unheard := job_ids[rung:]:
            with transaction(self._engine) as session:
                unring_jobs(session, unheard)
