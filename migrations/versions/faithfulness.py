"""Tests of explanations: what hiding the cited regions does to a verdict's score, and what that cost."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "faithfulness"
down_revision = "coverage"
branch_labels = None
depends_on = None

TABLES = ("faithfulness_checks", "faithfulness_maskings")
KEY: tuple[tuple[str, sa.types.TypeEngine[Any], str], ...] = (
    ("batch_id", sa.UUID(), "Its batch"),
    ("ordinal", sa.Integer(), "Its item"),
    ("revision", sa.SmallInteger(), "Its outcome's revision"),
)
VIEW = """
    SELECT b.tenant_id, c.batch_id, c.ordinal, 'item_' || replace(c.batch_id::text, '-', '') || '_' || c.ordinal AS item_id, c.revision,
           o.verdict, o.p_generated, o.release_id AS release, c.score_drop, c.control_drop, c.score_drop - c.control_drop AS beyond_control,
           c.requests, c.prompt_tokens, c.completion_tokens, c.seconds, c.error_code, c.created_at
      FROM faithfulness_checks AS c
      JOIN batches AS b ON b.id = c.batch_id
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (c.batch_id, c.ordinal, c.revision)
"""
COLUMNS = {
    "tenant_id": "Whose",
    "batch_id": "Batch of the image",
    "ordinal": "The image''s place in it",
    "item_id": "The image''s id in the API",
    "revision": "The outcome that was tested",
    "verdict": "real | generated: its verdict",
    "p_generated": "Its P(generated)",
    "release": "Which release judged, and judged the masked images",
    "score_drop": "P(generated) less that with all cited regions hidden; null when the check came to nothing",
    "control_drop": "The same with as much hidden elsewhere",
    "beyond_control": "By how much the score drops more for the cited regions",
    "requests": "Cost: requests to the model beside the verdict''s own",
    "prompt_tokens": "Cost: tokens of their prompts",
    "completion_tokens": "Cost: tokens of the replies",
    "seconds": "Cost: from the verdict to the end of the check",
    "error_code": "Why the check came to nothing",
    "created_at": "When",
}


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "faithfulness_checks",
        *_key(),
        sa.Column(
            "score_drop",
            sa.Double(),
            nullable=True,
            comment="P(generated) less that with all cited regions hidden, mean over the fills; null when the check came to nothing",
        ),
        sa.Column("control_drop", sa.Double(), nullable=True, comment="The same with as much hidden elsewhere"),
        sa.Column("requests", sa.Integer(), nullable=False, comment="Cost: requests to the model beside the verdict's own"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="Cost: tokens of their prompts"),
        sa.Column("completion_tokens", sa.Integer(), nullable=False, comment="Cost: tokens of the replies"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="Cost: from the verdict to the end of the check"),
        sa.Column("error_code", sa.Text(), nullable=True, comment="Stable code of why the check came to nothing"),
        sa.Column("error_message", sa.Text(), nullable=True, comment="The same, for people"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was written"),
        sa.CheckConstraint("(score_drop IS NULL) = (error_code IS NOT NULL)", name=op.f("ck_faithfulness_checks_ended")),
        sa.CheckConstraint("(score_drop IS NULL) = (control_drop IS NULL)", name=op.f("ck_faithfulness_checks_paired")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", name=op.f("pk_faithfulness_checks")),
        comment="Tests of explanations, one per verdict that was tested; insert-only",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.create_table(
        "faithfulness_maskings",
        *_key(),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False, comment="The region's; 0: all of them at once"),
        sa.Column("fill", sa.Text(), nullable=False, comment="blur | mean: what stood where something was hidden"),
        sa.Column("p_masked", sa.Double(), nullable=False, comment="P(generated), calibrated as the verdict's, with the cited hidden"),
        sa.Column("p_control", sa.Double(), nullable=False, comment="P(generated) with disjoint patches of the same area hidden elsewhere"),
        sa.Column(
            "controls",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Those patches, [x0, y0, x1, y1] each, in original oriented pixels",
        ),
        sa.CheckConstraint("fill IN ('blur', 'mean')", name=op.f("ck_faithfulness_maskings_fill")),
        sa.CheckConstraint("p_masked BETWEEN 0 AND 1 AND p_control BETWEEN 0 AND 1", name=op.f("ck_faithfulness_maskings_scores")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", "position", "fill", name=op.f("pk_faithfulness_maskings")),
        comment="What a check of an explanation asked, fill by fill; insert-only, gone with the image",
        postgresql_partition_by="RANGE (batch_id)",
    )
    for table in TABLES:
        op.execute(f"CREATE TABLE {table}_p_default PARTITION OF {table} DEFAULT")
        op.execute(f"GRANT SELECT, INSERT ON {table} TO zoomin_app")
    op.execute(
        """
        -- Of an erased image the check's numbers stay; where things lay in it, and words that may name it, do not.
        CREATE FUNCTION scrub_faithfulness() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            DELETE FROM faithfulness_maskings WHERE batch_id = NEW.batch_id AND ordinal = NEW.ordinal;
            UPDATE faithfulness_checks SET error_message = 'The image was erased.'
             WHERE batch_id = NEW.batch_id AND ordinal = NEW.ordinal AND error_message IS NOT NULL;
            RETURN NULL;
        END $$
        """
    )
    op.execute("CREATE TRIGGER scrub_faithfulness AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION scrub_faithfulness()")
    op.execute(f"CREATE VIEW moderation_v1.faithfulness AS {VIEW}")
    op.execute("COMMENT ON VIEW moderation_v1.faithfulness IS 'Tests of explanations: what hiding the cited regions did to the score'")
    for column, meaning in COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN moderation_v1.faithfulness.{column} IS '{meaning}'")
    op.execute("GRANT SELECT ON moderation_v1.faithfulness TO zoomin_analyst, zoomin_app")


def _key() -> list[sa.Column[Any]]:
    return [sa.Column(name, kind, autoincrement=False, nullable=False, comment=comment) for name, kind, comment in KEY]


def downgrade() -> None:
    """Back."""
    op.execute("DROP VIEW moderation_v1.faithfulness")
    op.execute("DROP TRIGGER scrub_faithfulness ON erasures")
    op.execute("DROP FUNCTION scrub_faithfulness()")
    for table in reversed(TABLES):
        op.drop_table(table)
