"""The audit trail: who did what to which item and revision. Only ever appended to; the database itself refuses anything else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.orm import Session

from worker.store.models import AuditEventRow


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event. `payload_digest` is the sha256 of what was recorded; `detail` holds counts, codes and ids, no personal data."""

    actor: str
    action: str
    batch_id: UUID | None = None
    ordinal: int | None = None
    revision: int | None = None
    payload_digest: str | None = None
    detail: Mapping[str, Any] | None = None


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    batch_id: UUID | None = None,
    ordinal: int | None = None,
    revision: int | None = None,
    payload_digest: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Appends one event, in the transaction it tells of."""
    event = AuditEvent(
        actor=actor,
        action=action,
        batch_id=batch_id,
        ordinal=ordinal,
        revision=revision,
        payload_digest=payload_digest,
        detail=detail,
    )
    record_all(session, [event])


def record_all(session: Session, events: Sequence[AuditEvent]) -> None:
    """Appends the events in their order, in the transaction they tell of."""
    if events:
        session.execute(
            insert(AuditEventRow),
            [
                {
                    "actor": event.actor,
                    "action": event.action,
                    "batch_id": event.batch_id,
                    "ordinal": event.ordinal,
                    "revision": event.revision,
                    "payload_digest": event.payload_digest,
                    "detail": None if event.detail is None else dict(event.detail),
                }
                for event in events
            ],
        )
