"""The dispatcher: announces chunks fairly and just in time, and repairs what was lost.

A plain loop: it mends the doorbell, so it cannot depend on it. Any number may run; one leads, the others stand by. Two leading at
once would be harmless, only wasteful.
"""

import threading
import time

import structlog
from sqlalchemy import Engine

from worker.moderation.errors import TransientError
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.queue.concluding import conclude_answers
from worker.queue.doorbell import Doorbell
from worker.queue.job_dispatcher import JobDispatcher
from worker.queue.retaining import Retainer
from worker.queue.sealing import Sealer
from worker.store.announcements import announce, demand, rering, unring
from worker.store.leadership import Listener, open_listener
from worker.store.outbox import oldest_unsent
from worker.store.review_queues import review_demand
from worker.store.session import connect, transaction
from worker.store.settlement import SLICE, finish_batches, settle_cancelled
from worker.store.sweeps import expire_leases, split_or_fail

POLL_SECONDS = 1.0  # LISTEN is the fast path; this bounds what a lost notification costs
RETRY_SECONDS = 2.0  # after Postgres could not be reached
ACTOR = "dispatcher"
log = structlog.get_logger(__name__)


def run_dispatcher(settings: Settings, stop: threading.Event) -> None:
    """Dispatches until `stop` is set, through outages of Postgres, Redis and S3. Raises MisconfiguredError at the start."""
    engine = connect(settings, application="zoomin-dispatcher")
    doorbell = Doorbell(settings)
    # On one machine the configured port is the scan worker's; in production each process has an address of its own.
    server = metrics.serve_metrics(settings.api_host, settings.dispatcher_metrics_port)
    sealer = Sealer(settings, engine)
    sealer.start()
    retainer = Retainer(settings, engine)
    retainer.start()
    reachable = True
    try:
        while not stop.is_set():
            try:
                with open_listener(engine) as listener:
                    reachable = True
                    _stand_by(listener, stop)
                    Dispatcher(settings, engine, doorbell).lead(listener, stop)
            except TransientError as error:
                if reachable:
                    log.warning("dispatcher_waits", error=error.message, next=f"trying again every {RETRY_SECONDS:g} s")
                reachable = False
                stop.wait(RETRY_SECONDS)
    finally:
        retainer.close()
        sealer.close()
        server.close()
        doorbell.close()
        engine.dispose()


def _stand_by(listener: Listener, stop: threading.Event) -> None:
    told = False
    while not stop.is_set() and not listener.try_lead():
        if not told:
            log.info("dispatcher_stands_by", next="leads as soon as the present leader is gone")
        told = True
        stop.wait(POLL_SECONDS)


class Dispatcher:
    """The leader's work, turn by turn. Every step is a transaction of its own, safe to repeat and to be killed in."""

    def __init__(self, settings: Settings, engine: Engine, doorbell: Doorbell) -> None:
        self._settings = settings
        self._engine = engine
        self._doorbell = doorbell
        self._doorbell_works = True
        self._swept_at = float("-inf")
        self._jobs = JobDispatcher(settings, engine, doorbell, actor=ACTOR)
        self._concluded = 0  # answers to tasks up to this one had their turn

    def lead(self, listener: Listener, stop: threading.Event) -> None:
        """Takes turns, one per change heard of, at least one per poll. Raises TransientError when Postgres goes away."""
        if stop.is_set():
            return
        listener.listen()
        log.info("dispatcher_leads")
        while not stop.is_set():
            if time.monotonic() - self._swept_at >= self._settings.sweep_seconds:
                self.sweep()
                self._swept_at = time.monotonic()
            more = self.turn()
            if not more:
                listener.wait(min(POLL_SECONDS, self._settings.sweep_seconds))

    def turn(self) -> bool:
        """Ends what is over, announces what workers have room for: whether cancelled chunks may be left to settle."""
        with transaction(self._engine) as session:
            settled = settle_cancelled(session, actor=ACTOR)
        with transaction(self._engine) as session:
            for batch_id in finish_batches(session, actor=ACTOR):
                log.info("batch_ended", batch_id=str(batch_id))
        with transaction(self._engine) as session:
            queue = demand(session)
            room = self._settings.announce_ahead * max(queue.workers, 1) - queue.announced
            chunk_ids = announce(session, room, max_attempts=self._settings.max_attempts)
        metrics.show_demand(queue)
        # Ring after the commit: a worker that is faster than the commit would find nothing to claim. A crash in between leaves
        # chunks announced that nobody has heard of; `rering` finds them.
        self._ring(chunk_ids)
        self._jobs.turn()
        # Last: workers do not wait for what people said.
        self._concluded = conclude_answers(self._engine, actor=ACTOR, after=self._concluded)
        metrics.IMAGES.labels("cancelled").inc(settled.items)
        return settled.chunks == SLICE

    def sweep(self) -> None:
        """Repairs: expired leases, announcements that nobody answered, chunks that keep dying. Looks at the review queues beside."""
        attempts = self._settings.max_attempts
        with transaction(self._engine) as session:
            expired = expire_leases(session, max_attempts=attempts)
        with transaction(self._engine) as session:
            rerung = rering(session, self._settings.announce_timeout_seconds)
        with transaction(self._engine) as session:
            bisection = split_or_fail(session, max_attempts=attempts, actor=ACTOR)
        self._jobs.sweep()
        with transaction(self._engine) as session:
            waiting, oldest_event = review_demand(session), oldest_unsent(session)
        metrics.show_reviews(waiting)
        metrics.OLDEST_EVENT.set(oldest_event)
        metrics.LEASES_EXPIRED.inc(expired)
        metrics.RERUNG.inc(rerung)
        metrics.SPLIT.inc(bisection.split)
        metrics.IMAGES.labels("failed").inc(bisection.failed)
        if expired or rerung or bisection.split or bisection.failed:
            log.info("swept", expired=expired, rerung=rerung, split=bisection.split, failed=bisection.failed, next="announced again")

    def _ring(self, chunk_ids: list[int]) -> None:
        if not chunk_ids:
            return
        try:
            rung = self._doorbell.ring(chunk_ids)
        except TransientError as error:
            self._say_doorbell(works=False, error=error.message)
            rung = 0
        else:
            self._say_doorbell(works=True)
        metrics.ANNOUNCED.inc(rung)
        if unheard := chunk_ids[rung:]:
            with transaction(self._engine) as session:
                unring(session, unheard)

    def _say_doorbell(self, *, works: bool, error: str | None = None) -> None:
        """Once per change of state, not once per turn."""
        if works != self._doorbell_works:
            if works:
                log.info("doorbell_works_again")
            else:
                log.warning("doorbell_broken", error=error, next="chunks wait in Postgres; trying again every turn")
        self._doorbell_works = works
