"""Translations: explanations in other languages, gone with the image they speak of; and what asking for them cost."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.versions.explanation_jobs import replace_in

revision = "translations"
down_revision = "attention_maps"
branch_labels = None
depends_on = None

# Retention's functions, and one step more: costs are asked for by the day.
FUNCTIONS = {
    "prune_rows(text, integer)": """WHEN 'calls' THEN ended := term_ended('routine'); DELETE FROM translation_calls
        WHERE id IN (SELECT id FROM translation_calls WHERE created_at < ended ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED);""",
    "count_prunable(text)": """WHEN 'calls' THEN ended := term_ended('routine');
        SELECT count(*) INTO number FROM translation_calls WHERE created_at < ended;""",
}


def upgrade() -> None:
    """Forward."""
    now = sa.text("now()")
    op.create_table(
        "translations",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the outcome"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="Its revision"),
        sa.Column("language", sa.Text(), nullable=False, comment="BCP-47 tag"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column(
            "passages",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="The texts: field, position of the region, text; untrusted",
        ),
        sa.Column("source", sa.Text(), nullable=False, comment="catalogue, or which model translated"),
        sa.Column("machine", sa.Boolean(), nullable=False, comment="Whether a model translated: then it is marked so wherever it is shown"),
        sa.Column(
            "verified",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="What was checked: how many facts of each kind are the same, the language it reads as",
        ),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="Who asked: an actor"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False, comment="When it was kept"),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_translations_batch_id_batches")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_translations_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", "language", name=op.f("pk_translations")),
        comment="Explanations in other languages, verified; insert-only, and gone when the image is erased",
    )
    op.create_table(
        "translation_calls",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Nothing more than a key"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="For whom"),
        sa.Column("job_id", sa.UUID(), nullable=False, comment="For which explanation job"),
        sa.Column("language", sa.Text(), nullable=False, comment="Into which language"),
        sa.Column("model", sa.Text(), nullable=False, comment="Who was asked"),
        sa.Column("prompt_tokens", sa.Integer(), nullable=False, comment="As the translator counts them"),
        sa.Column("completion_tokens", sa.Integer(), nullable=False, comment="As the translator counts them"),
        sa.Column(
            "problems",
            postgresql.ARRAY(sa.TEXT()),
            server_default=sa.text("'{}'"),
            nullable=False,
            comment="Codes of why the reply was not kept; empty: it was",
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False, comment="When it came"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_translation_calls_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_translation_calls")),
        comment="Every reply of a translator and what it cost; insert-only, and without a word of it",
    )
    op.create_index("ix_translation_calls_created_at", "translation_calls", ["created_at"], postgresql_using="brin")
    op.execute("GRANT SELECT, INSERT ON translations, translation_calls TO zoomin_app")
    op.execute("GRANT USAGE ON SEQUENCE translation_calls_id_seq TO zoomin_app")
    op.execute(
        """
        -- An erased image's explanation is gone in every language.
        CREATE FUNCTION erase_translations() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            DELETE FROM translations WHERE batch_id = NEW.batch_id AND ordinal = NEW.ordinal;
            RETURN NULL;
        END $$
        """
    )
    op.execute("CREATE TRIGGER erase_translations AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION erase_translations()")
    for function, step in FUNCTIONS.items():
        replace_in(function, "END CASE", f"{step} END CASE")


def downgrade() -> None:
    """Back. Translations can be asked for again."""
    for function, step in FUNCTIONS.items():
        replace_in(function, f"{step} END CASE", "END CASE")
    op.execute("DROP TRIGGER erase_translations ON erasures")
    op.execute("DROP FUNCTION erase_translations()")
    op.execute("DELETE FROM explanation_jobs WHERE kind = 'translation'")  # one that is done would stand in the way of asking again
    op.drop_table("translation_calls")
    op.drop_table("translations")
