"""Background intakes: batches whose source is still to be read. Postgres is the queue; a lease says who reads, the cursor what is left.

The lease only keeps two processes from the same work. What keeps the rows right is `store.slices`: a slice is written only where the
batch's cursor still stands where the slice begins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from worker.store.models import IntakeRow
from worker.store.statements import rows_changed

LONGEST_PAUSE_SECONDS = 60  # between attempts while a service is away

CLAIM = text(
    """
    -- claim intake: the most urgent one that nobody reads, and whose batch takes rows; the attempt is counted before the risky work
    UPDATE intakes
       SET lease_owner = :owner, lease_expires_at = now() + make_interval(secs => :seconds), attempts = attempts + 1
     WHERE batch_id = (SELECT i.batch_id FROM intakes AS i JOIN batches AS b ON b.id = i.batch_id
                        WHERE i.ended_at IS NULL AND i.next_attempt_at <= now()
                          AND (i.lease_expires_at IS NULL OR i.lease_expires_at < now())
                          AND b.state = 'receiving' AND b.received_at IS NULL
                        ORDER BY b.priority DESC, i.batch_id LIMIT 1 FOR UPDATE OF i SKIP LOCKED)
    RETURNING batch_id, source, identity, attempts, last_error
    """
)
RENEW = text(
    """
    -- renew intake: a slice was written, so the attempts are forgiven
    UPDATE intakes SET lease_expires_at = now() + make_interval(secs => :seconds), attempts = 1
     WHERE batch_id = :batch_id AND lease_owner = :owner AND ended_at IS NULL
    """
)
POSTPONE = text(
    """
    -- postpone intake: what passes by itself is waited for, longer each time
    UPDATE intakes
       SET lease_owner = NULL, lease_expires_at = NULL, last_error = :reason, attempts = greatest(attempts - :forgiven, 0),
           next_attempt_at = now() + make_interval(secs => least(2 ^ least(attempts, 10), :longest))
     WHERE batch_id = :batch_id AND lease_owner = :owner AND ended_at IS NULL
    """
)
END = text(
    """
    -- end intake: nothing is left to read
    UPDATE intakes SET lease_owner = NULL, lease_expires_at = NULL, ended_at = now(), last_error = :reason
     WHERE batch_id = :batch_id AND ended_at IS NULL
    """
)
END_CLOSED = text(
    """
    -- end closed intakes: their batches were cancelled, or end otherwise, while nobody read
    UPDATE intakes AS i SET ended_at = now(), lease_owner = NULL, lease_expires_at = NULL
      FROM batches AS b
     WHERE i.ended_at IS NULL AND b.id = i.batch_id AND (b.received_at IS NOT NULL OR b.state NOT IN ('receiving', 'paused'))
    """
)
READERS = text("SELECT DISTINCT lease_owner FROM intakes WHERE ended_at IS NULL AND lease_owner IS NOT NULL")
VOID = text(
    """
    -- void intake leases: of processes known to be dead, which need not run out
    UPDATE intakes SET lease_expires_at = now() - interval '1 second' WHERE ended_at IS NULL AND lease_owner = ANY(:owners)
    """
)


@dataclass(frozen=True, slots=True)
class IntakeLease:
    """The right to read a batch's source."""

    batch_id: UUID
    source: str
    identity: str  # of the content that was accepted; empty for a prefix
    attempts: int  # claims since the last slice, this one included
    last_error: str | None


def request_intake(session: Session, batch_id: UUID, *, source: str, identity: str) -> None:
    """Leaves the reading of a new batch's source to the intake worker."""
    session.execute(insert(IntakeRow).values(batch_id=batch_id, source=source, identity=identity))


def claim_intake(session: Session, owner: str, lease_seconds: float) -> IntakeLease | None:
    """A lease on the most urgent intake; None when there is none to read."""
    row = session.execute(CLAIM, {"owner": owner, "seconds": lease_seconds}).one_or_none()
    return None if row is None else IntakeLease(*row)


def renew_intake(session: Session, batch_id: UUID, owner: str, lease_seconds: float) -> bool:
    """Puts the lease's end off; False when it was lost."""
    return rows_changed(session, RENEW, batch_id=batch_id, owner=owner, seconds=lease_seconds) > 0


def postpone_intake(session: Session, batch_id: UUID, owner: str, *, reason: str, charge: bool) -> None:
    """Hands the intake back for a later attempt; `charge` keeps the attempt counted."""
    parameters = {"batch_id": batch_id, "owner": owner, "reason": reason, "forgiven": 0 if charge else 1}
    session.execute(POSTPONE, {**parameters, "longest": LONGEST_PAUSE_SECONDS})


def end_intake(session: Session, batch_id: UUID, *, reason: str | None = None) -> None:
    """There is nothing left to read."""
    session.execute(END, {"batch_id": batch_id, "reason": reason})


def end_closed_intakes(session: Session) -> int:
    """Ends those whose batches take no rows any more: how many."""
    return rows_changed(session, END_CLOSED)


def intake_readers(session: Session) -> list[str]:
    """Who holds a lease on an intake."""
    return list(session.execute(READERS).scalars())


def void_intakes(session: Session, owners: Sequence[str]) -> int:
    """Ends the leases of dead processes now: how many."""
    return rows_changed(session, VOID, owners=list(owners)) if owners else 0
