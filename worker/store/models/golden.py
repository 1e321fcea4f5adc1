"""The golden set: images whose answer is known, and the tasks by which reviewers are asked about them unknowingly."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import Verdict
from worker.store.models.base import Base, Now, Small, one_of


class GoldenItemRow(Base):
    """An image with its known answer. When that changes, earlier answers are measured by the new one."""

    __tablename__ = "golden_items"
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint("jsonb_typeof(boxes) = 'array'", name="boxes"),
        CheckConstraint("(retired_at IS NULL) = (retired_by IS NULL)", name="retired"),
        Index("ix_golden_items_tenant_id", "tenant_id", "batch_id", "ordinal"),
        {"comment": "Images whose answer is known, to measure reviewers with"},
    )

    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), primary_key=True, comment="Batch of the image")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="The image's place in it")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    revision: Mapped[Small] = mapped_column(comment="Which outcome is shown to reviewers")
    verdict: Mapped[str] = mapped_column(comment="real | generated: the known answer")
    boxes: Mapped[list[list[int]]] = mapped_column(
        JSONB,
        server_default=text("'[]'"),
        comment="Known boxes, each [x0, y0, x1, y1] in original oriented pixels; empty: none is known",
    )
    note: Mapped[str] = mapped_column(server_default=text("''"), comment="How it is known, for people")
    added_by: Mapped[str] = mapped_column(comment="Who said last what the answer is; never asked themselves")
    added_at: Mapped[Now] = mapped_column(comment="When")
    retired_by: Mapped[str | None] = mapped_column(comment="Who took it out of the set")
    retired_at: Mapped[datetime | None] = mapped_column(comment="When; nobody is asked about it from then on")


class GoldenTaskRow(Base):
    """What a golden task has beside others."""

    __tablename__ = "golden_tasks"
    __table_args__ = (
        Index("ix_golden_tasks_reviewer", "reviewer", "made_at"),
        {"comment": "What golden tasks have beside others: for whom, and as what they are shown; insert-only"},
    )

    task_id: Mapped[int] = mapped_column(
        ForeignKey("review_tasks.id"), primary_key=True, autoincrement=False, comment="The task, of kind golden"
    )
    reviewer: Mapped[str] = mapped_column(comment="Whom alone it was made for")
    policy_version: Mapped[str] = mapped_column(comment="The version that is shown: of the task that it stands in for")
    made_at: Mapped[Now] = mapped_column(comment="When it was made: the task does not say")
