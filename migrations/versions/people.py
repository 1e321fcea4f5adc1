"""People who sign in, and their sessions."""

import sqlalchemy as sa
from alembic import op

revision = "people"
down_revision = "statements_and_appeals"
branch_labels = None
depends_on = None

LIVE = sa.text("disabled_at IS NULL")
OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "people",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7; in audit and reviews as person:<id>"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose data they work on"),
        sa.Column("email", sa.Text(), nullable=False, comment="Personal data. In lower case; what the first sign-in is matched by"),
        sa.Column("name", sa.Text(), nullable=False, comment="Personal data. How they are called on pages"),
        sa.Column("role", sa.Text(), nullable=False, comment="viewer | reviewer | lead | auditor | admin"),
        sa.Column("issuer", sa.Text(), nullable=True, comment="OIDC issuer, bound at the first sign-in"),
        sa.Column("subject", sa.Text(), nullable=True, comment="Their name there, bound with it; alone counts from then on"),
        sa.Column("invited_by", sa.Text(), nullable=False, comment="Actor who invited them"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When they were invited"
        ),
        sa.Column("bound_at", sa.DateTime(timezone=True), nullable=True, comment="When they first signed in"),
        sa.Column("disabled_at", sa.DateTime(timezone=True), nullable=True, comment="When their access ended, for good"),
        sa.CheckConstraint("role IN ('viewer', 'reviewer', 'lead', 'auditor', 'admin')", name=op.f("ck_people_role")),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck_people_email")),
        sa.CheckConstraint("(issuer IS NULL) = (subject IS NULL) AND (issuer IS NULL) = (bound_at IS NULL)", name=op.f("ck_people_bound")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_people_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
        comment="People who may sign in; personal data, which analysts do not see",
    )
    op.create_index("ix_people_tenant_id", "people", ["tenant_id", "id"])
    op.create_index("uq_people_email", "people", ["tenant_id", "email"], unique=True, postgresql_where=LIVE)
    op.create_index("uq_people_subject", "people", ["tenant_id", "issuer", "subject"], unique=True, postgresql_where=LIVE)
    op.create_table(
        "people_sessions",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("person_id", sa.UUID(), nullable=False, comment="Whose"),
        sa.Column("token_sha256", sa.Text(), nullable=False, comment="sha256 (hex) of the cookie's token, which has 256 random bits"),
        sa.Column(
            "sign_in_sha256",
            sa.Text(),
            nullable=False,
            comment="sha256 (hex) of the sign-in's state: one sign-in makes one session",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When they signed in"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="Refused from then on, used or not"),
        sa.Column(
            "idle_expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="Refused from then on unless used before, which moves it",
        ),
        sa.Column(
            "last_seen_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="Last use, to the minute"
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="When they signed out or were disabled"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_people_sessions_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people_sessions")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_people_sessions_token_sha256")),
        sa.UniqueConstraint("sign_in_sha256", name=op.f("uq_people_sessions_sign_in_sha256")),
        comment="Browsers that people are signed in with; tokens are kept as hashes only",
    )
    op.create_index("ix_people_sessions_open", "people_sessions", ["person_id"], postgresql_where=OPEN)
    op.execute("GRANT SELECT, INSERT ON people, people_sessions TO zoomin_app")
    op.execute("GRANT UPDATE (role, issuer, subject, bound_at, disabled_at) ON people TO zoomin_app")
    op.execute("GRANT UPDATE (idle_expires_at, last_seen_at, ended_at) ON people_sessions TO zoomin_app")


def downgrade() -> None:
    """Back."""
    op.drop_table("people_sessions")
    op.drop_table("people")
