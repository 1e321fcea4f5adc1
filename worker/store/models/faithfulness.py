"""Tests of explanations: what hiding the cited regions did to the score."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.faithfulness import Fill
from worker.store.models.base import PARTITIONED_BY_BATCH, Base, Now, Small, one_of


class FaithfulnessCheckRow(Base):
    """A verdict's check: what it found, or why it came to nothing, and what it cost."""

    __tablename__ = "faithfulness_checks"
    __table_args__ = (
        CheckConstraint("(score_drop IS NULL) = (error_code IS NOT NULL)", name="ended"),
        CheckConstraint("(score_drop IS NULL) = (control_drop IS NULL)", name="paired"),
        {"comment": "Tests of explanations, one per verdict that was tested; insert-only", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    score_drop: Mapped[float | None] = mapped_column(
        comment="P(generated) less that with all cited regions hidden, mean over the fills; null when the check came to nothing"
    )
    control_drop: Mapped[float | None] = mapped_column(comment="The same with as much hidden elsewhere")
    requests: Mapped[int] = mapped_column(comment="Cost: requests to the model beside the verdict's own")
    prompt_tokens: Mapped[int] = mapped_column(comment="Cost: tokens of their prompts")
    completion_tokens: Mapped[int] = mapped_column(comment="Cost: tokens of the replies")
    seconds: Mapped[float] = mapped_column(comment="Cost: from the verdict to the end of the check")
    error_code: Mapped[str | None] = mapped_column(comment="Stable code of why the check came to nothing")
    error_message: Mapped[str | None] = mapped_column(comment="The same, for people")
    created_at: Mapped[Now] = mapped_column(comment="When it was written")


class FaithfulnessMaskingRow(Base):
    """P(generated) with something hidden in one way, and with as much hidden elsewhere."""

    __tablename__ = "faithfulness_maskings"
    __table_args__ = (
        CheckConstraint(one_of("fill", Fill), name="fill"),
        CheckConstraint("p_masked BETWEEN 0 AND 1 AND p_control BETWEEN 0 AND 1", name="scores"),
        {"comment": "What a check of an explanation asked, fill by fill; insert-only, gone with the image", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    position: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="The region's; 0: all of them at once")
    fill: Mapped[str] = mapped_column(primary_key=True, comment="blur | mean: what stood where something was hidden")
    p_masked: Mapped[float] = mapped_column(comment="P(generated), calibrated as the verdict's, with the cited hidden")
    p_control: Mapped[float] = mapped_column(comment="P(generated) with disjoint patches of the same area hidden elsewhere")
    controls: Mapped[list[Any]] = mapped_column(JSONB, comment="Those patches, [x0, y0, x1, y1] each, in original oriented pixels")
