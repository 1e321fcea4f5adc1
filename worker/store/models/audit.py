"""The audit trail and its hash chain, which the database itself keeps append-only."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, UniqueConstraint, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import Base, BigSerial


class AuditEventRow(Base):
    """Who did what, when, to which item and revision. Triggers refuse UPDATE, DELETE and TRUNCATE, and cover each INSERT with a link."""

    __tablename__ = "audit_events"
    __table_args__ = (
        Index("ix_audit_events_batch_id_ordinal", "batch_id", "ordinal"),
        Index("ix_audit_events_batch_id_id", "batch_id", "id"),
        Index("ix_audit_events_tenant_id_id", "tenant_id", "id"),
        {"comment": "Who did what, when, to which item and revision; append-only"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Order of writing")
    occurred_at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp(), comment="By the database's clock")
    actor: Mapped[str] = mapped_column(comment="Worker, command or person")
    action: Mapped[str] = mapped_column(comment="batch.created | outcome.recorded | write.fenced | …")
    tenant_id: Mapped[str | None] = mapped_column(
        comment="Whose event: the batch's tenant, where there is a batch; null: the installation's own"
    )
    batch_id: Mapped[UUID | None] = mapped_column(comment="Which batch")
    ordinal: Mapped[int | None] = mapped_column(comment="Which item")
    revision: Mapped[int | None] = mapped_column(comment="Which revision")
    payload_digest: Mapped[str | None] = mapped_column(comment="sha256 of what was recorded; personal data stays outside")
    detail: Mapped[dict[str, Any] | None] = mapped_column(JSONB, comment="Counts, codes and ids; no personal data")


class AuditLinkRow(Base):
    """A link of the chain. Triggers on `audit_events` write it; nobody else may."""

    __tablename__ = "audit_links"
    __table_args__ = (
        Index("ix_audit_links_created_at", "created_at"),
        {"comment": "The audit trail's hash chain, a link per INSERT; written by triggers alone, append-only"},
    )

    link: Mapped[int] = mapped_column(
        BigInteger, primary_key=True, autoincrement=False, comment="1, 2, 3… without a gap, in the order of commits"
    )
    first_event: Mapped[int] = mapped_column(BigInteger, comment="Lowest id of the events it covers")
    last_event: Mapped[int] = mapped_column(BigInteger, comment="Highest id of the events it covers")
    events: Mapped[int] = mapped_column(comment="How many it covers; ids between may be unused")
    total: Mapped[int] = mapped_column(BigInteger, comment="Events covered by this link and all before")
    digest: Mapped[str] = mapped_column(comment="sha256 over its events, each hashed")
    previous: Mapped[str] = mapped_column(comment="Head of the link before; 64 zeros for the first")
    head: Mapped[str] = mapped_column(comment="sha256 over this row and, by `previous`, all before")
    created_at: Mapped[datetime] = mapped_column(comment="By the database's clock")


class AuditSealRow(Base):
    """A head of the chain that was exported to S3. A trigger takes head, events and time from the database, not from the writer."""

    __tablename__ = "audit_seals"
    __table_args__ = (UniqueConstraint("link"), {"comment": "Heads of the chain that were exported to S3; append-only"})

    id: Mapped[BigSerial] = mapped_column(comment="Order of writing")
    link: Mapped[int] = mapped_column(BigInteger, comment="Up to which link; no foreign key: a seal outlives what it seals")
    head: Mapped[str] = mapped_column(comment="That link's head")
    events: Mapped[int] = mapped_column(BigInteger, comment="That link's total")
    created_at: Mapped[datetime] = mapped_column(comment="By the database's clock")
    bucket: Mapped[str] = mapped_column(comment="Where the head was exported to")
    key: Mapped[str] = mapped_column(comment="Key in it")
    version_id: Mapped[str | None] = mapped_column(comment="S3 version, where the bucket keeps them")
