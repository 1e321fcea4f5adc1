"""The workers: what one process has, and how it meets the end of its engine. The process around them is `queue.worker_process`."""

import threading
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from celery.worker import state
from sqlalchemy import Engine

from worker.moderation.errors import EngineDiedError, TransientError
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.queue.explaining import Explainers, explain
from worker.queue.moderator import Moderator
from worker.queue.run_chunk import run_chunk

EXIT_CLEAN, EXIT_FAILURE = 0, 1
log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class JobWorker:
    """A worker without an engine: it makes explanations, one job after the other."""

    settings: Settings
    engine: Engine
    owner: str
    explainers: Explainers
    drain: threading.Event = field(default_factory=threading.Event)

    def explain(self, job_id: UUID) -> None:
        """Does an explanation job. An engine's death ends the process, for its supervisor to restart."""
        try:
            explain(job_id, self.explainers, drained=self.drain.is_set())
        except EngineDiedError as error:
            self.meet_death(error)
        except TransientError as error:
            log.warning("job_left", job_id=str(job_id), error=error.message, next="the dispatcher rings the job again")

    def meet_death(self, error: EngineDiedError) -> None:
        """Leaves, for the supervisor to start another process with another engine."""
        log.critical("engine_died", error=error.message, next="this process leaves; its supervisor restarts it")
        metrics.ENGINE_DEATHS.inc(not self.drain.is_set())  # every chunk in flight meets the one death
        self.leave(EXIT_FAILURE)

    def leave(self, exit_code: int) -> None:
        """Claims nothing more, finishes what is begun, and exits. The first exit code given stands."""
        self.drain.set()
        if state.should_stop is None:
            state.should_stop = exit_code  # type: ignore[assignment]  # Celery's main loop looks at it about every second

    def close(self) -> None:
        """Frees connections."""
        self.engine.dispose()


@dataclass(slots=True, kw_only=True)
class ScanWorker(JobWorker):
    """A worker with an engine: it judges chunks, and makes the explanations that ask the model."""

    moderator: Moderator

    def scan(self, chunk_id: int) -> None:
        """Judges and records what is pending in a chunk. An engine's death ends the process, for its supervisor to restart."""
        try:
            run_chunk(chunk_id, engine=self.engine, moderator=self.moderator, settings=self.settings, owner=self.owner, drain=self.drain)
        except EngineDiedError as error:
            self.meet_death(error)
        except TransientError as error:
            log.warning("chunk_left", chunk_id=chunk_id, error=error.message, next="the dispatcher rings the chunk again")

    def close(self) -> None:
        """Frees model and connections."""
        self.moderator.close()
        self.engine.dispose()
