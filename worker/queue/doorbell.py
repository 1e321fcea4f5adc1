"""The doorbell: puts chunk ids into Redis. Every call is bounded by the socket time-outs of `queue.configuration`."""

from collections.abc import Sequence

from celery import Celery
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from worker.moderation.errors import TransientError
from worker.moderation.settings import Settings
from worker.queue.configuration import QUEUE, celery_configuration


class Doorbell:
    """Announces chunks to the workers."""

    def __init__(self, settings: Settings) -> None:
        self._app = Celery("zoomin", set_as_current=False)
        self._app.conf.update(celery_configuration(settings))

    def ring(self, chunk_ids: Sequence[int]) -> int:
        """Publishes the ids in order; stops at the first failure. How many were published, and TransientError when none could be."""
        rung = 0
        try:
            for chunk_id in chunk_ids:
                self._app.send_task("scan_chunk", args=[chunk_id], queue=QUEUE)
                rung += 1
        except (OperationalError, RedisError, OSError) as error:
            if rung == 0:
                raise TransientError("broker_unavailable", f"Redis cannot be reached: {type(error).__name__}") from error
        return rung

    def close(self) -> None:
        """Closes the connections."""
        self._app.close()
