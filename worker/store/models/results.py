"""Outcomes, regions, traces, evidence, releases, routings."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, SmallInteger, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from worker.moderation.outcomes import OutcomeKind, RetentionClass, Stage, Verdict, ZoomPath
from worker.moderation.policy import Route
from worker.moderation.release import Training
from worker.store.models.base import PARTITIONED_BY_BATCH, Base, BigSerial, Jsonb, Now, Small, one_of


class ReleaseRow(Base):
    """Everything that can change a score."""

    __tablename__ = "releases"
    __table_args__ = (
        CheckConstraint(one_of("training", Training), name="training"),
        {"comment": "Weights, prompts, calibration, limits, engine: everything that can change a score"},
    )

    id: Mapped[str] = mapped_column(primary_key=True, comment="Name and a hash over all facts")
    name: Mapped[str] = mapped_column(comment="Name of the model")
    training: Mapped[str] = mapped_column(comment="untrained | zero_shot | trained: how far its verdicts can be trusted")
    facts: Mapped[Jsonb] = mapped_column(comment="Every fact the hash covers")
    created_at: Mapped[Now] = mapped_column(comment="When it was first used")


class OutcomeRow(Base):
    """The one terminal record of an item and revision."""

    __tablename__ = "outcomes"
    __table_args__ = (
        CheckConstraint(one_of("kind", OutcomeKind), name="kind"),
        CheckConstraint(one_of("verdict", Verdict), name="verdict"),
        CheckConstraint(one_of("path", ZoomPath), name="path"),
        CheckConstraint("(kind = 'verdict') = (verdict IS NOT NULL)", name="verdict_kind"),
        CheckConstraint("p_generated BETWEEN 0 AND 1", name="p_generated"),
        Index("ix_outcomes_sent_sha256", "sent_sha256", postgresql_where=text("sent_sha256 IS NOT NULL")),
        Index("ix_outcomes_image_sha256", "image_sha256", "batch_id", postgresql_where=text("image_sha256 IS NOT NULL")),
        Index(
            "ix_outcomes_perceptual_bands",
            text("perceptual_bands(perceptual_hash)"),
            postgresql_using="gin",
            postgresql_with={"fastupdate": "off"},
            postgresql_where=text("perceptual_hash IS NOT NULL"),
        ),
        Index("ix_outcomes_created_at", "created_at", postgresql_using="brin"),  # written in the order of time: a few pages tell all
        {"comment": "The one terminal record of an item and revision; insert-only", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="1, or more after rescans")
    chunk_id: Mapped[int] = mapped_column(BigInteger, comment="Under whose lease it was written")
    kind: Mapped[str] = mapped_column(comment="verdict | unreadable | failed | cancelled")
    verdict: Mapped[str | None] = mapped_column(comment="real | generated; only for kind verdict")
    p_generated: Mapped[float | None] = mapped_column(comment="P(generated), calibrated when the release has a calibration")
    p_generated_raw: Mapped[float | None] = mapped_column(comment="P(generated) as the verdict token's log-probabilities give it")
    scan_verdict: Mapped[str | None] = mapped_column(comment="The scan's provisional verdict")
    scan_p_generated: Mapped[float | None] = mapped_column(comment="P(generated) of the provisional verdict, raw")
    explanation: Mapped[str | None] = mapped_column(comment="The zoom's explanation: untrusted model text, control characters removed")
    scan_explanation: Mapped[str | None] = mapped_column(comment="The scan's explanation: untrusted model text")
    path: Mapped[str | None] = mapped_column(comment="zoomed | second_look (no usable regions)")
    release_id: Mapped[str | None] = mapped_column(comment="Which release judged; null when none did")
    image_sha256: Mapped[str | None] = mapped_column(comment="sha256 of the bytes that were judged")
    etag: Mapped[str | None] = mapped_column(comment="S3 ETag of those bytes")
    version_id: Mapped[str | None] = mapped_column(comment="S3 version of those bytes")
    byte_count: Mapped[int | None] = mapped_column(comment="Size of the object")
    media_type: Mapped[str | None] = mapped_column(comment="By content, not by name")
    width: Mapped[int | None] = mapped_column(comment="Pixels, after EXIF orientation")
    height: Mapped[int | None] = mapped_column(comment="Pixels, after EXIF orientation")
    sent_sha256: Mapped[str | None] = mapped_column(comment="Evidence: the shrunken whole image as the model was sent it")
    error_code: Mapped[str | None] = mapped_column(comment="Stable code; for kinds unreadable and failed")
    error_message: Mapped[str | None] = mapped_column(comment="What happened and what to do, for people")
    fetch_seconds: Mapped[float | None] = mapped_column(comment="Time in fetch")
    decode_seconds: Mapped[float | None] = mapped_column(comment="Time in decode and shrink")
    scan_seconds: Mapped[float | None] = mapped_column(comment="Time in the scan")
    zoom_seconds: Mapped[float | None] = mapped_column(comment="Time in the zoom")
    created_at: Mapped[Now] = mapped_column(comment="When it was written")
    perceptual_hash: Mapped[int | None] = mapped_column(
        BigInteger, comment="64-bit pHash (DCT) of the shrunken whole image, signed: few bits apart, they look alike. A hint, no proof"
    )
    jpeg_quality: Mapped[int | None] = mapped_column(
        SmallInteger, comment="1..100 on libjpeg's scale, from the file's tables; null: not a JPEG, or not estimated"
    )
    blur: Mapped[float | None] = mapped_column(comment="Standard deviation of the Gaussian in its sharpest edges, original pixels")
    rescaling: Mapped[float | None] = mapped_column(comment="It was enlarged by this factor; 1: no trace of that; null: too small to tell")
    border: Mapped[list[int] | None] = mapped_column(
        ARRAY(Integer), comment="Uniform borders: left, top, right, bottom, in original oriented pixels"
    )
    degradation_band: Mapped[str | None] = mapped_column(
        comment="blurred | rescaled | compressed | framed | clean: the first that holds; its calibration made p_generated"
    )


class RegionRow(Base):
    """A box of an outcome."""

    __tablename__ = "regions"
    __table_args__ = (
        Index("ix_regions_crop_sha256", "crop_sha256", postgresql_where=text("crop_sha256 IS NOT NULL")),
        {"comment": "Boxes of an outcome, in original oriented pixels; insert-only", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    position: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="1, 2… in the model's order")
    x0: Mapped[int] = mapped_column(comment="Left, original oriented pixels")
    y0: Mapped[int] = mapped_column(comment="Top")
    x1: Mapped[int] = mapped_column(comment="Right, exclusive")
    y1: Mapped[int] = mapped_column(comment="Bottom, exclusive")
    reason: Mapped[str] = mapped_column(comment="Why the scan wants a closer look: untrusted model text")
    finding: Mapped[str | None] = mapped_column(comment="What the zoom found: untrusted model text")
    crop_sha256: Mapped[str | None] = mapped_column(comment="Evidence: the crop as the model was sent it")
    crop_x0: Mapped[int | None] = mapped_column(comment="Left of what was cut (padded box), original oriented pixels")
    crop_y0: Mapped[int | None] = mapped_column(comment="Top of what was cut")
    crop_x1: Mapped[int | None] = mapped_column(comment="Right of what was cut, exclusive")
    crop_y1: Mapped[int | None] = mapped_column(comment="Bottom of what was cut, exclusive")
    scale: Mapped[float | None] = mapped_column(comment="Sent pixels per original pixel")


class TraceRow(Base):
    """One request to the model and its reply."""

    __tablename__ = "traces"
    __table_args__ = (
        CheckConstraint(one_of("stage", Stage), name="stage"),
        {"comment": "Every request and reply, enough to replay; insert-only", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    stage: Mapped[str] = mapped_column(primary_key=True, comment="scan | zoom")
    attempt: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="1, or 2 after an unreadable reply")
    request: Mapped[dict[str, Any]] = mapped_column(JSONB, comment="The conversation; images by sha256")
    reply: Mapped[str] = mapped_column(comment="The raw reply: untrusted model text")
    finish_reason: Mapped[str] = mapped_column(comment="stop | length | …")
    prompt_tokens: Mapped[int] = mapped_column(comment="Tokens of the prompt, image tokens included")
    cached_tokens: Mapped[int | None] = mapped_column(comment="Of those, taken from the prefix cache")
    attainable_tokens: Mapped[int | None] = mapped_column(comment="Most that whole-block prefix reuse could have given (zoom only)")
    completion_tokens: Mapped[int] = mapped_column(comment="Tokens of the reply")
    seconds: Mapped[float] = mapped_column(comment="From request to reply")


class EvidenceRow(Base):
    """An object in the evidence bucket, held by the regions and outcomes that name it. The one image-grain row that may change."""

    __tablename__ = "evidence"
    __table_args__ = (
        CheckConstraint(one_of("retention_class", RetentionClass), name="retention_class"),
        CheckConstraint("gone_at IS NULL OR removed_at IS NOT NULL", name="gone"),
        Index("ix_evidence_due", "due_at", "sha256", postgresql_where=text("removed_at IS NULL")),
        Index("ix_evidence_removed", "sha256", postgresql_where=text("removed_at IS NOT NULL")),
        {"comment": "The pixels the model was sent, content-addressed in our own bucket"},
    )

    sha256: Mapped[str] = mapped_column(primary_key=True, comment="Of the object's bytes; also its name in the bucket")
    bucket: Mapped[str] = mapped_column(comment="Evidence bucket")
    key: Mapped[str] = mapped_column(comment="Key in it")
    media_type: Mapped[str] = mapped_column(comment="Lossless")
    byte_count: Mapped[int] = mapped_column(comment="Size")
    retention_class: Mapped[str] = mapped_column(comment="routine | case; only ever rises")
    created_at: Mapped[Now] = mapped_column(comment="When it was first kept")
    due_at: Mapped[Now] = mapped_column(comment="When retention looks at it next; whether it goes is then up to the items that hold it")
    removed_at: Mapped[datetime | None] = mapped_column(comment="When its removal was decided; keeping the same pixels waits from then on")
    gone_at: Mapped[datetime | None] = mapped_column(
        comment="When the object was no longer in the bucket; kept again after that, it is back"
    )


class RoutingRow(Base):
    """What a policy version made of an outcome."""

    __tablename__ = "routings"
    __table_args__ = (
        CheckConstraint(one_of("route", Route), name="route"),
        CheckConstraint(one_of("mode", ("live", "shadow")), name="mode"),
        {"comment": "What a policy version made of an outcome; insert-only", **PARTITIONED_BY_BATCH},
    )

    batch_id: Mapped[UUID] = mapped_column(primary_key=True, comment="Its batch")
    ordinal: Mapped[int] = mapped_column(primary_key=True, autoincrement=False, comment="Its item")
    revision: Mapped[Small] = mapped_column(primary_key=True, autoincrement=False, comment="Its outcome's revision")
    policy_version: Mapped[str] = mapped_column(primary_key=True, comment="Which policy version routed")
    mode: Mapped[str] = mapped_column(comment="live | shadow")
    route: Mapped[str] = mapped_column(comment="pass | review | flag")
    reason: Mapped[str] = mapped_column(comment="Why, for people")
    created_at: Mapped[Now] = mapped_column(comment="When it was routed")


class StageTallyRow(Base):
    """How many verdicts one write of outcomes brought, and on how many of them scan and zoom differ."""

    __tablename__ = "stage_tallies"
    __table_args__ = (
        CheckConstraint("0 <= disagreed AND disagreed <= verdicts", name="disagreed"),
        Index("ix_stage_tallies_tenant", "tenant_id", "created_at"),
        {"comment": "Verdicts to which scan and zoom both came, and on how many they differ, one row per write; insert-only"},
    )

    id: Mapped[BigSerial] = mapped_column(comment="Nothing more than a key")
    tenant_id: Mapped[str] = mapped_column(ForeignKey("tenants.id"), comment="Whose outcomes")
    release_id: Mapped[str] = mapped_column(comment="Which release judged")
    verdicts: Mapped[int] = mapped_column(comment="Verdicts to which both stages came")
    disagreed: Mapped[int] = mapped_column(comment="Of those, on which they differ")
    created_at: Mapped[Now] = mapped_column(comment="When the outcomes were written")
