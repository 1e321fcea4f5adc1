"""Keys of machines, and the sources that the intake worker reads in the background."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "api_keys_and_intakes"
down_revision = "moderation_views"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "api_keys",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose data it opens"),
        sa.Column("name", sa.Text(), nullable=False, comment="What it is for, for people"),
        sa.Column("prefix", sa.Text(), nullable=False, comment="The public part, by which it is looked up and named"),
        sa.Column("secret_sha256", sa.Text(), nullable=False, comment="sha256 (hex) of the secret part, which has 256 random bits"),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False, comment="submit | read | review | lead | audit | admin"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was made"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True, comment="Refused from then on; null: never expires"),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True, comment="When it was revoked"),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True, comment="Last use, to the minute"),
        sa.Column("successor_id", sa.UUID(), nullable=True, comment="The key it was rotated to"),
        sa.CheckConstraint(
            "scopes <@ ARRAY['submit', 'read', 'review', 'lead', 'audit', 'admin']::text[] AND cardinality(scopes) > 0",
            name=op.f("ck_api_keys_scopes"),
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_api_keys_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["successor_id"], ["api_keys.id"], name=op.f("fk_api_keys_successor_id_api_keys")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_keys_prefix")),
        comment="Keys of machines; secrets are kept as hashes only",
    )
    op.create_table(
        "intakes",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Which batch it fills"),
        sa.Column("source", sa.Text(), nullable=False, comment="s3:// prefix or manifest; never a credential"),
        sa.Column("identity", sa.Text(), nullable=False, comment="ETag of the manifest that was accepted; empty for a prefix"),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Not claimed before this, by the database's clock",
        ),
        sa.Column(
            "attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False, comment="Claims since the last slice was written"
        ),
        sa.Column("lease_owner", sa.Text(), nullable=True, comment="Which process reads it"),
        sa.Column(
            "lease_expires_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="By the database's clock; another process goes on after that",
        ),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Why the last attempt ended early"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="When there was nothing left to read"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_intakes_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_intakes")),
        comment="Sources that the intake worker reads in the background, under a lease",
    )
    op.create_index("ix_intakes_open", "intakes", ["next_attempt_at"], unique=False, postgresql_where=sa.text("ended_at IS NULL"))
    op.execute("GRANT SELECT, INSERT, UPDATE ON api_keys, intakes TO zoomin_app")


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_intakes_open", table_name="intakes", postgresql_where=sa.text("ended_at IS NULL"))
    op.drop_table("intakes")
    op.drop_table("api_keys")
