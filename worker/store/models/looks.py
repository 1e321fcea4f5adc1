"""Looks: what was asked of a recorded image, and what the model said. They end with the traces that they continue."""

from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import Stage, Verdict
from worker.store.models.base import Base, Now, Small, one_of


class LookRow(Base):
    """A look that was asked for. Each asker's looks at an outcome are a dialogue of their own."""

    __tablename__ = "looks"
    __table_args__ = (
        # A look continues a recorded scan, and goes when that goes: at the end of its term, or with the erased image.
        ForeignKeyConstraint(
            ["batch_id", "ordinal", "revision", "trace_stage", "trace_attempt"],
            ["traces.batch_id", "traces.ordinal", "traces.revision", "traces.stage", "traces.attempt"],
            name="fk_looks_traces",
            ondelete="CASCADE",
        ),
        UniqueConstraint("batch_id", "ordinal", "revision", "author", "number"),
        CheckConstraint(f"trace_stage = '{Stage.SCAN}'", name="trace_stage"),
        CheckConstraint("0 <= x0 AND x0 < x1 AND 0 <= y0 AND y0 < y1", name="box"),
        Index("ix_looks_author", "tenant_id", "author"),
        {"comment": "Closer looks that somebody asked the model for; insert-only. None changes a verdict"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7; also the key of its explanation job")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    batch_id: Mapped[UUID] = mapped_column(comment="Batch of the outcome")
    ordinal: Mapped[int] = mapped_column(comment="Its item")
    revision: Mapped[Small] = mapped_column(comment="Its revision")
    trace_stage: Mapped[str] = mapped_column(server_default=text(f"'{Stage.SCAN}'"), comment="scan: whose conversation is continued")
    trace_attempt: Mapped[Small] = mapped_column(comment="Which attempt of it")
    author: Mapped[str] = mapped_column(comment="Who asked: an actor")
    number: Mapped[Small] = mapped_column(comment="1, 2… in the author's dialogue about the outcome")
    position: Mapped[int | None] = mapped_column(comment="The outcome's region that was asked about; null for a box of the asker's own")
    x0: Mapped[int] = mapped_column(comment="Left of what was asked for, original oriented pixels")
    y0: Mapped[int] = mapped_column(comment="Top")
    x1: Mapped[int] = mapped_column(comment="Right, exclusive")
    y1: Mapped[int] = mapped_column(comment="Bottom, exclusive")
    question: Mapped[str] = mapped_column(comment="In the asker's words; empty: only what is seen there")
    created_at: Mapped[Now] = mapped_column(comment="When it was asked")


class LookAnswerRow(Base):
    """A request to the model for a look, and its reply. Of two, the first could not be read."""

    __tablename__ = "look_answers"
    __table_args__ = (
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint("p_generated BETWEEN 0 AND 1", name="p_generated"),
        Index("ix_look_answers_crop_sha256", "crop_sha256"),
        {"comment": "What the model was sent for looks, and what came back, enough to replay; insert-only"},
    )

    look_id: Mapped[UUID] = mapped_column(ForeignKey("looks.id", ondelete="CASCADE"), primary_key=True, comment="Of which look")
    attempt: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="1, or 2 after an unreadable reply")
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), comment="Which release looked; not always the one that judged")
    wording: Mapped[str] = mapped_column(comment="Version and sha256 of the text behind the crop; no part of the release")
    question_put: Mapped[bool] = mapped_column(comment="Whether the model was asked the question; a narrow one only says what it finds")
    crop_x0: Mapped[int] = mapped_column(comment="Left of what was cut (padded box), original oriented pixels")
    crop_y0: Mapped[int] = mapped_column(comment="Top of what was cut")
    crop_x1: Mapped[int] = mapped_column(comment="Right of what was cut, exclusive")
    crop_y1: Mapped[int] = mapped_column(comment="Bottom of what was cut, exclusive")
    crop_sha256: Mapped[str] = mapped_column(comment="Evidence: the crop as the model was sent it")
    scale: Mapped[float] = mapped_column(comment="Sent pixels per original pixel")
    finding: Mapped[str | None] = mapped_column(comment="What it found there: untrusted model text; null when the reply could not be read")
    explanation: Mapped[str | None] = mapped_column(comment="Its explanation: untrusted model text")
    verdict: Mapped[str | None] = mapped_column(comment="real | generated: its word on this crop alone, never the image's verdict")
    p_generated: Mapped[float | None] = mapped_column(comment="P(generated) of that word, raw: no calibration holds for looks")
    request: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="The conversation; images by sha256")
    reply: Mapped[str] = mapped_column(comment="The raw reply: untrusted model text")
    finish_reason: Mapped[str] = mapped_column(comment="stop | length | …")
    prompt_tokens: Mapped[int] = mapped_column(comment="Tokens of the prompt, image tokens included")
    cached_tokens: Mapped[int | None] = mapped_column(comment="Of those, taken from the prefix cache")
    completion_tokens: Mapped[int] = mapped_column(comment="Tokens of the reply")
    seconds: Mapped[float] = mapped_column(comment="From request to reply")
    created_at: Mapped[Now] = mapped_column(comment="When it was written")
