"""The outbox."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.identifiers import new_uuid7
from worker.store.models.base import Base, BigSerial, Jsonb, Now


class OutboxRow(Base):
    """An event to deliver; written in the transaction it tells of."""

    __tablename__ = "outbox"
    __table_args__ = (
        UniqueConstraint("event_id"),
        Index("ix_outbox_tenant_id_id", "tenant_id", "id"),
        Index("ix_outbox_undelivered", "id", postgresql_where=text("delivered_at IS NULL")),
        {"comment": "Events to deliver, written in the transaction they tell of"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="In the order of commits: nothing comes late before one that was seen")
    event_id: Mapped[UUID] = mapped_column(default=new_uuid7, comment="UUIDv7; public as evt_<hex>, the webhook-id of every attempt")
    tenant_id: Mapped[str] = mapped_column(comment="Whose event")
    type: Mapped[str] = mapped_column(comment="batch.completed | …")
    payload: Mapped[Jsonb] = mapped_column(comment="Thin: ids and counts")
    created_at: Mapped[Now] = mapped_column(comment="When it happened")
    delivered_at: Mapped[datetime | None] = mapped_column(comment="When it was handed to every endpoint that wants it")
