"""Statements of reasons are drafted, signed, held, sent; appeals have a key, an opener and an end; leads decide without a task."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "statements_and_appeals"
down_revision = "review_over_http"
branch_labels = None
depends_on = None

STATEMENTS = "statements_of_reasons"
STATES = "state IN ('draft', 'held', 'submitted', 'refused', 'withdrawn')"
COLUMNS: tuple[sa.Column[object], ...] = (
    sa.Column("drafted_by", sa.Text(), server_default=sa.text("''"), nullable=False, comment="Who drafted it"),
    sa.Column("signed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was signed"),
    sa.Column(
        "next_attempt_at",
        sa.DateTime(timezone=True),
        nullable=True,
        comment="Not sent before this: the hold, a pause after a failure, or the lease of an attempt",
    ),
    sa.Column("lease_token", sa.UUID(), nullable=True, comment="Fencing token of the attempt in flight"),
    sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False, comment="Begun"),
    sa.Column(
        "uncertain",
        sa.Boolean(),
        server_default=sa.text("false"),
        nullable=False,
        comment="An attempt began and no answer told how it ended: the receiver may have it",
    ),
    sa.Column(
        "receiver_detail", postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment="What it said of single fields, when it refused"
    ),
    sa.Column("receiver_id", sa.Text(), nullable=True, comment="Its own id there, when it told"),
)


def upgrade() -> None:
    """Forward."""
    for column in COLUMNS:
        op.add_column(STATEMENTS, column)
    op.execute(f"UPDATE {STATEMENTS} SET drafted_by = signed_by, signed_at = created_at, next_attempt_at = hold_until")
    op.alter_column(STATEMENTS, "drafted_by", server_default=None)
    op.alter_column(STATEMENTS, "signed_by", nullable=True)
    op.alter_column(STATEMENTS, "hold_until", nullable=True)
    op.alter_column(STATEMENTS, "state", server_default=sa.text("'draft'"), comment="draft | held | submitted | refused | withdrawn")
    op.drop_constraint("ck_statements_of_reasons_state", STATEMENTS)
    op.create_check_constraint(op.f("ck_statements_of_reasons_state"), STATEMENTS, STATES)
    op.create_check_constraint(
        op.f("ck_statements_of_reasons_signed"),
        STATEMENTS,
        "state IN ('draft', 'withdrawn') OR num_nonnulls(signed_by, signed_at, hold_until, next_attempt_at) = 4",
    )
    op.create_check_constraint(op.f("ck_statements_of_reasons_lease"), STATEMENTS, "lease_token IS NULL OR state = 'held'")
    op.drop_index("ix_statements_of_reasons_held", table_name=STATEMENTS)
    op.create_index("ix_statements_of_reasons_due", STATEMENTS, ["next_attempt_at"], postgresql_where=sa.text("state = 'held'"))
    op.create_index("ix_statements_of_reasons_tenant", STATEMENTS, ["tenant_id", "id"])
    op.drop_index("uq_statements_of_reasons_decision", table_name=STATEMENTS)
    op.create_index(
        "uq_statements_of_reasons_decision",
        STATEMENTS,
        ["decision_id"],
        unique=True,
        postgresql_where=sa.text("state IN ('draft', 'held', 'submitted')"),
    )
    opened_by = sa.Column(
        "opened_by", sa.Text(), server_default=sa.text("''"), nullable=False, comment="Who opened it: never who decides it"
    )
    op.add_column("appeals", opened_by)
    op.alter_column("appeals", "opened_by", server_default=None)
    op.add_column("appeals", sa.Column("idempotency_key", sa.Text(), nullable=True, comment="Its submitter's; the same again is no second"))
    op.add_column("appeals", sa.Column("request_digest", sa.Text(), nullable=True, comment="sha256 of what the key stands for"))
    op.add_column("appeals", sa.Column("settled_by", sa.UUID(), nullable=True, comment="The decision that ended it"))
    op.create_foreign_key(op.f("fk_appeals_settled_by_decisions"), "appeals", "decisions", ["settled_by"], ["id"])
    op.create_index("uq_appeals_key", "appeals", ["tenant_id", "idempotency_key"], unique=True)
    op.drop_constraint("ck_decisions_task", "decisions")
    op.create_check_constraint(op.f("ck_decisions_task"), "decisions", "basis = 'lead' OR (basis = 'automatic') = (task_id IS NULL)")
    op.alter_column("decisions", "task_id", comment="The task that led to it; null for automatic ones, and for a lead's own")


def downgrade() -> None:
    """Back."""
    op.alter_column("decisions", "task_id", comment="The task that led to it; null for automatic ones")
    op.drop_constraint("ck_decisions_task", "decisions")
    op.create_check_constraint(op.f("ck_decisions_task"), "decisions", "(basis = 'automatic') = (task_id IS NULL)")
    op.drop_index("uq_appeals_key", table_name="appeals")
    op.drop_constraint("fk_appeals_settled_by_decisions", "appeals")
    for name in ("settled_by", "request_digest", "idempotency_key", "opened_by"):
        op.drop_column("appeals", name)
    for name in ("uq_statements_of_reasons_decision", "ix_statements_of_reasons_tenant", "ix_statements_of_reasons_due"):
        op.drop_index(name, table_name=STATEMENTS)
    op.create_index("uq_statements_of_reasons_decision", STATEMENTS, ["decision_id"], unique=True)
    op.create_index("ix_statements_of_reasons_held", STATEMENTS, ["hold_until"], postgresql_where=sa.text("state = 'held'"))
    for name in ("lease", "signed", "state"):
        op.drop_constraint(f"ck_statements_of_reasons_{name}", STATEMENTS)
    op.create_check_constraint(op.f("ck_statements_of_reasons_state"), STATEMENTS, "state IN ('held', 'submitted', 'refused', 'withdrawn')")
    op.alter_column(STATEMENTS, "state", server_default=sa.text("'held'"), comment="held | submitted | refused | withdrawn")
    op.alter_column(STATEMENTS, "hold_until", nullable=False)
    op.alter_column(STATEMENTS, "signed_by", nullable=False)
    for column in reversed(COLUMNS):
        op.drop_column(STATEMENTS, column.name)
