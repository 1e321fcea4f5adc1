"""The process around the scan tasks: loads the model before the first message, drains on SIGTERM, leaves when the engine dies.

Signals: SIGTERM and SIGINT drain (images begun are finished and recorded, chunks handed back uncharged, exit 0); a repeated one
changes nothing, as the drain is bounded by the images in flight. SIGQUIT leaves at once, taking the engine's processes along;
leases expire by themselves. Celery's own cold shutdown is not used: its cancelling does not work with threads.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import psutil
import structlog
from celery import signals
from celery.utils.imports import symbol_by_name
from celery.worker import state
from sqlalchemy import Engine

from worker.moderation.errors import EngineDiedError, TransientError, ZoomInError
from worker.moderation.settings import Settings, load_settings
from worker.queue import metrics
from worker.queue.logs import configure_logs
from worker.queue.moderator import Moderator
from worker.queue.owners import is_gone, owner_name
from worker.queue.run_chunk import run_chunk
from worker.store.releases import ensure_release
from worker.store.session import connect, transaction
from worker.store.sweeps import leaseholders, void_leases

EXIT_CLEAN, EXIT_FAILURE = 0, 1
log = structlog.get_logger(__name__)


@dataclass(slots=True)
class ScanWorker:
    """One worker process: its model, its database, its name."""

    settings: Settings
    engine: Engine
    moderator: Moderator
    owner: str
    drain: threading.Event = field(default_factory=threading.Event)

    def scan(self, chunk_id: int) -> None:
        """Judges and records what is pending in a chunk. An engine's death ends the process, for its supervisor to restart."""
        try:
            run_chunk(chunk_id, engine=self.engine, moderator=self.moderator, settings=self.settings, owner=self.owner, drain=self.drain)
        except EngineDiedError as error:
            log.critical("engine_died", chunk_id=chunk_id, error=error.message, next="this process leaves; its supervisor restarts it")
            metrics.ENGINE_DEATHS.inc(not self.drain.is_set())  # every chunk in flight meets the one death
            self.leave(EXIT_FAILURE)
        except TransientError as error:
            log.warning("chunk_left", chunk_id=chunk_id, error=error.message, next="the dispatcher rings the chunk again")

    def leave(self, exit_code: int) -> None:
        """Claims nothing more, finishes what is begun, and exits. The first exit code given stands."""
        self.drain.set()
        if state.should_stop is None:
            state.should_stop = exit_code  # type: ignore[assignment]  # Celery's main loop looks at it about every second

    def close(self) -> None:
        """Frees model and connections."""
        self.moderator.close()
        self.engine.dispose()


_worker: ScanWorker | None = None


def current_worker() -> ScanWorker:
    """The worker of this process."""
    if _worker is None:
        raise RuntimeError("scan_chunk runs in a scan worker only: python -m celery -A worker worker -P threads -Q scan")
    return _worker


@signals.setup_logging.connect
def set_up_logging(**_: Any) -> None:
    """Keeps Celery from configuring logs itself."""
    configure_logs(load_settings().log_level)


@signals.worker_init.connect
def open_worker(sender: Any, **_: Any) -> None:
    """Loads everything before the first message is taken. Consuming waits for this."""
    global _worker  # noqa: PLW0603  one per process, and Celery's tasks can be handed nothing
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, _exit_while_loading)
    try:
        settings = load_settings()
        configure_logs(settings.log_level)
        owner = owner_name(os.getpid())
        engine = connect(settings, application=f"zoomin-worker {owner}")
        metrics.serve_metrics(settings.api_host, settings.metrics_port)
        build: Callable[[Settings], Moderator] = symbol_by_name(sender.app.conf.zoomin_moderator)
        moderator = build(settings)
        with transaction(engine) as session:
            ensure_release(session, moderator.release)
            void_leases(session, [other for other in leaseholders(session) if is_gone(other)])
    except ZoomInError as error:
        log.critical("worker_cannot_start", code=error.code, error=error.message)
        raise SystemExit(EXIT_FAILURE) from None
    except Exception as error:  # Celery swallows what a signal handler raises: the worker would eat messages without a model
        log.exception("worker_cannot_start", code="internal_error", error=type(error).__name__)
        raise SystemExit(EXIT_FAILURE) from None
    _worker = ScanWorker(settings, engine, moderator, owner)
    log.info("worker_loaded", owner=owner, release=moderator.release.id, training=moderator.release.training)


@signals.worker_ready.connect
def listen_to_signals(**_: Any) -> None:
    """Replaces Celery's signal handlers by this module's."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _drain_on_signal)
    signal.signal(signal.SIGQUIT, _abandon_on_signal)
    log.info("worker_ready")


@signals.worker_shutdown.connect
def close_worker(**_: Any) -> None:
    """Frees the engine once all chunks in flight have ended."""
    if _worker is not None:
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
