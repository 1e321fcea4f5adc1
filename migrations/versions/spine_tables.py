"""The spine's tables, each partitioned one with a DEFAULT partition."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "spine_tables"
down_revision = None
branch_labels = None
depends_on = None

PARTITIONED = ("items", "row_errors", "outcomes", "regions", "traces", "routings")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Order of writing"),
        sa.Column(
            "occurred_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="By the database's clock"
        ),
        sa.Column("actor", sa.Text(), nullable=False, comment="Worker, command or person"),
        sa.Column("action", sa.Text(), nullable=False, comment="batch.created | outcome.recorded | write.fenced | …"),
        sa.Column("batch_id", sa.UUID(), nullable=True, comment="Which batch"),
        sa.Column("ordinal", sa.Integer(), nullable=True, comment="Which item"),
        sa.Column("revision", sa.Integer(), nullable=True, comment="Which revision"),
        sa.Column("payload_digest", sa.Text(), nullable=True, comment="sha256 of what was recorded; personal data stays outside"),
        sa.Column("detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="Counts, codes and ids; no personal data"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_events")),
        comment="Who did what, when, to which item and revision; append-only",
    )
    op.create_index("ix_audit_events_batch_id_ordinal", "audit_events", ["batch_id", "ordinal"], unique=False)
    op.create_table(
        "evidence",
        sa.Column("sha256", sa.Text(), nullable=False, comment="Of the object's bytes; also its name in the bucket"),
        sa.Column("bucket", sa.Text(), nullable=False, comment="Evidence bucket"),
        sa.Column("key", sa.Text(), nullable=False, comment="Key in it"),
        sa.Column("media_type", sa.Text(), nullable=False, comment="Lossless"),
        sa.Column("byte_count", sa.Integer(), nullable=False, comment="Size"),
        sa.Column("retention_class", sa.Text(), nullable=False, comment="routine | case; only ever rises"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was first kept"
        ),
        sa.CheckConstraint("retention_class IN ('routine', 'case')", name=op.f("ck_evidence_retention_class")),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_evidence")),
        comment="The pixels the model was sent, content-addressed in our own bucket",
    )
    op.create_table(
        "items",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="0, 1, 2… among accepted rows"),
        sa.Column(
            "custom_id", sa.Text(), nullable=False, comment="The submitter's name for it, unique in the batch; line:N when none was given"
        ),
        sa.Column("bucket", sa.Text(), nullable=False, comment="S3 bucket"),
        sa.Column("key", sa.Text(), nullable=False, comment="S3 key"),
        sa.Column("version_id", sa.Text(), nullable=True, comment="S3 version, when the submitter pinned one"),
        sa.Column("line", sa.Integer(), nullable=False, comment="Line or listing position in the source, from 1"),
        sa.Column(
            "metadata", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="The submitter's metadata; never shown to the model"
        ),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", name=op.f("pk_items")),
        sa.UniqueConstraint("batch_id", "custom_id", name=op.f("uq_items_batch_id_custom_id")),
        comment="One image reference of a batch; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Order of writing"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose event"),
        sa.Column("type", sa.Text(), nullable=False, comment="batch.completed | …"),
        sa.Column("payload", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="Thin: ids and counts"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it happened"),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True, comment="When it was delivered"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        comment="Events to deliver, written in the transaction they tell of",
    )
    op.create_index("ix_outbox_undelivered", "outbox", ["id"], unique=False, postgresql_where=sa.text("delivered_at IS NULL"))
    op.create_table(
        "outcomes",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1, or more after rescans"),
        sa.Column("chunk_id", sa.BigInteger(), nullable=False, comment="Under whose lease it was written"),
        sa.Column("kind", sa.Text(), nullable=False, comment="verdict | unreadable | failed | cancelled"),
        sa.Column("verdict", sa.Text(), nullable=True, comment="real | generated; only for kind verdict"),
        sa.Column("p_generated", sa.Double(), nullable=True, comment="P(generated), calibrated when the release has a calibration"),
        sa.Column("p_generated_raw", sa.Double(), nullable=True, comment="P(generated) as the verdict token's log-probabilities give it"),
        sa.Column("scan_verdict", sa.Text(), nullable=True, comment="The scan's provisional verdict"),
        sa.Column("scan_p_generated", sa.Double(), nullable=True, comment="P(generated) of the provisional verdict, raw"),
        sa.Column(
            "explanation", sa.Text(), nullable=True, comment="The zoom's explanation: untrusted model text, control characters removed"
        ),
        sa.Column("scan_explanation", sa.Text(), nullable=True, comment="The scan's explanation: untrusted model text"),
        sa.Column("path", sa.Text(), nullable=True, comment="zoomed | second_look (no usable regions)"),
        sa.Column("release_id", sa.Text(), nullable=True, comment="Which release judged; null when none did"),
        sa.Column("image_sha256", sa.Text(), nullable=True, comment="sha256 of the bytes that were judged"),
        sa.Column("etag", sa.Text(), nullable=True, comment="S3 ETag of those bytes"),
        sa.Column("version_id", sa.Text(), nullable=True, comment="S3 version of those bytes"),
        sa.Column("byte_count", sa.Integer(), nullable=True, comment="Size of the object"),
        sa.Column("media_type", sa.Text(), nullable=True, comment="By content, not by name"),
        sa.Column("width", sa.Integer(), nullable=True, comment="Pixels, after EXIF orientation"),
        sa.Column("height", sa.Integer(), nullable=True, comment="Pixels, after EXIF orientation"),
        sa.Column("sent_sha256", sa.Text(), nullable=True, comment="Evidence: the shrunken whole image as the model was sent it"),
        sa.Column("error_code", sa.Text(), nullable=True, comment="Stable code; for kinds unreadable and failed"),
        sa.Column("error_message", sa.Text(), nullable=True, comment="What happened and what to do, for people"),
        sa.Column("fetch_seconds", sa.Double(), nullable=True, comment="Time in fetch"),
        sa.Column("decode_seconds", sa.Double(), nullable=True, comment="Time in decode and shrink"),
        sa.Column("scan_seconds", sa.Double(), nullable=True, comment="Time in the scan"),
        sa.Column("zoom_seconds", sa.Double(), nullable=True, comment="Time in the zoom"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was written"),
        sa.CheckConstraint("(kind = 'verdict') = (verdict IS NOT NULL)", name=op.f("ck_outcomes_verdict_kind")),
        sa.CheckConstraint("kind IN ('verdict', 'unreadable', 'failed', 'cancelled')", name=op.f("ck_outcomes_kind")),
        sa.CheckConstraint("path IN ('zoomed', 'second_look')", name=op.f("ck_outcomes_path")),
        sa.CheckConstraint("verdict IN ('real', 'generated')", name=op.f("ck_outcomes_verdict")),
        sa.CheckConstraint("p_generated BETWEEN 0 AND 1", name=op.f("ck_outcomes_p_generated")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", name=op.f("pk_outcomes")),
        comment="The one terminal record of an item and revision; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "regions",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="Its outcome's revision"),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1, 2… in the model's order"),
        sa.Column("x0", sa.Integer(), nullable=False, comment="Left, original oriented pixels"),
        sa.Column("y0", sa.Integer(), nullable=False, comment="Top"),
        sa.Column("x1", sa.Integer(), nullable=False, comment="Right, exclusive"),
        sa.Column("y1", sa.Integer(), nullable=False, comment="Bottom, exclusive"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why the scan wants a closer look: untrusted model text"),
        sa.Column("finding", sa.Text(), nullable=True, comment="What the zoom found: untrusted model text"),
        sa.Column("crop_sha256", sa.Text(), nullable=True, comment="Evidence: the crop as the model was sent it"),
        sa.Column("crop_x0", sa.Integer(), nullable=True, comment="Left of what was cut (padded box), original oriented pixels"),
        sa.Column("crop_y0", sa.Integer(), nullable=True, comment="Top of what was cut"),
        sa.Column("crop_x1", sa.Integer(), nullable=True, comment="Right of what was cut, exclusive"),
        sa.Column("crop_y1", sa.Integer(), nullable=True, comment="Bottom of what was cut, exclusive"),
        sa.Column("scale", sa.Double(), nullable=True, comment="Sent pixels per original pixel"),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", "position", name=op.f("pk_regions")),
        comment="Boxes of an outcome, in original oriented pixels; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.Text(), nullable=False, comment="Name and a hash over all facts"),
        sa.Column("name", sa.Text(), nullable=False, comment="Name of the model"),
        sa.Column("training", sa.Text(), nullable=False, comment="untrained | zero_shot | trained: how far its verdicts can be trusted"),
        sa.Column("facts", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="Every fact the hash covers"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was first used"
        ),
        sa.CheckConstraint("training IN ('untrained', 'zero_shot', 'trained')", name=op.f("ck_releases_training")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_releases")),
        comment="Weights, prompts, calibration, limits, engine: everything that can change a score",
    )
    op.create_table(
        "routings",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="Its outcome's revision"),
        sa.Column("policy_version", sa.Text(), nullable=False, comment="Which policy version routed"),
        sa.Column("mode", sa.Text(), nullable=False, comment="live | shadow"),
        sa.Column("route", sa.Text(), nullable=False, comment="pass | review | flag"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, for people"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was routed"),
        sa.CheckConstraint("mode IN ('live', 'shadow')", name=op.f("ck_routings_mode")),
        sa.CheckConstraint("route IN ('pass', 'review', 'flag')", name=op.f("ck_routings_route")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", "policy_version", name=op.f("pk_routings")),
        comment="What a policy version made of an outcome; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "row_errors",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False, comment="Line or listing position in the source, from 1"),
        sa.Column("code", sa.Text(), nullable=False, comment="Stable code of the error"),
        sa.Column("message", sa.Text(), nullable=False, comment="What is wrong and what to do, for people"),
        sa.PrimaryKeyConstraint("batch_id", "line", name=op.f("pk_row_errors")),
        comment="Source rows that were refused; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "tenants",
        sa.Column("id", sa.Text(), nullable=False, comment="Slug"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the tenant was first seen",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tenants")),
        comment="Who submits batches",
    )
    op.create_table(
        "traces",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="Its outcome's revision"),
        sa.Column("stage", sa.Text(), nullable=False, comment="scan | zoom"),
        sa.Column("attempt", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1, or 2 after an unreadable reply"),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="The conversation; images by sha256"),
        sa.Column("reply", sa.Text(), nullable=False, comment="The raw reply: untrusted model text"),
        sa.Column("finish_reason", sa.Text(), nullable=False, comment="stop | length | …"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="Tokens of the prompt, image tokens included"),
        sa.Column("cached_tokens", sa.Integer(), nullable=True, comment="Of those, taken from the prefix cache"),
        sa.Column(
            "attainable_tokens", sa.Integer(), nullable=True, comment="Most that whole-block prefix reuse could have given (zoom only)"
        ),
        sa.Column("completion_tokens", sa.Integer(), nullable=False, comment="Tokens of the reply"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="From request to reply"),
        sa.CheckConstraint("stage IN ('scan', 'zoom')", name=op.f("ck_traces_stage")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", "stage", "attempt", name=op.f("pk_traces")),
        comment="Every request and reply, enough to replay; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "batches",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7, given by intake"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Who submitted"),
        sa.Column("idempotency_key", sa.Text(), nullable=False, comment="Submitting the same key again returns this batch"),
        sa.Column(
            "request_digest", sa.Text(), nullable=False, comment="sha256 of the request; the same key with another request is refused"
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="S3 prefix, manifest or folder, as submitted; never a credential"),
        sa.Column(
            "state", sa.Text(), nullable=False, comment="receiving | running | paused | cancelling | finished | cancelled | rejected"
        ),
        sa.Column("pause_reason", sa.Text(), nullable=True, comment="What an operator must mend before resuming"),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False, comment="Higher is announced first"),
        sa.Column("revision", sa.SmallInteger(), server_default=sa.text("1"), nullable=False, comment="Newest revision; a rescan adds one"),
        sa.Column(
            "intake_cursor",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
            comment="Where intake resumes; committed with each slice",
        ),
        sa.Column("items_accepted", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Rows that became items"),
        sa.Column("rows_rejected", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Rows that became row errors"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When the batch was accepted"
        ),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=True, comment="When intake was complete"),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When the newest revision had its last outcome"),
        sa.CheckConstraint(
            "state IN ('receiving', 'running', 'paused', 'cancelling', 'finished', 'cancelled', 'rejected')", name=op.f("ck_batches_state")
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_batches_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_batches")),
        sa.UniqueConstraint("tenant_id", "idempotency_key", name=op.f("uq_batches_tenant_id_idempotency_key")),
        comment="One submission of a tenant",
    )
    op.create_index(
        "ix_batches_open",
        "batches",
        ["priority", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('receiving','running','cancelling')"),
    )
    op.create_table(
        "chunks",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="What a Celery message carries"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column(
            "revision", sa.SmallInteger(), server_default=sa.text("1"), nullable=False, comment="Which revision of outcomes it produces"
        ),
        sa.Column("lo", sa.Integer(), nullable=False, comment="First ordinal"),
        sa.Column("hi", sa.Integer(), nullable=False, comment="One past the last ordinal"),
        sa.Column(
            "state", sa.Text(), server_default=sa.text("'ready'"), nullable=False, comment="ready | announced | leased | done | split"
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Not announced before this, by the database's clock",
        ),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=True, comment="When its id was last put into Redis"),
        sa.Column(
            "announcements",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="How often it was announced since the last progress",
        ),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False, comment="Claims since the last progress"),
        sa.Column(
            "suspect",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="In flight when an engine died: rerun one at a time",
        ),
        sa.Column("lease_owner", sa.Text(), nullable=True, comment="Which worker holds it"),
        sa.Column("lease_token", sa.UUID(), nullable=True, comment="Fencing token: every write names it"),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True), nullable=True, comment="By the database's clock"),
        sa.Column("verdicts", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Outcomes that are verdicts"),
        sa.Column("flagged", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Verdicts that the live policy flags"),
        sa.Column("unreadable", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Outcomes that could not be read"),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Outcomes that are failures"),
        sa.Column("cancelled", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Outcomes that were cancelled"),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last attempt ended early"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When the range was cut"
        ),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True, comment="When its last outcome was written"),
        sa.CheckConstraint("(state = 'leased') = (lease_token IS NOT NULL)", name=op.f("ck_chunks_lease")),
        sa.CheckConstraint("state IN ('ready', 'announced', 'leased', 'done', 'split')", name=op.f("ck_chunks_state")),
        sa.CheckConstraint("lo < hi", name=op.f("ck_chunks_range")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_chunks_batch_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_chunks")),
        sa.UniqueConstraint("batch_id", "revision", "lo", "hi", name=op.f("uq_chunks_batch_id_revision_lo_hi")),
        comment="A range of items: the unit of lease and of a message",
    )
    op.create_index(
        "ix_chunks_unfinished",
        "chunks",
        ["batch_id", "state", "lo"],
        unique=False,
        postgresql_where=sa.text("state IN ('ready','announced','leased')"),
    )
    op.create_index("ix_chunks_suspect", "chunks", ["id"], unique=False, postgresql_where=sa.text("suspect"))
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_p_default PARTITION OF {table} DEFAULT")


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_chunks_suspect", table_name="chunks", postgresql_where=sa.text("suspect"))
    op.drop_index("ix_chunks_unfinished", table_name="chunks", postgresql_where=sa.text("state IN ('ready','announced','leased')"))
    op.drop_table("chunks")
    op.drop_index("ix_batches_open", table_name="batches", postgresql_where=sa.text("state IN ('receiving','running','cancelling')"))
    op.drop_table("batches")
    op.drop_table("traces")
    op.drop_table("tenants")
    op.drop_table("row_errors")
    op.drop_table("routings")
    op.drop_table("releases")
    op.drop_table("regions")
    op.drop_table("outcomes")
    op.drop_index("ix_outbox_undelivered", table_name="outbox", postgresql_where=sa.text("delivered_at IS NULL"))
    op.drop_table("outbox")
    op.drop_table("items")
    op.drop_table("evidence")
    op.drop_index("ix_audit_events_batch_id_ordinal", table_name="audit_events")
    op.drop_table("audit_events")
