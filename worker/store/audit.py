"""The audit trail: who did what to which item and revision. Only ever appended to; the database itself refuses anything else."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

PENDING = "audit_events"  # in a session's info: recorded, not written yet
APPEND = text(
    """
    -- append: in the order given; ids and times are the database's, and the tenant the batch's where none is named
    INSERT INTO audit_events (actor, action, tenant_id, batch_id, ordinal, revision, payload_digest, detail)
    SELECT actor, action, coalesce(event.tenant_id, b.tenant_id), batch_id, ordinal, event.revision, payload_digest, detail
      FROM unnest(CAST(:actors AS text[]), CAST(:actions AS text[]), CAST(:tenant_ids AS text[]), CAST(:batch_ids AS uuid[]),
                  CAST(:ordinals AS integer[]), CAST(:revisions AS integer[]), CAST(:digests AS text[]), CAST(:details AS jsonb[]))
           WITH ORDINALITY AS event (actor, action, tenant_id, batch_id, ordinal, revision, payload_digest, detail, place)
      LEFT JOIN batches AS b ON b.id = event.batch_id
     ORDER BY place
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEvent:
    """One event. `payload_digest` is the sha256 of what was recorded; `detail` holds counts, codes and ids, no personal data.

    `tenant_id` says whose it is where no batch does; with neither it is the installation's.
    """

    actor: str
    action: str
    tenant_id: str | None = None
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
    tenant_id: str | None = None,
    batch_id: UUID | None = None,
    ordinal: int | None = None,
    revision: int | None = None,
    payload_digest: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Appends one event, in the transaction it tells of; as `record_all`."""
    event = AuditEvent(
        actor=actor,
        action=action,
        tenant_id=tenant_id,
        batch_id=batch_id,
        ordinal=ordinal,
        revision=revision,
        payload_digest=payload_digest,
        detail=detail,
    )
    record_all(session, [event])


def record_all(session: Session, events: Sequence[AuditEvent]) -> None:
    """Appends the events in their order, in the transaction they tell of. They are written at its end, see `write_pending`.

    Not inside a savepoint that may be rolled back: they would be written all the same.
    """
    try:
        session.info[PENDING].extend(events)
    except KeyError:
        raise RuntimeError("audit events are recorded in `worker.store.session.transaction`, which writes them") from None


def open_trail(session: Session) -> None:
    """Lets events be recorded in the session, whose opener promises to `write_pending` before the commit."""
    session.info[PENDING] = []


def write_pending(session: Session) -> None:
    """Writes what was recorded, in one statement: one link of the hash chain. The transaction's last statement.

    It waits for the chain's lock, which is held until the commit: whoever waits for a row behind it would stop all other writers,
    and two who took rows and chain in opposite order would deadlock. Coming last, nobody does.
    """
    events: list[AuditEvent] = session.info[PENDING]
    if not events:
        return
    session.flush()
    columns = {
        "actors": [event.actor for event in events],
        "actions": [event.action for event in events],
        "tenant_ids": [event.tenant_id for event in events],
        "batch_ids": [event.batch_id for event in events],
        "ordinals": [event.ordinal for event in events],
        "revisions": [event.revision for event in events],
        "digests": [event.payload_digest for event in events],
        "details": [None if event.detail is None else json.dumps(dict(event.detail)) for event in events],
    }
    session.execute(APPEND, columns)
    events.clear()
