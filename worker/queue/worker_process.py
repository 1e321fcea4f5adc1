"""The process around the tasks: opens what its queues need before the first message, drains on SIGTERM, leaves when the engine dies.

Signals: SIGTERM and SIGINT drain (images begun are finished and recorded, chunks handed back uncharged, exit 0); a repeated one
changes nothing, as the drain is bounded by the images in flight. SIGQUIT leaves at once, taking the engine's processes along;
leases expire by themselves. Celery's own cold shutdown is not used: its cancelling does not work with threads.
"""

import os
import signal
import sys
from collections.abc import Collection
from types import FrameType
from typing import Any

import psutil
import structlog
from celery import Celery, signals
from celery.utils.imports import symbol_by_name

from worker.moderation.errors import ZoomInError
from worker.moderation.explanation_jobs import QUEUES
from worker.moderation.settings import Settings, load_settings
from worker.queue import metrics
from worker.queue.configuration import QUEUE
from worker.queue.explaining import Bench, Explainers
from worker.queue.job_threads import THREADS, JobThreads
from worker.queue.logs import configure_logs
from worker.queue.moderator import Moderator
from worker.queue.owners import is_gone, owner_name
from worker.queue.workers import EXIT_CLEAN, EXIT_FAILURE, JobWorker, ScanWorker
from worker.store.explanation_queue import job_leaseholders, void_job_leases
from worker.store.releases import ensure_release
from worker.store.session import connect, transaction
from worker.store.sweeps import leaseholders, void_leases

log = structlog.get_logger(__name__)

_worker: JobWorker | None = None
_job_threads: JobThreads | None = None  # of a scan worker


def current_worker() -> JobWorker:
    """The worker of this process."""
    if _worker is None:
        raise RuntimeError("tasks run in a worker only: python -m celery -A worker worker -P threads -Q scan,looks,translations")
    return _worker


def scan_worker() -> ScanWorker:
    """The worker of this process, which consumes `scan` and so has an engine."""
    worker = current_worker()
    if not isinstance(worker, ScanWorker):
        raise TypeError("scan_chunk is rung on the queue `scan` only")
    return worker


@signals.setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Keeps Celery from configuring logs itself."""
    configure_logs(load_settings().log_level)


@signals.worker_init.connect
def open_worker(sender: Any, **_: Any) -> None:
    """Loads everything before the first message is taken. Consuming waits for this."""
    global _worker, _job_threads  # noqa: PLW0603  one per process, and Celery's tasks can be handed nothing
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, _exit_while_loading)
    try:
        settings = load_settings()
        configure_logs(settings.log_level)
        queues = frozenset(sender.app.amqp.queues.consume_from)
        _worker = _open(settings, sender.app, queues)
        if isinstance(_worker, ScanWorker):
            beside = [queue for queue in THREADS if queue in queues]
            sender.app.amqp.queues.deselect([queue.value for queue in beside])
            _job_threads = JobThreads(sender.app, beside, _worker.explain, _worker.drain)
    except ZoomInError as error:
        log.critical("worker_cannot_start", code=error.code, error=error.message)
        raise SystemExit(EXIT_FAILURE) from None
    except Exception as error:  # Celery swallows what a signal handler raises: the worker would eat messages without a model
        log.exception("worker_cannot_start", code="internal_error", error=type(error).__name__)
        raise SystemExit(EXIT_FAILURE) from None


def _open(settings: Settings, app: Celery, queues: Collection[str]) -> JobWorker:
    """A scan worker where `scan` is consumed, else one for explanations alone. Raises MisconfiguredError, TransientError."""
    owner, scans = owner_name(os.getpid()), QUEUE in queues
    engine = connect(settings, application=f"{'zoomin-worker' if scans else 'zoomin-explainer'} {owner}")
    metrics.serve_metrics(settings.api_host, settings.metrics_port if scans else settings.attention_metrics_port)
    moderator: Moderator | None = symbol_by_name(app.conf.zoomin_moderator)(settings) if scans else None
    bench = Bench(settings=settings, engine=engine, owner=owner, moderator=moderator)
    builders = {kind: symbol_by_name(path) for kind, path in app.conf.zoomin_explainers.items() if QUEUES[kind] in queues}
    explainers = Explainers(bench, {kind: build(bench) for kind, build in builders.items()})
    with transaction(engine) as session:
        void_leases(session, [other for other in leaseholders(session) if is_gone(other)])
        void_job_leases(session, [other for other in job_leaseholders(session) if is_gone(other)])
        if moderator is not None:
            ensure_release(session, moderator.release)
    if moderator is None:
        log.info("worker_loaded", owner=owner, explains=sorted(explainers.runners))
        return JobWorker(settings=settings, engine=engine, owner=owner, explainers=explainers)
    log.info("worker_loaded", owner=owner, release=moderator.release.id, training=moderator.release.training)
    return ScanWorker(settings=settings, engine=engine, owner=owner, explainers=explainers, moderator=moderator)


@signals.worker_ready.connect
def listen_to_signals(**_: Any) -> None:
    """Replaces Celery's signal handlers by this module's."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _drain_on_signal)
    signal.signal(signal.SIGQUIT, _abandon_on_signal)
    if _job_threads is not None:
        _job_threads.start()
    log.info("worker_ready")


@signals.worker_shutdown.connect
def close_worker(**_: Any) -> None:
    """Frees the engine once all chunks and jobs in flight have ended."""
    if _worker is not None:
        _worker.drain.set()
        if _job_threads is not None:
            _job_threads.close()
        _worker.close()
    log.info("worker_left")


def _exit_while_loading(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)  # nothing is claimed yet; exiting in order takes half-started engine processes along


def _drain_on_signal(_number: int, _frame: FrameType | None) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)  # a Python handler is gone while the interpreter shuts down: a repeat would kill then
    current_worker().leave(EXIT_CLEAN)


def _abandon_on_signal(_number: int, _frame: FrameType | None) -> None:
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(EXIT_FAILURE)
