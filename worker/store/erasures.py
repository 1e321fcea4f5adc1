"""Erasing one image. The database's own function does it, see the migration `retention_and_erasure`; counts go on adding up.

What stays is a tombstone, and the numbers that other things rest on: outcome, verdict, scores, release, times, routes, decisions without
their words, and the audit trail, which never held anything else.
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.moderation.retention import REASON
from worker.store import audit
from worker.store.chunks import wake_dispatcher
from worker.store.items import check_item
from worker.store.models import ErasureRow
from worker.store.outcome_rows import Place, outcome_rows

ERASED_CODE, ERASED_MESSAGE = "item_erased", "The image was erased."

ERASE = text(
    """
    -- erase: one item, by the function that alone may
    SELECT erase_item(:batch_id, :ordinal, :actor, :reason, :own_bucket)
    """
)
LOCK = text(
    """
    -- lock: whoever erases the item waits until this transaction ends
    SELECT pg_advisory_xact_lock_shared(item_lock(:batch_id, :ordinal))
    """
)
SETTLE = text(
    """
    -- settle erased: those of a batch that still wait for an outcome get a cancelled one. Whoever judges one now finds it there.
    WITH settled AS (
        INSERT INTO outcomes (batch_id, ordinal, revision, chunk_id, kind, error_code, error_message)
        SELECT e.batch_id, e.ordinal, c.revision, c.id, 'cancelled', :code, :message
          FROM erasures AS e
          JOIN chunks AS c ON c.batch_id = e.batch_id AND c.lo <= e.ordinal AND c.hi > e.ordinal
         WHERE e.batch_id = :batch_id AND c.state IN ('ready', 'announced', 'leased')
        ON CONFLICT DO NOTHING
        RETURNING chunk_id, ordinal, revision
    ), counted AS (
        UPDATE chunks SET cancelled = cancelled + s.number
          FROM (SELECT chunk_id, count(*) AS number FROM settled GROUP BY chunk_id) AS s WHERE chunks.id = s.chunk_id
    )
    SELECT chunk_id, ordinal, revision FROM settled ORDER BY ordinal, revision
    """
)


@dataclass(frozen=True, slots=True)
class Erasing:
    """Who erases, why, and which bucket of uploads is ours. `reason` is a code, see `REASON`."""

    actor: str
    reason: str
    upload_bucket: str

    def __post_init__(self) -> None:
        """Raises RejectedError `erasure_reason_invalid`."""
        if not REASON.fullmatch(self.reason):
            raise RejectedError(
                "erasure_reason_invalid", "A reason is a code: 1 to 64 of a-z, 0-9, `_`, `.` and `-`. Nothing about a person belongs there."
            )


def erase_item(session: Session, tenant_id: str, batch_id: UUID, ordinal: int, erasing: Erasing) -> ErasureRow:
    """Erases an item, or finds that it was: its tombstone. Its objects in S3 go after the commit, see `worker.retention.removal`.

    Raises RejectedError: item_missing, item_held, item_contested.
    """
    check_item(session, tenant_id, batch_id, ordinal)
    place: dict[str, Any] = {"batch_id": batch_id, "ordinal": ordinal}
    answer = session.execute(
        ERASE, {**place, "actor": erasing.actor, "reason": erasing.reason, "own_bucket": erasing.upload_bucket}
    ).scalar_one()
    if answer == "held":
        raise RejectedError("item_held", f"Item {ordinal} of batch {batch_id} is under a legal hold. Release the hold first.")
    if answer == "contested":
        raise RejectedError("item_contested", f"An appeal about item {ordinal} of batch {batch_id} is open. Decide it first.")
    if answer == "erased":
        audit.record(session, actor=erasing.actor, action="item.erased", **place, detail={"reason": erasing.reason})
        settle_erased(session, batch_id, actor=erasing.actor)
        wake_dispatcher(session)
    return session.execute(select(ErasureRow).filter_by(**place)).scalar_one()


def settle_erased(session: Session, batch_id: UUID, *, actor: str) -> int:
    """Gives erased items of the batch that wait for an outcome a cancelled one, so that nobody judges them: how many."""
    settled = session.execute(SETTLE, {"batch_id": batch_id, "code": ERASED_CODE, "message": ERASED_MESSAGE}).all()
    events = []
    for row in settled:
        outcome = Outcome(ordinal=row.ordinal, kind=OutcomeKind.CANCELLED, error_code=ERASED_CODE, error_message=ERASED_MESSAGE)
        digest = outcome_rows(outcome, Place(batch_id=batch_id, revision=row.revision, chunk_id=row.chunk_id)).digest
        events.append(_recorded(batch_id, row.ordinal, row.revision, digest, actor))
    audit.record_all(session, events)
    return len(settled)


def check_not_erased(session: Session, batch_id: UUID, ordinal: int) -> None:
    """Until the transaction ends it is not. Lock no task, statement or evidence before. Raises RejectedError `item_erased`."""
    session.execute(LOCK, {"batch_id": batch_id, "ordinal": ordinal})
    if session.get(ErasureRow, (batch_id, ordinal)) is not None:
        raise RejectedError(ERASED_CODE, f"Item {ordinal} of batch {batch_id} was erased.")


def _recorded(batch_id: UUID, ordinal: int, revision: int, digest: str, actor: str) -> audit.AuditEvent:
    return audit.AuditEvent(
        actor=actor,
        action="outcome.recorded",
        batch_id=batch_id,
        ordinal=ordinal,
        revision=revision,
        payload_digest=digest,
        detail={"kind": OutcomeKind.CANCELLED.value, "release": None},
    )
