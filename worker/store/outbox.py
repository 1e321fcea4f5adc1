"""The outbox: events to deliver, written in the transaction they tell of."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import insert
from sqlalchemy.orm import Session

from worker.store.models import OutboxRow


def publish(session: Session, tenant_id: str, type: str, payload: Mapping[str, Any]) -> None:  # noqa: A002  the event's own word
    """Adds an event, thin: ids and counts."""
    session.execute(insert(OutboxRow).values(tenant_id=tenant_id, type=type, payload=dict(payload)))
