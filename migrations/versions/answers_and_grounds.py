"""Answers that can be taken back for a while, what they rest on, how long the picture was seen, and what takes two people.

An answer that waits (`reviews.pending_until`) has no effect yet. Nothing that ends the question in that time loses it: whatever is
answered in full is not withdrawn, its answers take effect at once.
"""

import sqlalchemy as sa
from alembic import op

from migrations.versions.moderation_views import VIEWS

revision = "answers_and_grounds"
down_revision = "retention_and_erasure"
branch_labels = None
depends_on = None

STANDING = sa.text("taken_back_at IS NULL")
ERASE = "erase_item(uuid, integer, text, text, text)"
# Parts of `erase_item`, as they were and as they are. Other migrations may change other parts of it.
AMENDED = (
    (
        """            UPDATE review_tasks
               SET state = 'withdrawn', closed_at = now(), version = version + 1
             WHERE batch_id = of_batch AND ordinal = of_ordinal AND state IN ('open', 'held', 'escalated');
            tasks := ARRAY(SELECT id FROM review_tasks WHERE batch_id = of_batch AND ordinal = of_ordinal);
""",
        """            tasks := ARRAY(SELECT id FROM review_tasks WHERE batch_id = of_batch AND ordinal = of_ordinal);
            UPDATE reviews SET pending_until = now() WHERE task_id = ANY(tasks) AND pending_until > now();
            -- What is answered in full becomes a decision, which says what the platform does with its own copy.
            UPDATE review_tasks AS t
               SET state = 'withdrawn', closed_at = now(), version = version + 1
             WHERE id = ANY(tasks) AND state IN ('open', 'held', 'escalated')
               AND slots > (SELECT count(*) FROM reviews AS r WHERE r.task_id = t.id AND r.taken_back_at IS NULL);
""",
    ),
    (
        "            UPDATE reviews SET note = '' WHERE task_id = ANY(tasks);\n",
        """            UPDATE reviews SET note = CASE WHEN pending_until IS NULL THEN '' ELSE 'the image was erased' END
             WHERE task_id = ANY(tasks);
""",
    ),
)
REPLACED = {
    "decisions": VIEWS["decisions"][1].replace("AS decided_at", "AS decided_at, d.clause"),
    "region_current": VIEWS["region_current"][1].replace("v.task_id = t.id", "v.task_id = t.id AND v.taken_back_at IS NULL"),
    "review_live": VIEWS["review_live"][1].replace("r.task_id = t.id", "r.task_id = t.id AND r.taken_back_at IS NULL"),
}


def upgrade() -> None:
    """Forward."""
    _widen_policies()
    _widen_reviews()
    clause = sa.Column("clause", sa.Text(), nullable=True, comment="Which clause of that version it rests on; null where it has none")
    op.add_column("decisions", clause)
    _amend(ERASE, [(before, after) for before, after in AMENDED])
    for name, query in REPLACED.items():
        op.execute(f"CREATE OR REPLACE VIEW moderation_v1.{name} AS {query}")
    op.execute("COMMENT ON COLUMN moderation_v1.decisions.clause IS 'Which clause of the policy version it rests on'")


def _widen_policies() -> None:
    op.add_column(
        "policy_versions",
        sa.Column(
            "reason_required",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="Whether who says real or generated must say why",
        ),
    )
    op.add_column(
        "policy_versions",
        sa.Column(
            "four_eyes",
            sa.ARRAY(sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Of label, restrict, remove: what takes two people to decide",
        ),
    )
    op.create_check_constraint(op.f("ck_policy_versions_four_eyes"), "policy_versions", "four_eyes <@ ARRAY['label', 'restrict', 'remove']")
    key = ("tenant_id", "policy", "version")
    op.create_table(
        "policy_clauses",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose policy"),
        sa.Column("policy", sa.Text(), nullable=False, comment="Which policy"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False, comment="Which version"),
        sa.Column("clause", sa.Text(), nullable=False, comment="Slug; answers and decisions name it"),
        sa.Column("number", sa.SmallInteger(), nullable=False, comment="1, 2… in the order in which they are offered"),
        sa.Column("title", sa.Text(), nullable=False, comment="What it says, for people"),
        sa.Column("reason", sa.Text(), nullable=False, comment="What the reviewer's reason begins as"),
        sa.ForeignKeyConstraint(
            key, [f"policy_versions.{column}" for column in key], name=op.f("fk_policy_clauses_tenant_id_policy_version_policy_versions")
        ),
        sa.PrimaryKeyConstraint(*key, "clause", name=op.f("pk_policy_clauses")),
        comment="Clauses of a policy version; where there are any, whoever decides names one",
    )
    op.execute("GRANT SELECT, INSERT ON policy_clauses TO zoomin_app")


def _widen_reviews() -> None:
    op.create_table_comment("reviews", "Reviewers' answers; none is ever deleted or reworded", existing_comment=None)
    for name, kind, comment in (
        ("clause", sa.Text(), "Which clause of the policy version it rests on"),
        ("exposure_seconds", sa.Double(), "How long the picture was visible unblurred, as the page measured it"),
        (
            "pending_until",
            sa.DateTime(timezone=True),
            "Until then its reviewer may take it back, and it has no effect; null once it has, or was taken back",
        ),
        ("taken_back_at", sa.DateTime(timezone=True), "When its reviewer took it back: it is no answer any more"),
    ):
        op.add_column("reviews", sa.Column(name, kind, nullable=True, comment=comment))
    op.create_check_constraint(op.f("ck_reviews_exposure_seconds"), "reviews", "exposure_seconds BETWEEN 0 AND 86400")
    op.create_check_constraint(op.f("ck_reviews_taken_back"), "reviews", "num_nonnulls(pending_until, taken_back_at) < 2")
    op.drop_constraint(op.f("uq_reviews_task_id_reviewer"), "reviews")
    op.drop_constraint(op.f("uq_reviews_task_id_slot"), "reviews")
    op.create_index("uq_reviews_slot", "reviews", ["task_id", "slot"], unique=True, postgresql_where=STANDING)
    op.create_index("uq_reviews_reviewer", "reviews", ["task_id", "reviewer"], unique=True, postgresql_where=STANDING)
    op.create_index("ix_reviews_pending", "reviews", ["pending_until"], postgresql_where=sa.text("pending_until IS NOT NULL"))
    op.execute("GRANT UPDATE (pending_until, taken_back_at) ON reviews TO zoomin_app")


def _amend(function: str, changes: list[tuple[str, str]]) -> None:
    """Changes parts of a function, each of which must be there once."""
    connection = op.get_bind()
    source = str(connection.exec_driver_sql(f"SELECT pg_get_functiondef('{function}'::regprocedure)").scalar_one())
    for before, after in changes:
        if source.count(before) != 1:
            raise RuntimeError(f"{function} is not as this migration knows it: {before}")
        source = source.replace(before, after)
    connection.exec_driver_sql(source.replace("%", "%%"))


def downgrade() -> None:
    """Back. Answers that wait take effect no more; those that were taken back go, as nothing would tell them from others."""
    _amend(ERASE, [(after, before) for before, after in AMENDED])
    op.execute("DROP VIEW moderation_v1.flagged_images, moderation_v1.decisions")
    for name in ("decisions", "flagged_images"):
        comment, query, columns = VIEWS[name]
        op.execute(f"CREATE VIEW moderation_v1.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW moderation_v1.{name} IS {_quoted(comment)}")
        for column, meaning in columns.items():
            op.execute(f"COMMENT ON COLUMN moderation_v1.{name}.{column} IS {_quoted(meaning)}")
        op.execute(f"GRANT SELECT ON moderation_v1.{name} TO zoomin_analyst, zoomin_app")
    for name in ("region_current", "review_live"):
        op.execute(f"CREATE OR REPLACE VIEW moderation_v1.{name} AS {VIEWS[name][1]}")
    op.drop_column("decisions", "clause")
    op.execute("REVOKE UPDATE (pending_until, taken_back_at) ON reviews FROM zoomin_app")
    op.drop_index("ix_reviews_pending", "reviews")
    op.drop_index("uq_reviews_reviewer", "reviews")
    op.drop_index("uq_reviews_slot", "reviews")
    op.execute("DELETE FROM region_judgements WHERE review_id IN (SELECT id FROM reviews WHERE taken_back_at IS NOT NULL)")
    op.execute("DELETE FROM reviews WHERE taken_back_at IS NOT NULL")
    op.create_unique_constraint(op.f("uq_reviews_task_id_slot"), "reviews", ["task_id", "slot"])
    op.create_unique_constraint(op.f("uq_reviews_task_id_reviewer"), "reviews", ["task_id", "reviewer"])
    op.drop_constraint(op.f("ck_reviews_taken_back"), "reviews")
    for column in ("taken_back_at", "pending_until", "exposure_seconds", "clause"):
        op.drop_column("reviews", column)
    op.create_table_comment("reviews", "Reviewers' answers; insert-only", existing_comment=None)
    op.drop_table("policy_clauses")
    op.drop_constraint(op.f("ck_policy_versions_four_eyes"), "policy_versions")
    op.drop_column("policy_versions", "four_eyes")
    op.drop_column("policy_versions", "reason_required")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
