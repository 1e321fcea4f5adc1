"""Threads of a scan worker for the jobs that ask its model: what somebody waits for does not stand behind whole chunks.

Celery has as many threads as chunks may be in flight, and a chunk keeps one for minutes. So Celery takes chunks alone there, and these
threads listen to the jobs' queues, each on a connection of its own, one job at a time. What is not taken waits in Redis, for any worker.
"""

import threading
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from uuid import UUID

import structlog
from celery import Celery
from kombu import Message
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from worker.moderation.explanation_jobs import JobQueue

# By queue. A look that hangs is not to keep all others waiting; translations ask an endpoint, which may be slow for all of them.
THREADS: Mapping[JobQueue, int] = MappingProxyType({JobQueue.LOOKS: 2, JobQueue.TRANSLATIONS: 1})
POLL_SECONDS = 1.0  # how soon a drain is noticed
RETRY_SECONDS = 2.0  # after Redis could not be reached
log = structlog.get_logger(__name__)


class JobThreads:
    """From `start` until `drain` is set: what is begun by then is finished, as `close` waits to see."""

    def __init__(self, app: Celery, queues: Collection[JobQueue], work: Callable[[UUID], None], drain: threading.Event) -> None:
        self._app = app
        self._work = work
        self._drain = drain
        self._threads = [
            threading.Thread(target=self._listen, args=(queue,), name=f"{queue} {number}", daemon=True)
            for queue in queues
            for number in range(1, THREADS[queue] + 1)
        ]

    def start(self) -> None:
        """Begins to listen."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Returns when the last job is done. `drain` is set before."""
        for thread in self._threads:
            if thread.is_alive():
                thread.join()

    def _listen(self, queue: JobQueue) -> None:
        while not self._drain.is_set():
            try:
                self._answer(queue)
            except (KombuError, RedisError, OSError) as error:
                log.warning("jobs_unheard", queue=queue.value, error=type(error).__name__, next=f"listening again in {RETRY_SECONDS:g} s")
                self._drain.wait(RETRY_SECONDS)
            except Exception:  # a thread that ends would never be missed
                log.exception("job_thread_met_a_bug", queue=queue.value, next=f"listening again in {RETRY_SECONDS:g} s")
                self._drain.wait(RETRY_SECONDS)

    def _answer(self, queue: JobQueue) -> None:
        declared = self._app.amqp.queues[queue.value]
        with self._app.connection_for_read() as connection, connection.SimpleQueue(declared) as bell:  # type: ignore[arg-type]  # a queue, too
            bell.consumer.qos(prefetch_count=1)
            while not self._drain.is_set():
                try:
                    message = bell.get(timeout=POLL_SECONDS)
                except bell.Empty:
                    continue
                self._do(message)
                message.ack()

    def _do(self, message: Message) -> None:
        try:
            (job_id,), *_ = message.payload  # Celery's protocol: positional arguments, named ones, and what is embedded
            self._work(UUID(job_id))
        except Exception:  # the thread lives on; the job's lease or announcement runs out, and it is rung again
            log.exception("job_message_met_a_bug")
