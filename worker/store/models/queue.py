"""Chunks: the only rows that change while images are judged. They carry leases, attempts and counters."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from worker.store.models.base import Base, BigSerial, Now, Small, one_of


class ChunkState(StrEnum):
    """Where a chunk stands."""

    READY = "ready"  # may be announced once next_attempt_at has come
    ANNOUNCED = "announced"  # its id is in Redis; may be claimed, is rung again when nobody does
    LEASED = "leased"  # a worker holds it until lease_expires_at
    DONE = "done"  # every item has its outcome
    SPLIT = "split"  # it kept failing; its two halves live on


class ChunkRow(Base):
    """A range [lo, hi) of a batch's ordinals: the unit of lease and of a Celery message."""

    __tablename__ = "chunks"
    __table_args__ = (
        UniqueConstraint("batch_id", "revision", "lo", "hi"),
        CheckConstraint("lo < hi", name="range"),
        CheckConstraint(one_of("state", ChunkState), name="state"),
        CheckConstraint("(state = 'leased') = (lease_token IS NOT NULL)", name="lease"),
        Index("ix_chunks_unfinished", "batch_id", "state", "lo", postgresql_where=text("state IN ('ready','announced','leased')")),
        Index("ix_chunks_suspect", "id", postgresql_where=text("suspect")),
        {"comment": "A range of items: the unit of lease and of a message"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="What a Celery message carries")
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), comment="Its batch")
    revision: Mapped[Small] = mapped_column(server_default=text("1"), comment="Which revision of outcomes it produces")
    lo: Mapped[int] = mapped_column(comment="First ordinal")
    hi: Mapped[int] = mapped_column(comment="One past the last ordinal")
    state: Mapped[str] = mapped_column(server_default=text("'ready'"), comment="ready | announced | leased | done | split")
    next_attempt_at: Mapped[Now] = mapped_column(comment="Not announced before this, by the database's clock")
    announced_at: Mapped[datetime | None] = mapped_column(comment="When its id was last put into Redis")
    announcements: Mapped[int] = mapped_column(server_default=text("0"), comment="How often it was announced since the last progress")
    attempts: Mapped[Small] = mapped_column(server_default=text("0"), comment="Claims since the last progress")
    suspect: Mapped[bool] = mapped_column(server_default=text("false"), comment="In flight when an engine died: rerun one at a time")
    leased_at: Mapped[datetime | None] = mapped_column(comment="When the present or last lease was claimed")
    lease_owner: Mapped[str | None] = mapped_column(comment="Which worker holds it")
    lease_token: Mapped[UUID | None] = mapped_column(comment="Fencing token: every write names it")
    lease_expires_at: Mapped[datetime | None] = mapped_column(comment="By the database's clock")
    verdicts: Mapped[int] = mapped_column(server_default=text("0"), comment="Outcomes that are verdicts")
    flagged: Mapped[int] = mapped_column(server_default=text("0"), comment="Verdicts that the live policy flags")
    unreadable: Mapped[int] = mapped_column(server_default=text("0"), comment="Outcomes that could not be read")
    failed: Mapped[int] = mapped_column(server_default=text("0"), comment="Outcomes that are failures")
    cancelled: Mapped[int] = mapped_column(server_default=text("0"), comment="Outcomes that were cancelled")
    last_error: Mapped[str | None] = mapped_column(comment="Why the last attempt ended early")
    created_at: Mapped[Now] = mapped_column(comment="When the range was cut")
    finished_at: Mapped[datetime | None] = mapped_column(comment="When its last outcome was written")
