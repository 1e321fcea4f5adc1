"""Webhooks: endpoints, sealed secrets, deliveries with leases, insert-only attempts; events get a public id."""

import sqlalchemy as sa
from alembic import op

revision = "webhooks"
down_revision = "audit_chain"
branch_labels = None
depends_on = None

INSERT_ONLY = ("webhook_attempts",)
MUTABLE = ("webhook_endpoints", "webhook_secrets", "webhook_deliveries")


def upgrade() -> None:
    """Forward."""
    event_id = "UUIDv7; public as evt_<hex>, the webhook-id of every attempt"
    # Events from before get a random id: nobody was told of them.
    op.add_column("outbox", sa.Column("event_id", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False, comment=event_id))
    op.alter_column("outbox", "event_id", server_default=None)
    op.create_unique_constraint(op.f("uq_outbox_event_id"), "outbox", ["event_id"])
    op.alter_column("outbox", "delivered_at", comment="When it was handed to every endpoint that wants it")
    _create_endpoints()
    _create_secrets()
    _create_deliveries()
    _create_attempts()
    op.execute(f"GRANT SELECT, INSERT ON {', '.join((*INSERT_ONLY, *MUTABLE))} TO zoomin_app")
    op.execute(f"GRANT UPDATE ON {', '.join(MUTABLE)} TO zoomin_app")
    op.execute("GRANT USAGE ON SEQUENCE webhook_secrets_id_seq, webhook_attempts_id_seq TO zoomin_app")


def downgrade() -> None:
    """Back."""
    for table in ("webhook_attempts", "webhook_deliveries", "webhook_secrets", "webhook_endpoints"):
        op.drop_table(table)
    op.alter_column("outbox", "delivered_at", comment="When it was delivered")
    op.drop_constraint(op.f("uq_outbox_event_id"), "outbox")
    op.drop_column("outbox", "event_id")


def _create_endpoints() -> None:
    op.create_table(
        "webhook_endpoints",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose events"),
        sa.Column("url", sa.Text(), nullable=False, comment="Where to; judged at every send"),
        sa.Column("types", sa.ARRAY(sa.Text()), nullable=False, comment="Event types it subscribes to"),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False, comment="Its owner's own words"),
        sa.Column("state", sa.Text(), server_default=sa.text("'active'"), nullable=False, comment="active | paused | disabled"),
        sa.Column("state_reason", sa.Text(), nullable=True, comment="Why it is paused or disabled, for people"),
        sa.Column("failing_since", sa.DateTime(timezone=True), nullable=True, comment="First failure since the last success"),
        sa.Column("failures", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Failures since the last success"),
        sa.Column(
            "rests_until", sa.DateTime(timezone=True), nullable=True, comment="Nothing is sent before this: it fails, or asked for a pause"
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was added"),
        sa.CheckConstraint("state IN ('active', 'paused', 'disabled')", name=op.f("ck_webhook_endpoints_state")),
        sa.CheckConstraint("cardinality(types) > 0", name=op.f("ck_webhook_endpoints_types")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_webhook_endpoints_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_endpoints")),
        comment="URLs that tenants want events sent to",
    )
    op.create_index("ix_webhook_endpoints_tenant_id", "webhook_endpoints", ["tenant_id", "id"])


def _create_secrets() -> None:
    op.create_table(
        "webhook_secrets",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Order of making"),
        sa.Column("endpoint_id", sa.UUID(), nullable=False, comment="Whose"),
        sa.Column("sealed", sa.Text(), nullable=False, comment="Encrypted under ZOOMIN_SECRETS_KEY, bound to the endpoint"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was made"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True, comment="No longer signs from then on; null: the present one"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_secrets_endpoint_id_webhook_endpoints")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_secrets")),
        comment="Signing secrets; two are live while one replaces the other",
    )
    op.create_index("ix_webhook_secrets_endpoint_id", "webhook_secrets", ["endpoint_id", "id"])


def _create_deliveries() -> None:
    op.create_table(
        "webhook_deliveries",
        sa.Column("endpoint_id", sa.UUID(), nullable=False, comment="Where to"),
        sa.Column("event_id", sa.UUID(), nullable=False, comment="Which event"),
        sa.Column("state", sa.Text(), server_default=sa.text("'pending'"), nullable=False, comment="pending | delivered | failed"),
        sa.Column(
            "attempts",
            sa.SmallInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Begun since it was created or redelivered",
        ),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="Not sent before this; under a lease: when that runs out",
        ),
        sa.Column("lease_token", sa.UUID(), nullable=True, comment="Fencing token of the attempt in flight"),
        sa.Column("last_status", sa.Integer(), nullable=True, comment="HTTP status of the last attempt that was answered"),
        sa.Column("last_error", sa.Text(), nullable=True, comment="Stable code of the last failure"),
        sa.Column("last_seconds", sa.Double(), nullable=True, comment="How long the last attempt took"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was fanned out",
        ),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True, comment="When it was accepted"),
        sa.CheckConstraint("state IN ('pending', 'delivered', 'failed')", name=op.f("ck_webhook_deliveries_state")),
        sa.CheckConstraint("lease_token IS NULL OR state = 'pending'", name=op.f("ck_webhook_deliveries_lease")),
        sa.ForeignKeyConstraint(
            ["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_deliveries_endpoint_id_webhook_endpoints")
        ),
        sa.ForeignKeyConstraint(["event_id"], ["outbox.event_id"], name=op.f("fk_webhook_deliveries_event_id_outbox")),
        sa.PrimaryKeyConstraint("endpoint_id", "event_id", name=op.f("pk_webhook_deliveries")),
        comment="Events on their way to endpoints",
    )
    pending, leased, failed = (sa.text(where) for where in ("state = 'pending'", "lease_token IS NOT NULL", "state = 'failed'"))
    op.create_index("ix_webhook_deliveries_event_id", "webhook_deliveries", ["event_id"])
    op.create_index("ix_webhook_deliveries_due", "webhook_deliveries", ["endpoint_id", "next_attempt_at"], postgresql_where=pending)
    op.create_index("ix_webhook_deliveries_leased", "webhook_deliveries", ["endpoint_id"], postgresql_where=leased)
    op.create_index("ix_webhook_deliveries_failed", "webhook_deliveries", ["endpoint_id", "event_id"], postgresql_where=failed)


def _create_attempts() -> None:
    op.create_table(
        "webhook_attempts",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Order of ending"),
        sa.Column("endpoint_id", sa.UUID(), nullable=False, comment="Where to"),
        sa.Column("event_id", sa.UUID(), nullable=False, comment="Which event"),
        sa.Column("attempt", sa.SmallInteger(), nullable=False, comment="1, 2… since it was created or redelivered"),
        sa.Column("status", sa.Integer(), nullable=True, comment="HTTP status; null when there was no answer"),
        sa.Column("error_code", sa.Text(), nullable=True, comment="Stable code; null when it was accepted"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="How long it took"),
        sa.Column("ended_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was recorded"),
        sa.ForeignKeyConstraint(["endpoint_id"], ["webhook_endpoints.id"], name=op.f("fk_webhook_attempts_endpoint_id_webhook_endpoints")),
        sa.ForeignKeyConstraint(["event_id"], ["outbox.event_id"], name=op.f("fk_webhook_attempts_event_id_outbox")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook_attempts")),
        comment="Attempts at deliveries, as they ended; insert-only",
    )
    op.create_index("ix_webhook_attempts_delivery", "webhook_attempts", ["endpoint_id", "event_id", "id"])
