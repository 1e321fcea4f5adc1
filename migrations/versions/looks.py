"""Looks: closer looks at recorded images that somebody asks the model for.

A look continues a recorded scan. It goes when that goes, by the foreign key: whatever ends traces (the end of a term, an erasure) ends
looks, their words and requests with them, also at the very moment at which one is asked. Their crops are held like those of regions.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "looks"
down_revision = "faithfulness"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    _create_looks()
    _create_answers()
    op.execute("GRANT SELECT, INSERT ON looks, look_answers TO zoomin_app")
    op.execute(
        """
        -- Retention looks at once at a crop whose look is gone; whether it goes is up to what else holds it.
        CREATE FUNCTION let_go_of_look() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            UPDATE evidence SET due_at = '-infinity' WHERE sha256 = OLD.crop_sha256 AND removed_at IS NULL;
            RETURN NULL;
        END $$
        """
    )
    op.execute("CREATE TRIGGER let_go_of_look AFTER DELETE ON look_answers FOR EACH ROW EXECUTE FUNCTION let_go_of_look()")


def _whole(name: str, comment: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False, comment=comment)


def _create_looks() -> None:
    op.create_table(
        "looks",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7; also the key of its explanation job"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the outcome"),
        _whole("ordinal", "Its item"),
        sa.Column("revision", sa.SmallInteger(), nullable=False, comment="Its revision"),
        sa.Column(
            "trace_stage", sa.Text(), server_default=sa.text("'scan'"), nullable=False, comment="scan: whose conversation is continued"
        ),
        sa.Column("trace_attempt", sa.SmallInteger(), nullable=False, comment="Which attempt of it"),
        sa.Column("author", sa.Text(), nullable=False, comment="Who asked: an actor"),
        sa.Column("number", sa.SmallInteger(), nullable=False, comment="1, 2… in the author's dialogue about the outcome"),
        sa.Column(
            "position",
            sa.Integer(),
            nullable=True,
            comment="The outcome's region that was asked about; null for a box of the asker's own",
        ),
        _whole("x0", "Left of what was asked for, original oriented pixels"),
        _whole("y0", "Top"),
        _whole("x1", "Right, exclusive"),
        _whole("y1", "Bottom, exclusive"),
        sa.Column("question", sa.Text(), nullable=False, comment="In the asker's words; empty: only what is seen there"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was asked"),
        sa.CheckConstraint("trace_stage = 'scan'", name=op.f("ck_looks_trace_stage")),
        sa.CheckConstraint("0 <= x0 AND x0 < x1 AND 0 <= y0 AND y0 < y1", name=op.f("ck_looks_box")),
        sa.ForeignKeyConstraint(
            ["batch_id", "ordinal", "revision", "trace_stage", "trace_attempt"],
            ["traces.batch_id", "traces.ordinal", "traces.revision", "traces.stage", "traces.attempt"],
            name="fk_looks_traces",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_looks_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_looks")),
        sa.UniqueConstraint(
            "batch_id", "ordinal", "revision", "author", "number", name=op.f("uq_looks_batch_id_ordinal_revision_author_number")
        ),
        comment="Closer looks that somebody asked the model for; insert-only. None changes a verdict",
    )
    op.create_index("ix_looks_author", "looks", ["tenant_id", "author"])


def _create_answers() -> None:
    op.create_table(
        "look_answers",
        sa.Column("look_id", sa.UUID(), nullable=False, comment="Of which look"),
        sa.Column("attempt", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1, or 2 after an unreadable reply"),
        sa.Column("release_id", sa.Text(), nullable=False, comment="Which release looked; not always the one that judged"),
        sa.Column("wording", sa.Text(), nullable=False, comment="Version and sha256 of the text behind the crop; no part of the release"),
        sa.Column(
            "question_put",
            sa.Boolean(),
            nullable=False,
            comment="Whether the model was asked the question; a narrow one only says what it finds",
        ),
        _whole("crop_x0", "Left of what was cut (padded box), original oriented pixels"),
        _whole("crop_y0", "Top of what was cut"),
        _whole("crop_x1", "Right of what was cut, exclusive"),
        _whole("crop_y1", "Bottom of what was cut, exclusive"),
        sa.Column("crop_sha256", sa.Text(), nullable=False, comment="Evidence: the crop as the model was sent it"),
        sa.Column("scale", sa.Double(), nullable=False, comment="Sent pixels per original pixel"),
        sa.Column(
            "finding",
            sa.Text(),
            nullable=True,
            comment="What it found there: untrusted model text; null when the reply could not be read",
        ),
        sa.Column("explanation", sa.Text(), nullable=True, comment="Its explanation: untrusted model text"),
        sa.Column("verdict", sa.Text(), nullable=True, comment="real | generated: its word on this crop alone, never the image's verdict"),
        sa.Column("p_generated", sa.Double(), nullable=True, comment="P(generated) of that word, raw: no calibration holds for looks"),
        sa.Column("request", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="The conversation; images by sha256"),
        sa.Column("reply", sa.Text(), nullable=False, comment="The raw reply: untrusted model text"),
        sa.Column("finish_reason", sa.Text(), nullable=False, comment="stop | length | …"),
        _whole("prompt_tokens", "Tokens of the prompt, image tokens included"),
        sa.Column("cached_tokens", sa.Integer(), nullable=True, comment="Of those, taken from the prefix cache"),
        _whole("completion_tokens", "Tokens of the reply"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="From request to reply"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was written"),
        sa.CheckConstraint("verdict IN ('real', 'generated')", name=op.f("ck_look_answers_verdict")),
        sa.CheckConstraint("p_generated BETWEEN 0 AND 1", name=op.f("ck_look_answers_p_generated")),
        sa.ForeignKeyConstraint(["look_id"], ["looks.id"], name=op.f("fk_look_answers_look_id_looks"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_look_answers_release_id_releases")),
        sa.PrimaryKeyConstraint("look_id", "attempt", name=op.f("pk_look_answers")),
        comment="What the model was sent for looks, and what came back, enough to replay; insert-only",
    )
    op.create_index("ix_look_answers_crop_sha256", "look_answers", ["crop_sha256"])


def downgrade() -> None:
    """Back. Looks decided nothing."""
    op.execute("DELETE FROM explanation_jobs WHERE kind = 'look'")  # one that is done would stand in the way of asking again
    op.drop_table("look_answers")
    op.drop_table("looks")
    op.execute("DROP FUNCTION let_go_of_look()")
