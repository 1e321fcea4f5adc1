"""The outbox, and the audit trail, which the database itself keeps append-only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.identifiers import new_uuid7
from worker.store.models.base import Base, BigSerial, Jsonb, Now


class OutboxRow(Base):
    """An event to deliver; written in the transaction it tells of."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("event_id"),
        Index("ix_outbox_undelivered", "id", postgresql_where=text("delivered_at IS NULL")),
        {"comment": "Events to deliver, written in the transaction they tell of"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Order of writing")
    event_id: Mapped[UUID] = mapped_column(default=new_uuid7, comment="UUIDv7; public as evt_<hex>, the webhook-id of every attempt")
    tenant_id: Mapped[str] = mapped_column(comment="Whose event")
    type: Mapped[str] = mapped_column(comment="batch.completed | …")
    payload: Mapped[Jsonb] = mapped_column(comment="Thin: ids and counts")
    created_at: Mapped[Now] = mapped_column(comment="When it happened")
    delivered_at: Mapped[datetime | None] = mapped_column(comment="When it was handed to every endpoint that wants it")


class AuditEventRow(Base):
    """Who did what, when, to which item and revision. Triggers refuse UPDATE, DELETE and TRUNCATE."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_batch_id_ordinal", "batch_id", "ordinal"),
        {"comment": "Who did what, when, to which item and revision; append-only"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Order of writing")
    occurred_at: Mapped[Now] = mapped_column(comment="By the database's clock")
    actor: Mapped[str] = mapped_column(comment="Worker, command or person")
    action: Mapped[str] = mapped_column(comment="batch.created | outcome.recorded | write.fenced | …")
    batch_id: Mapped[UUID | None] = mapped_column(comment="Which batch")
    ordinal: Mapped[int | None] = mapped_column(comment="Which item")
    revision: Mapped[int | None] = mapped_column(comment="Which revision")
    payload_digest: Mapped[str | None] = mapped_column(comment="sha256 of what was recorded; personal data stays outside")
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="Counts, codes and ids; no personal data")
