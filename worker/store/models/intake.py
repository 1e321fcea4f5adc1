"""Tenants, batches, items, row errors."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import PARTITIONED_BY_BATCH, Base, Now, Small, one_of


class BatchState(StrEnum):
    """Where a batch stands."""

    RECEIVING = "receiving"  # intake is still reading the source; chunks already run
    RUNNING = "running"  # intake is complete
    PAUSED = "paused"  # an operator must act; see pause_reason
    CANCELLING = "cancelling"
    FINISHED = "finished"
    CANCELLED = "cancelled"
    REJECTED = "rejected"  # not one good row


class TenantRow(Base):
    """Who submits."""

    __tablename__ = "tenants"
    __table_args__ = {"comment": "Who submits batches"}  # noqa: RUF012

    id: Mapped[str] = mapped_column(primary_key=True, comment="Slug")
    created_at: Mapped[Now] = mapped_column(comment="When the tenant was first seen")


class BatchRow(Base):
    """One submission."""

    __tablename__ = "batches"
    __table_args__ = (
        UniqueConstraint("tenant_id", "idempotency_key"),
        CheckConstraint(one_of("state", BatchState), name="state"),
        Index("ix_batches_tenant_id", "tenant_id", "id"),
        Index("ix_batches_open", "priority", "id", postgresql_where=text("state IN ('receiving','running','cancelling')")),
        {"comment": "One submission of a tenant"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7, given by intake")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Who submitted")
    idempotency_key: Mapped[str] = mapped_column(comment="Submitting the same key again returns this batch")
    request_digest: Mapped[str] = mapped_column(comment="sha256 of the request; the same key with another request is refused")
    source: Mapped[str] = mapped_column(comment="S3 prefix, manifest or folder, as submitted; never a credential")
    state: Mapped[str] = mapped_column(comment="receiving | running | paused | cancelling | finished | cancelled | rejected")
    pause_reason: Mapped[str | None] = mapped_column(comment="What an operator must mend before resuming")
    priority: Mapped[Small] = mapped_column(server_default=text("0"), comment="Higher is announced first")
    policy: Mapped[str] = mapped_column(server_default=text("'default'"), comment="The tenant's policy that routes its outcomes")
    revision: Mapped[Small] = mapped_column(server_default=text("1"), comment="Newest revision; a rescan adds one")
    intake_cursor: Mapped[dict[str, Any]] = mapped_column(
        JSONB, server_default=text("'{}'::jsonb"), comment="Where intake resumes; committed with each slice"
    )
    items_accepted: Mapped[int] = mapped_column(server_default=text("0"), comment="Rows that became items")
    rows_rejected: Mapped[int] = mapped_column(server_default=text("0"), comment="Rows that became row errors")
    created_at: Mapped[Now] = mapped_column(comment="When the batch was accepted")
    received_at: Mapped[datetime | None] = mapped_column(comment="When intake was complete")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When the newest revision had its last outcome")


class ItemRow(Base):
    """One image reference; written once by COPY, updated by nothing but its end. No foreign key: it would cost a look-up per row."""

    __tablename__ = "items"
    __table_args__ = (
        UniqueConstraint("batch_id", "custom_id"),
        Index("ix_items_uploaded", "bucket", "key", postgresql_where=text("key LIKE 'folders/%'")),  # who else names an upload of ours
        {"comment": "One image reference of a batch; insert-only", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="0, 1, 2… among accepted rows")
    custom_id: Mapped[str] = mapped_column(comment="The submitter's name for it, unique in the batch; line:N when none was given")
    bucket: Mapped[str] = mapped_column(comment="S3 bucket")
    key: Mapped[str] = mapped_column(comment="S3 key")
    version_id: Mapped[str | None] = mapped_column(comment="S3 version, when the submitter pinned one")
    line: Mapped[int] = mapped_column(comment="Line or listing position in the source, from 1")
    attributes: Mapped[dict[str, Any] | None] = mapped_column(
        "metadata", JSONB, comment="The submitter's metadata; never shown to the model"
    )


class RowErrorRow(Base):
    """A row that could not become an item."""

    __tablename__ = "row_errors"
    __table_args__ = {"comment": "Source rows that were refused; insert-only", **PARTITIONED_BY_BATCH}  # noqa: RUF012

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    line: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Line or listing position in the source, from 1")
    code: Mapped[str] = mapped_column(comment="Stable code of the error")
    message: Mapped[str] = mapped_column(comment="What is wrong and what to do, for people")


class IntakeRow(Base):
    """A source that the intake worker reads in the background. Batches that a command reads by itself have none."""

    __tablename__ = "intakes"
    __table_args__ = (
        Index("ix_intakes_open", "next_attempt_at", postgresql_where=text("ended_at IS NULL")),
        {"comment": "Sources that the intake worker reads in the background, under a lease"},
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True, comment="Which batch it fills")
    source: Mapped[str] = mapped_column(comment="s3:// prefix or manifest; never a credential")
    identity: Mapped[str] = mapped_column(comment="ETag of the manifest that was accepted; empty for a prefix")
    next_attempt_at: Mapped[Now] = mapped_column(comment="Not claimed before this, by the database's clock")
    attempts: Mapped[Small] = mapped_column(server_default=text("0"), comment="Claims since the last slice was written")
    lease_owner: Mapped[str | None] = mapped_column(comment="Which process reads it")
    lease_expires_at: Mapped[datetime | None] = mapped_column(comment="By the database's clock; another process goes on after that")
    last_error: Mapped[str | None] = mapped_column(comment="Why the last attempt ended early")
    ended_at: Mapped[datetime | None] = mapped_column(comment="When there was nothing left to read")
