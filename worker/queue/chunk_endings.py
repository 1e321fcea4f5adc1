"""How a lease ends: completed, handed back, paused, cancelled, or lost."""

import structlog
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from worker.moderation.errors import EngineDiedError, MisconfiguredError, OutageError, ZoomInError
from worker.queue import metrics
from worker.queue.chunk_work import ChunkReport, ChunkWork, Ending
from worker.store import audit
from worker.store.announcements import unring
from worker.store.chunks import complete, pause_batch, release, release_as_suspect
from worker.store.models.intake import BatchState
from worker.store.session import transaction
from worker.store.settlement import cancel_rest

LONGEST_DELAY_SECONDS = 300  # between attempts; they double from 2 s
# Retention removed the same pixels of another image at that very moment: no image's fault, and over in seconds.
EVIDENCE_REMOVED = OutageError("evidence_removed", "Evidence was removed from the bucket while its image was judged: judged again.")
log = structlog.get_logger(__name__)


def conclude(chunk: ChunkWork, errors: list[ZoomInError], *, drained: bool) -> ChunkReport:
    """Ends the lease in the way that fits what happened; most pressing first."""
    lease, persist = chunk.lease, chunk.writer.persist
    if chunk.writer.batch_state is BatchState.CANCELLING:
        cancelled = persist(lambda session: cancel_rest(session, lease, actor=chunk.owner))
        metrics.IMAGES.labels("cancelled").inc(cancelled)
        return chunk.report(Ending.CANCELLED)
    if misconfigured := next((error for error in errors if isinstance(error, MisconfiguredError)), None):
        return _pause(chunk, misconfigured)
    if persist(lambda session: complete(session, lease)):
        return chunk.report(Ending.COMPLETED)
    if chunk.writer.unkept:
        errors = [*errors, EVIDENCE_REMOVED]
    if errors:
        return _retry_later(chunk, errors)
    persist(lambda session: release(session, lease, charge=False, delay_seconds=0, reason=None))
    return chunk.report(Ending.DRAINED if drained else Ending.PAUSED)


def _pause(chunk: ChunkWork, error: MisconfiguredError) -> ChunkReport:
    def pause_and_release(session: Session) -> None:
        # The chunk's row before the batch's, as everywhere: two writers in opposite order would deadlock.
        release(session, chunk.lease, charge=False, delay_seconds=0, reason=_reason(error))
        if pause_batch(session, chunk.lease.batch_id, error.message):
            detail = {"code": error.code}
            audit.record(session, actor=chunk.owner, action="batch.paused", batch_id=chunk.lease.batch_id, detail=detail)

    chunk.writer.persist(pause_and_release)
    log.error("batch_paused", code=error.code, error=error.message, next="mend what the error names, then resume the batch")
    return chunk.report(Ending.PAUSED)


def _retry_later(chunk: ChunkWork, errors: list[ZoomInError]) -> ChunkReport:
    lease = chunk.lease
    charged = [error for error in errors if not isinstance(error, OutageError)]
    error = (charged or errors)[0]
    row = lease.attempts if charged else lease.announcements
    delay = min(2.0 ** min(row, 20), LONGEST_DELAY_SECONDS)
    reason = _reason(error)
    chunk.writer.persist(lambda session: release(session, lease, charge=bool(charged), delay_seconds=delay, reason=reason))
    log.warning("chunk_released", unfinished=len(errors), code=error.code, error=error.message, next_attempt_seconds=delay)
    return chunk.report(Ending.RELEASED)


def discard(chunk: ChunkWork) -> ChunkReport:
    discarded = chunk.writer.waiting
    if discarded:
        metrics.FENCED.inc(discarded)
        detail = {"chunk_id": chunk.lease.chunk_id, "outcomes": discarded}
        with transaction(chunk.engine) as session:
            lease = chunk.lease
            audit.record(session, actor=chunk.owner, action="write.fenced", batch_id=lease.batch_id, revision=lease.revision, detail=detail)
    log.warning("lease_lost", discarded=discarded, next="whoever holds the chunk now judges its pending images")
    return chunk.report(Ending.FENCED, discarded)


def release_suspect(chunk: ChunkWork, error: EngineDiedError) -> None:
    """Saves what was judged, then hands the chunk back as a suspect; best effort, since an expiring lease does the same, later."""
    limit = chunk.settings.max_attempts
    try:
        chunk.writer.flush()
        chunk.writer.persist(lambda session: release_as_suspect(session, chunk.lease, max_attempts=limit, reason=_reason(error)))
    except ZoomInError as second:
        log.warning("chunk_not_released", error=second.message, next="its lease expires by itself")


def give_back(chunk: ChunkWork, error: Exception) -> None:
    """A bug of ours, or Postgres away for the whole lease: hand the chunk back at once if that is still possible."""
    reason = _reason(error) if isinstance(error, ZoomInError) else f"internal_error: {type(error).__name__}"
    charge = not isinstance(error, OutageError)
    delay = min(2.0**chunk.lease.attempts, LONGEST_DELAY_SECONDS)
    try:
        with transaction(chunk.engine) as session:
            release(session, chunk.lease, charge=charge, delay_seconds=delay, reason=reason)
    except ZoomInError as second:
        log.warning("chunk_not_released", error=second.message, next="its lease expires by itself")


def decline(chunk_id: int, engine: Engine) -> ChunkReport:
    with transaction(engine) as session:
        unring(session, [chunk_id])
    return ChunkReport(chunk_id, Ending.DRAINED)


def _reason(error: ZoomInError) -> str:
    return f"{error.code}: {error.message}"
