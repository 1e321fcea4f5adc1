"""The intake worker: reads the sources of accepted batches, one at a time per process. Any number may run.

A process of its own, not a thread of the dispatcher: parsing a million rows keeps a core and the interpreter's lock busy, and the
dispatcher, which must stay prompt, needs no access to S3 at all.
"""

import threading

import structlog

from worker.intake.background import BackgroundIntake
from worker.intake.storage import Storage
from worker.moderation.errors import TransientError
from worker.moderation.settings import Settings
from worker.queue.owners import is_gone, owner_name
from worker.store.intakes import end_closed_intakes, intake_readers, void_intakes
from worker.store.session import connect, transaction

RETRY_SECONDS = 2.0  # after Postgres could not be reached
log = structlog.get_logger(__name__)


def run_intake(settings: Settings, stop: threading.Event, *, pid: int) -> None:
    """Reads until `stop` is set, through outages; a slice being written is finished. Raises MisconfiguredError at the start."""
    engine = connect(settings.require("s3_endpoint"), application="zoomin-intake-worker")
    intake = BackgroundIntake(settings, engine, Storage(settings), owner_name(pid), stop)
    reachable = True
    log.info("intake_waits", owner=intake.owner)
    try:
        while not stop.is_set():
            try:
                pause = settings.intake_poll_seconds if _turn(intake) else 0.0
                reachable = True
            except TransientError as error:
                if reachable:
                    log.warning("intake_waits_for_postgres", error=error.message, next=f"trying again every {RETRY_SECONDS:g} s")
                reachable, pause = False, RETRY_SECONDS
            except Exception:
                log.exception("intake_failed", next="tried again, then the batch ends with a row error")
                pause = settings.intake_poll_seconds
            stop.wait(pause)
    finally:
        engine.dispose()


def _turn(intake: BackgroundIntake) -> bool:
    """Whether nothing is left to read."""
    with transaction(intake.engine) as session:
        # A restarted process goes on at once where its dead predecessor stopped, instead of waiting for the lease to run out.
        void_intakes(session, [owner for owner in intake_readers(session) if is_gone(owner)])
        end_closed_intakes(session)
    batch_id = intake.receive_next()
    if batch_id is not None:
        log.info("source_read", batch_id=str(batch_id))
    return batch_id is None
