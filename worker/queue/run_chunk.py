"""What a worker does with a chunk: claim it, judge its pending images, record their outcomes, complete it. Free of Celery."""

import threading
import time

import structlog
from sqlalchemy import Engine

from worker.moderation.errors import EngineDiedError, FencedError, MisconfiguredError, ZoomInError
from worker.moderation.outcomes import ItemReference
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.queue.checking import nothing_wanted, wanted_of
from worker.queue.chunk_endings import conclude, decline, discard, give_back, release_suspect
from worker.queue.chunk_work import ChunkReport, ChunkWork, Ending
from worker.queue.lease_writer import LeaseWriter
from worker.queue.moderator import Moderator, Unfinished
from worker.store.chunks import claim, pending_items
from worker.store.models.intake import BatchState
from worker.store.outcomes import Judgement
from worker.store.session import transaction

TICK_SECONDS = 0.25  # how soon a drain, a write or a heartbeat that is due is noticed
log = structlog.get_logger(__name__)


def run_chunk(
    chunk_id: int, *, engine: Engine, moderator: Moderator, settings: Settings, owner: str, drain: threading.Event
) -> ChunkReport:
    """Judges and records what is pending in a chunk. Raises EngineDiedError (the worker must leave), TransientError (Postgres is away)."""
    if drain.is_set():
        return decline(chunk_id, engine)
    with transaction(engine) as session:
        lease = claim(session, chunk_id, owner, settings.lease_seconds)
        items = pending_items(session, lease) if lease else []
        wanted = wanted_of(session, lease) if items and lease else nothing_wanted
    if lease is None:
        log.info("chunk_not_claimed", chunk_id=chunk_id, next="nothing to do: a repeated or late message")
        return ChunkReport(chunk_id, Ending.NOT_CLAIMED)
    judgement = Judgement(actor=owner, release=moderator.release, evidence_bucket=settings.evidence_bucket)
    chunk = ChunkWork(lease, LeaseWriter(engine, lease, judgement, settings), engine, settings, owner, wanted)
    ids = structlog.contextvars.bound_contextvars(batch_id=str(lease.batch_id), chunk_id=chunk_id)
    with ids, metrics.CHUNKS_IN_FLIGHT.track_inprogress():
        log.info("chunk_claimed", items=len(items), attempt=lease.attempts)
        report = _judge_and_conclude(chunk, items, moderator, drain)
        log.info("chunk_ended", ending=report.ending, outcomes=report.tally.total, duplicates=report.duplicates)
        return report


def _judge_and_conclude(chunk: ChunkWork, items: list[ItemReference], moderator: Moderator, drain: threading.Event) -> ChunkReport:
    try:
        errors = _judge(chunk, items, moderator, drain)
        chunk.writer.flush()
        return conclude(chunk, errors, drained=drain.is_set())
    except FencedError:
        return discard(chunk)
    except EngineDiedError as error:
        release_suspect(chunk, error)
        raise
    except Exception as error:
        give_back(chunk, error)
        raise


def _judge(chunk: ChunkWork, items: list[ItemReference], moderator: Moderator, drain: threading.Event) -> list[ZoomInError]:
    """Feeds outcomes to the writer until the moderator has no more: why some images stay unfinished."""
    stop = threading.Event()
    errors: list[ZoomInError] = []
    progressed = time.monotonic()
    for event in moderator.judge(items, stop=stop, tick_seconds=TICK_SECONDS, wanted=chunk.wanted):
        if event is None:
            _expect_progress(progressed, chunk.settings.lease_seconds)
        else:
            progressed = time.monotonic()
            if isinstance(event, Unfinished):
                errors.append(event.error)
                metrics.UNFINISHED.labels(event.error.code).inc()
                log.warning("image_unfinished", ordinal=event.ordinal, code=event.error.code, error=event.error.message)
            else:
                chunk.writer.add(event)
        chunk.writer.keep_up()
        if drain.is_set() or _must_stop(chunk, errors):
            stop.set()
    return errors


def _must_stop(chunk: ChunkWork, errors: list[ZoomInError]) -> bool:
    return chunk.writer.batch_state not in (BatchState.RECEIVING, BatchState.RUNNING) or any(
        isinstance(e, MisconfiguredError) for e in errors
    )


def _expect_progress(since: float, patience_seconds: float) -> None:
    """A moderator that ticks but finishes nothing is stuck: its lease must not live for ever."""
    if time.monotonic() - since > patience_seconds:
        raise EngineDiedError("engine_stalled", f"No image of the chunk has finished for {patience_seconds} s: the engine is stuck.")
