"""Attention maps of outcomes: figures and names of files."""

from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import Stage
from worker.store.models.base import Base, Now, Small, one_of

TARGET_KINDS = ("verdict", "sentence", "box")


class AttentionMapRow(Base):
    """The maps of one outcome, and how far the verdict's own can be believed."""

    __tablename__ = "attention_maps"
    __table_args__ = (
        UniqueConstraint("batch_id", "ordinal", "revision"),
        Index("ix_attention_maps_values_sha256", "values_sha256"),
        {"comment": "Attention maps of outcomes, all targets of one in a row; insert-only, and gone with an erased image"},
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, comment="UUIDv7")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose")
    batch_id: Mapped[UUID] = mapped_column(ForeignKey("batches.id"), comment="Batch of the outcome")
    ordinal: Mapped[int] = mapped_column(comment="Item of the outcome")
    revision: Mapped[Small] = mapped_column(comment="Revision of the outcome")
    sampled: Mapped[bool] = mapped_column(comment="A policy drew it; else somebody asked, and such maps stand for no others")
    method: Mapped[str] = mapped_column(comment="How relevance is computed")
    release_id: Mapped[str] = mapped_column(ForeignKey("releases.id"), comment="Which release judged; its checkpoint was read again")
    logprob_gap: Mapped[float] = mapped_column(comment="Nats between the verdict's log-probabilities as recorded and as read again")
    mass_in_regions: Mapped[float | None] = mapped_column(comment="Share of the verdict's map inside the named boxes")
    mass_in_random: Mapped[float | None] = mapped_column(comment="The same inside boxes of the same sides at random places")
    mass_in_placed: Mapped[float | None] = mapped_column(comment="The same inside such boxes that lie wholly inside the image")
    pointing_game: Mapped[bool | None] = mapped_column(comment="Whether the map's peak lies in a named box")
    seconds: Mapped[float] = mapped_column(comment="To compute and draw, loading excluded")
    values_sha256: Mapped[str] = mapped_column(comment="Evidence: the raw arrays, npz")
    created_at: Mapped[Now] = mapped_column(comment="When it was recorded")


class AttentionTargetRow(Base):
    """One target of an outcome's maps: the verdict, a sentence, a box."""

    __tablename__ = "attention_targets"
    __table_args__ = (
        UniqueConstraint("map_id", "name"),
        CheckConstraint(one_of("stage", Stage), name="stage"),
        CheckConstraint(one_of("kind", TARGET_KINDS), name="kind"),
        Index("ix_attention_targets_layer_sha256", "layer_sha256"),
        Index("ix_attention_targets_overlay_sha256", "overlay_sha256"),
        {"comment": "What single attention maps explain, and their pictures; insert-only, and gone with an erased image"},
    )

    map_id: Mapped[UUID] = mapped_column(ForeignKey("attention_maps.id", ondelete="CASCADE"), primary_key=True, comment="Of which maps")
    position: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2… as they were drawn")
    batch_id: Mapped[UUID] = mapped_column(comment="Batch of the outcome: who holds the pictures")
    ordinal: Mapped[int] = mapped_column(comment="Item of the outcome")
    name: Mapped[str] = mapped_column(comment="zoom-verdict, scan-sentence-2, scan-box-1, …")
    stage: Mapped[str] = mapped_column(comment="scan | zoom")
    kind: Mapped[str] = mapped_column(comment="verdict | sentence | box")
    number: Mapped[Small] = mapped_column(comment="From 1, among those of its kind and stage")
    text: Mapped[str] = mapped_column(comment="What of the reply is explained: untrusted model text")
    on_images: Mapped[float] = mapped_column(comment="Share of the relevance that lay on images; the rest lay on words")
    layer_sha256: Mapped[str] = mapped_column(comment="Evidence: the map alone, PNG with alpha, in pixels of the image as sent")
    overlay_sha256: Mapped[str] = mapped_column(comment="Evidence: the map over the image, with boxes and a legend")
