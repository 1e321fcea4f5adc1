"""Chunks under lease: claim one, write under its fencing token, hand it back or finish it. All times are the database's.

A chunk's life: ready → announced → leased → done, or back to ready, or split. Announcing is `store.announcements`,
repairing is `store.sweeps`, ending is `store.settlement`; here is what a worker does.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.errors import FencedError
from worker.moderation.outcomes import ItemReference
from worker.store.models.intake import BatchState
from worker.store.statements import rows_changed

CLAIM = text(
    """
    -- claim: one announced chunk of an open batch; the attempt is counted here, before the risky work
    UPDATE chunks AS c
       SET state = 'leased', lease_owner = :owner, lease_token = gen_random_uuid(), leased_at = now(),
           lease_expires_at = now() + make_interval(secs => :seconds), attempts = c.attempts + 1
      FROM batches AS b
     WHERE c.id = :chunk_id AND c.state = 'announced' AND b.id = c.batch_id AND b.state IN ('receiving', 'running')
    RETURNING c.id, c.batch_id, b.tenant_id, c.revision, c.lo, c.hi, c.lease_token, c.attempts, c.announcements, c.leased_at
    """
)
TAKE = text(
    """
    -- take: all chunks of a batch that nobody has been told of, by whoever makes and judges it in one transaction
    UPDATE chunks AS c
       SET state = 'leased', lease_owner = :owner, lease_token = gen_random_uuid(), leased_at = now(),
           lease_expires_at = now() + make_interval(secs => :seconds), attempts = c.attempts + 1
      FROM batches AS b
     WHERE c.batch_id = :batch_id AND c.state = 'ready' AND b.id = c.batch_id AND b.state IN ('receiving', 'running')
    RETURNING c.id, c.batch_id, b.tenant_id, c.revision, c.lo, c.hi, c.lease_token, c.attempts, c.announcements, c.leased_at
    """
)
FENCE = text(
    """
    -- fence: locks the chunk's row for the rest of the transaction, if the lease is still ours
    UPDATE chunks AS c SET lease_token = c.lease_token FROM batches AS b
     WHERE c.id = :chunk_id AND c.lease_token = :token AND b.id = c.batch_id
    RETURNING b.state
    """
)
RENEW = text(
    """
    -- renew: a fence that also puts the lease's end off
    UPDATE chunks AS c SET lease_expires_at = now() + make_interval(secs => :seconds) FROM batches AS b
     WHERE c.id = :chunk_id AND c.lease_token = :token AND b.id = c.batch_id
    RETURNING b.state
    """
)
PENDING_ITEMS = text(
    """
    -- pending items: those of the range without an outcome at the chunk's revision
    SELECT i.batch_id, i.ordinal, i.custom_id, i.bucket, i.key, i.version_id
      FROM items AS i
     WHERE i.batch_id = :batch_id AND i.ordinal >= :lo AND i.ordinal < :hi
       AND NOT EXISTS (SELECT FROM outcomes AS o WHERE o.batch_id = i.batch_id AND o.ordinal = i.ordinal AND o.revision = :revision)
     ORDER BY i.ordinal
    """
)
PROGRESS = text(
    """
    -- progress: new outcomes were written, so the attempts so far are forgiven
    UPDATE chunks
       SET attempts = 0, announcements = 0, verdicts = verdicts + :verdicts, flagged = flagged + :flagged,
           unreadable = unreadable + :unreadable, failed = failed + :failed, cancelled = cancelled + :cancelled
     WHERE id = :chunk_id AND lease_token = :token
    """
)
COMPLETE = text(
    """
    -- complete: done, provided that the outcomes themselves say so
    UPDATE chunks AS c
       SET state = 'done', finished_at = now(), suspect = false, last_error = NULL,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE c.id = :chunk_id AND c.lease_token = :token
       AND NOT EXISTS (SELECT FROM items AS i
                        WHERE i.batch_id = c.batch_id AND i.ordinal >= c.lo AND i.ordinal < c.hi
                          AND NOT EXISTS (SELECT FROM outcomes AS o WHERE o.batch_id = i.batch_id AND o.ordinal = i.ordinal
                                                                       AND o.revision = c.revision))
    """
)
RELEASE = text(
    """
    -- release: hands the chunk back; an uncharged attempt is given back too
    UPDATE chunks
       SET state = 'ready', next_attempt_at = now() + make_interval(secs => :delay), last_error = :reason,
           attempts = CASE WHEN :charge THEN attempts ELSE greatest(attempts - 1, 0) END,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id = :chunk_id AND lease_token = :token
    """
)
RELEASE_AS_SUSPECT = text(
    """
    -- release as suspect: an engine died. Of a chunk that was suspect before, a second death uses up all attempts, progress or
    -- not, so that it is halved; a single image keeps its full count.
    UPDATE chunks
       SET state = 'ready', next_attempt_at = now(), last_error = :reason, suspect = true,
           attempts = CASE WHEN suspect AND hi - lo > 1 THEN :max_attempts ELSE greatest(attempts, 1) END,
           lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
     WHERE id = :chunk_id AND lease_token = :token
    """
)
PAUSE_BATCH = text(
    """
    -- pause batch: until an operator has mended what `reason` names
    UPDATE batches SET state = 'paused', pause_reason = :reason WHERE id = :batch_id AND state IN ('receiving', 'running')
    """
)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write outcomes of items [lo, hi) of a batch at a revision, as long as `token` is the chunk's."""

    chunk_id: int
    batch_id: UUID
    tenant_id: str
    revision: int
    lo: int
    hi: int
    token: UUID
    attempts: int  # claims since the last progress, this one included
    announcements: int  # since the last progress
    claimed_at: datetime | None = None  # by the database's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Outcomes by kind; `flagged` are among the verdicts."""

    verdicts: int = 0
    flagged: int = 0
    unreadable: int = 0
    failed: int = 0
    cancelled: int = 0

    @property
    def total(self) -> int:
        """All outcomes."""
        return self.verdicts + self.unreadable + self.failed + self.cancelled

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            verdicts=self.verdicts + other.verdicts,
            flagged=self.flagged + other.flagged,
            unreadable=self.unreadable + other.unreadable,
            failed=self.failed + other.failed,
            cancelled=self.cancelled + other.cancelled,
        )


def claim(session: Session, chunk_id: int, owner: str, lease_seconds: float) -> Lease | None:
    """A lease; None when somebody else holds the chunk, it is not announced (any more), or its batch is not open."""
    row = session.execute(CLAIM, {"chunk_id": chunk_id, "owner": owner, "seconds": lease_seconds}).one_or_none()
    return None if row is None else Lease(*row)


def take(session: Session, batch_id: UUID, owner: str, lease_seconds: float) -> list[Lease]:
    """Leases of a batch's chunks that no worker has heard of. For the transaction that makes the batch: nobody else sees it before."""
    return [Lease(*row) for row in session.execute(TAKE, {"batch_id": batch_id, "owner": owner, "seconds": lease_seconds})]


def fence(session: Session, lease: Lease) -> BatchState:
    """First statement of every write transaction: the batch's state. Raises FencedError when the lease is lost."""
    return _fenced(session.execute(FENCE, _named(lease)).scalar_one_or_none(), lease)


def renew(session: Session, lease: Lease, seconds: float) -> BatchState:
    """Puts the lease's end off to `seconds` from now: the batch's state. Raises FencedError."""
    return _fenced(session.execute(RENEW, {**_named(lease), "seconds": seconds}).scalar_one_or_none(), lease)


def pending_items(session: Session, lease: Lease) -> list[ItemReference]:
    """The items of the range that have no outcome at this revision, by ordinal."""
    parameters = {"batch_id": lease.batch_id, "lo": lease.lo, "hi": lease.hi, "revision": lease.revision}
    return [ItemReference(*row) for row in session.execute(PENDING_ITEMS, parameters)]


def progress(session: Session, lease: Lease, tally: Tally) -> None:
    """Adds new outcomes to the chunk's counters and forgives its attempts. The transaction has been fenced."""
    counts = {
        "verdicts": tally.verdicts,
        "flagged": tally.flagged,
        "unreadable": tally.unreadable,
        "failed": tally.failed,
        "cancelled": tally.cancelled,
    }
    session.execute(PROGRESS, {**_named(lease), **counts})


def complete(session: Session, lease: Lease) -> bool:
    """Ends the lease with the chunk done; False, and nothing changed, while an item lacks its outcome. Raises FencedError."""
    fence(session, lease)
    done = rows_changed(session, COMPLETE, **_named(lease)) > 0
    if done:
        wake_dispatcher(session)
    return done


def release(session: Session, lease: Lease, *, charge: bool, delay_seconds: float, reason: str | None) -> None:
    """Hands the chunk back for a later attempt. `charge` keeps the attempt counted. Raises FencedError."""
    if not rows_changed(session, RELEASE, **_named(lease), charge=charge, delay=delay_seconds, reason=reason):
        raise _lost(lease)
    wake_dispatcher(session)


def release_as_suspect(session: Session, lease: Lease, *, max_attempts: int, reason: str) -> None:
    """Hands back a chunk that was in flight when an engine died: it reruns alone, then in halves. Raises FencedError."""
    if not rows_changed(session, RELEASE_AS_SUSPECT, **_named(lease), max_attempts=max_attempts, reason=reason):
        raise _lost(lease)
    wake_dispatcher(session)


def pause_batch(session: Session, batch_id: UUID, reason: str) -> bool:
    """Stops announcing and claiming the batch's chunks until an operator resumes it; False when it was not open."""
    return rows_changed(session, PAUSE_BATCH, batch_id=batch_id, reason=reason) > 0


def wake_dispatcher(session: Session) -> None:
    """Tells a listening dispatcher, on commit, that chunks have changed."""
    session.execute(text("NOTIFY zoomin_chunks"))


def _named(lease: Lease) -> dict[str, object]:
    return {"chunk_id": lease.chunk_id, "token": lease.token}


def _fenced(state: str | None, lease: Lease) -> BatchState:
    if state is None:
        raise _lost(lease)
    return BatchState(state)


def _lost(lease: Lease) -> FencedError:
    return FencedError(
        "lease_lost", f"Chunk {lease.chunk_id} of batch {lease.batch_id} is leased to somebody else by now: this work is discarded."
    )
