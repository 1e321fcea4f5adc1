"""Words that outcomes are found by, and filters that people keep."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import PARTITIONED_BY_BATCH, Base, Now, Small

STANDING = text("removed_at IS NULL")


class OutcomeWordsRow(Base):
    """The stems of what the model said of an image."""

    __tablename__ = "outcome_words"
    __table_args__ = (
        Index("ix_outcome_words_words", "words", postgresql_using="gin"),
        {"comment": "What outcomes are found by; insert-only, and gone with their texts", **PARTITIONED_BY_BATCH},
    )

    tenant_id: Mapped[str] = mapped_column(primary_key=True, comment="Whose")
    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    words: Mapped[str] = mapped_column(TSVECTOR, comment="Stems of outcome_texts, in English")


class SavedFilterRow(Base):
    """A search that somebody keeps. Removed ones lose what they said; the application deletes no row."""

    __tablename__ = "saved_filters"
    __table_args__ = (
        CheckConstraint("removed_at IS NULL OR (name, query) = ('', '')", name="removed"),
        Index("uq_saved_filters_own", "tenant_id", "owner", "name", unique=True, postgresql_where=STANDING),
        Index("uq_saved_filters_shared", "tenant_id", "name", unique=True, postgresql_where=text("shared AND removed_at IS NULL")),
        {"comment": "Searches that people keep by a name"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    owner: Mapped[str] = mapped_column(comment="Who keeps it: person:<id> or key:<prefix>")
    name: Mapped[str] = mapped_column(comment="What its owner calls it; empty once removed")
    query: Mapped[str] = mapped_column(comment="The filter, as in the page's address; empty once removed")
    shared: Mapped[bool] = mapped_column(comment="Whether everybody of the tenant sees it")
    created_at: Mapped[Now] = mapped_column(comment="When it was made")
    updated_at: Mapped[Now] = mapped_column(comment="When it changed last")
    removed_at: Mapped[datetime | None] = mapped_column(comment="When it was removed, with all that it said")
