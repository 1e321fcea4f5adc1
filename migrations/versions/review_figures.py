"""What figures of review need to read no more than their window: indexes by time, and tallies of scan and zoom."""

import sqlalchemy as sa
from alembic import op

revision = "review_figures"
down_revision = "near_duplicates"
branch_labels = None
depends_on = None

BACKFILL = """
    -- backfill: tallies of what was judged before there were any, by the hour
    INSERT INTO stage_tallies (tenant_id, release_id, verdicts, disagreed, created_at)
    SELECT b.tenant_id, o.release_id, count(*), count(*) FILTER (WHERE o.verdict <> o.scan_verdict), date_trunc('hour', o.created_at)
      FROM outcomes AS o JOIN batches AS b ON b.id = o.batch_id
     WHERE o.verdict IS NOT NULL AND o.scan_verdict IS NOT NULL AND o.release_id IS NOT NULL
     GROUP BY 1, 2, 5
    """


def upgrade() -> None:
    """Forward."""
    op.create_index("ix_review_tasks_created", "review_tasks", ["tenant_id", "created_at"])
    op.create_index("ix_review_tasks_closed", "review_tasks", ["tenant_id", "closed_at"], postgresql_where=sa.text("closed_at IS NOT NULL"))
    op.create_index("ix_reviews_created", "reviews", ["created_at"])
    op.create_table(
        "stage_tallies",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Nothing more than a key"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose outcomes"),
        sa.Column("release_id", sa.Text(), nullable=False, comment="Which release judged"),
        sa.Column("verdicts", sa.Integer(), nullable=False, comment="Verdicts to which both stages came"),
        sa.Column("disagreed", sa.Integer(), nullable=False, comment="Of those, on which they differ"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When the outcomes were written",
        ),
        sa.CheckConstraint("0 <= disagreed AND disagreed <= verdicts", name=op.f("ck_stage_tallies_disagreed")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_stage_tallies_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stage_tallies")),
        comment="Verdicts to which scan and zoom both came, and on how many they differ, one row per write; insert-only",
    )
    op.create_index("ix_stage_tallies_tenant", "stage_tallies", ["tenant_id", "created_at"])
    op.execute(BACKFILL)
    op.execute("GRANT SELECT, INSERT ON stage_tallies TO zoomin_app")
    op.execute("GRANT USAGE ON SEQUENCE stage_tallies_id_seq TO zoomin_app")


def downgrade() -> None:
    """Back."""
    op.drop_table("stage_tallies")
    op.drop_index("ix_reviews_created", "reviews")
    op.drop_index("ix_review_tasks_closed", "review_tasks", postgresql_where=sa.text("closed_at IS NOT NULL"))
    op.drop_index("ix_review_tasks_created", "review_tasks")
