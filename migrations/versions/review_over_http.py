"""What the review API needs of the tables: versions of queues' settings, escalations that outlast a hold, paths to tasks and claims."""

import sqlalchemy as sa
from alembic import op

revision = "review_over_http"
down_revision = "api_keys_and_intakes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.add_column(
        "review_queues",
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts changes of the settings; a change that saw an older one is refused",
        ),
    )
    op.add_column(
        "review_tasks",
        sa.Column(
            "escalated",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Its reviewers did not agree: leads alone are offered it, also after it was held",
        ),
    )
    op.execute("UPDATE review_tasks SET escalated = true WHERE state = 'escalated'")
    op.create_check_constraint(op.f("ck_review_tasks_escalated"), "review_tasks", "escalated OR state <> 'escalated'")
    op.create_index("ix_review_tasks_tenant", "review_tasks", ["tenant_id", "id"])
    op.create_index("ix_review_claims_reviewer", "review_claims", ["reviewer"], postgresql_where=sa.text("state = 'active'"))


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_review_claims_reviewer", table_name="review_claims", postgresql_where=sa.text("state = 'active'"))
    op.drop_index("ix_review_tasks_tenant", table_name="review_tasks")
    op.drop_constraint("ck_review_tasks_escalated", "review_tasks")
    op.drop_column("review_tasks", "escalated")
    op.drop_column("review_queues", "version")
