"""The doorbell: puts ids of chunks and jobs into Redis. Every call is bounded by the socket time-outs of `queue.configuration`."""

from collections.abc import Sequence
from uuid import UUID

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from worker.moderation.errors import TransientError
from worker.moderation.explanation_jobs import JobQueue
from worker.moderation.settings import Settings
from worker.queue.configuration import QUEUE, celery_configuration


class Doorbell:
    """Announces chunks and jobs to the workers."""

    def __init__(self, settings: Settings) -> None:
        self._app = Celery("zoomin", set_as_current=False)
        self._app.conf.update(celery_configuration(settings))

    def ring(self, chunk_ids: Sequence[int]) -> int:
        """Publishes the ids in order; stops at the first failure. How many were published, and TransientError when none could be."""
        return self._publish("scan_chunk", QUEUE, chunk_ids)

    def ring_jobs(self, queue: JobQueue, job_ids: Sequence[UUID]) -> int:
        """As `ring`, for explanation jobs."""
        return self._publish("explain", queue.value, [str(job_id) for job_id in job_ids])

    def _publish(self, task: str, queue: str, ids: Sequence[int] | Sequence[str]) -> int:
        rung = 0
        try:
            for identifier in ids:
                self._app.send_task(task, args=[identifier], queue=queue)
                rung += 1
        except (OperationalError, RedisError, OSError) as error:
            if rung == 0:
                raise TransientError("broker_unavailable", f"Redis cannot be reached: {type(error).__name__}") from error
        return rung

    def close(self) -> None:
        """Closes the connections."""
        self._app.close()
