"""Retention: terms, legal holds, tombstones of erased images, and how far the sweep of each batch is."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.retention import TermKind
from worker.store.models.base import Base, Now, one_of


class RetentionTermRow(Base):
    """How long something is kept. The owner changes it; the application only reads."""

    __tablename__ = "retention_terms"
    __table_args__ = (
        CheckConstraint(one_of("kind", TermKind), name="kind"),
        CheckConstraint("days BETWEEN 1 AND 36500", name="days"),
        {"comment": "How long what is kept; changed by the owner, read by the application"},
    )

    kind: Mapped[str] = mapped_column(primary_key=True, comment="routine | case | contested, the classes of images; or a kind of rows")
    days: Mapped[int] = mapped_column(comment="Days")


class LegalHoldRow(Base):
    """Nothing of an item, or of a batch, is purged or erased until it is released."""

    __tablename__ = "legal_holds"
    __table_args__ = (
        CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name="released"),
        Index("ix_legal_holds_standing", "batch_id", "ordinal", postgresql_where=text("released_at IS NULL")),
        Index("ix_legal_holds_tenant_id", "tenant_id", "id"),
        {"comment": "Items and batches of which nothing is purged or erased"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), comment="Batch that is held, or batch of the item")
    ordinal: Mapped[int | None] = mapped_column(comment="The item; null: the whole batch")
    reason: Mapped[str] = mapped_column(comment="Why, in the words of who placed it")
    placed_by: Mapped[str] = mapped_column(comment="Who placed it")
    placed_at: Mapped[Now] = mapped_column(comment="When")
    released_by: Mapped[str | None] = mapped_column(comment="Who released it")
    released_at: Mapped[datetime | None] = mapped_column(comment="When; null while it stands")


class ErasureRow(Base):
    """The tombstone of an erased image. Written by the database's function alone."""

    __tablename__ = "erasures"
    __table_args__ = (
        CheckConstraint("(upload_bucket IS NULL) = (upload_key IS NULL)", name="upload"),
        Index("ix_erasures_upload", "batch_id", "ordinal", postgresql_where=text("upload_key IS NOT NULL")),
        {"comment": "Tombstones of erased images"},
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    reason: Mapped[str] = mapped_column(comment="A code")
    erased_by: Mapped[str] = mapped_column(comment="Who")
    erased_at: Mapped[Now] = mapped_column(comment="When")
    upload_bucket: Mapped[str | None] = mapped_column(comment="Where our own upload of it is, until that is removed")
    upload_key: Mapped[str | None] = mapped_column(comment="Key of that")


class DetailsSweepRow(Base):
    """How far the purge of traces and metadata has come in a batch."""

    __tablename__ = "details_sweeps"
    __table_args__ = (
        Index("ix_details_sweeps_due", "due_at"),
        {"comment": "How far the purge of traces and metadata has come in each batch"},
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True, comment="Which batch")
    next_ordinal: Mapped[int] = mapped_column(server_default=text("0"), comment="Where an interrupted sweep goes on")
    earliest: Mapped[datetime | None] = mapped_column(comment="Of what this sweep left so far, when the first will be due")
    due_at: Mapped[datetime | None] = mapped_column(comment="When it is looked at again; null: nothing was left")
    looked_at: Mapped[Now] = mapped_column(comment="When it was last looked at")
