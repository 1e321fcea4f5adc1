"""Words of outcomes to search by, paths to who answered and to what was judged when, and filters that people keep.

The words lie in a table of their own instead of an index over an expression: the explanation, and the reasons and findings of all boxes,
are one text to whoever searches, and are in two tables. It begins with the tenant, so that nobody's search walks past other tenants' rows.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "search"
down_revision = "review_figures"
branch_labels = None
depends_on = None

LONGEST = 100_000  # characters of an outcome's text that are searched: a tsvector holds a megabyte, and recording must never fail for it
STANDING = sa.text("removed_at IS NULL")


def upgrade() -> None:
    """Forward. What was judged before becomes searchable here: minutes for millions."""
    _create_words()
    _create_filters()
    op.create_index("ix_batches_tenant_id", "batches", ["tenant_id", "id"])
    op.create_index("ix_reviews_reviewer", "reviews", ["reviewer", "task_id"])
    op.create_index("ix_outcomes_created_at", "outcomes", ["created_at"], postgresql_using="brin")
    op.execute(  # last: workers wait for the commit from here on
        "CREATE TRIGGER forget_words AFTER UPDATE OF explanation ON outcomes FOR EACH ROW"
        " WHEN (NEW.explanation IS NULL) EXECUTE FUNCTION forget_words()"
    )


def _create_words() -> None:
    op.execute(
        f"""
        CREATE VIEW outcome_texts AS
        SELECT o.batch_id, o.ordinal, o.revision, left(concat_ws(' · ', o.explanation, r.said), {LONGEST}) AS said
          FROM outcomes AS o
         CROSS JOIN LATERAL (SELECT string_agg(concat_ws(' · ', g.reason, g.finding), ' · ' ORDER BY g.position) AS said
                               FROM regions AS g
                              WHERE (g.batch_id, g.ordinal, g.revision) = (o.batch_id, o.ordinal, o.revision)) AS r
        """
    )
    op.execute(
        """
        -- As Postgres's parser shall read it: it takes <left hand> for a tag, melted/blurry for a path and hand.The for a host. Each sign
        -- that joins words becomes a control character, which joins none; `worker.moderation.headlines` makes it what it was.
        CREATE FUNCTION search_text(said text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN translate(said, '</.@_' || E'\\x02\\x03\\x04\\x05\\x06\\x07\\x0e', E'\\x04\\x05\\x06\\x07\\x0e')
        """
    )
    op.execute("COMMENT ON VIEW outcome_texts IS 'What the model said of an image, as it is searched: explanation, reasons, findings'")
    op.create_table(
        "outcome_words",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="Its outcome's revision"),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False, comment="Stems of outcome_texts, in English"),
        sa.PrimaryKeyConstraint("tenant_id", "batch_id", "ordinal", "revision", name=op.f("pk_outcome_words")),
        comment="What outcomes are found by; insert-only, and gone with their texts",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.execute("CREATE TABLE outcome_words_p_default PARTITION OF outcome_words DEFAULT")
    op.execute("SET LOCAL statement_timeout = 0")
    op.execute(
        """
        INSERT INTO outcome_words (tenant_id, batch_id, ordinal, revision, words)
        SELECT b.tenant_id, t.batch_id, t.ordinal, t.revision, to_tsvector('english', search_text(t.said))
          FROM outcome_texts AS t JOIN batches AS b ON b.id = t.batch_id WHERE t.said <> ''
        """
    )
    op.create_index("ix_outcome_words_words", "outcome_words", ["words"], postgresql_using="gin")
    op.execute(
        """
        CREATE FUNCTION forget_words() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            DELETE FROM outcome_words AS w USING batches AS b
             WHERE b.id = NEW.batch_id
               AND (w.tenant_id, w.batch_id, w.ordinal, w.revision) = (b.tenant_id, NEW.batch_id, NEW.ordinal, NEW.revision);
            RETURN NULL;
        END $$
        """
    )
    op.execute("GRANT SELECT, INSERT ON outcome_words TO zoomin_app")
    op.execute("GRANT SELECT ON outcome_texts TO zoomin_app")


def _create_filters() -> None:
    op.create_table(
        "saved_filters",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("owner", sa.Text(), nullable=False, comment="Who keeps it: person:<id> or key:<prefix>"),
        sa.Column("name", sa.Text(), nullable=False, comment="What its owner calls it; empty once removed"),
        sa.Column("query", sa.Text(), nullable=False, comment="The filter, as in the page's address; empty once removed"),
        sa.Column("shared", sa.Boolean(), nullable=False, comment="Whether everybody of the tenant sees it"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was made"),
        sa.Column(
            "updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it changed last"
        ),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was removed, with all that it said"),
        sa.CheckConstraint("removed_at IS NULL OR (name, query) = ('', '')", name=op.f("ck_saved_filters_removed")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_saved_filters_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_filters")),
        comment="Searches that people keep by a name",
    )
    op.create_index("uq_saved_filters_own", "saved_filters", ["tenant_id", "owner", "name"], unique=True, postgresql_where=STANDING)
    op.create_index(
        "uq_saved_filters_shared",
        "saved_filters",
        ["tenant_id", "name"],
        unique=True,
        postgresql_where=sa.text("shared AND removed_at IS NULL"),
    )
    op.execute("GRANT SELECT, INSERT ON saved_filters TO zoomin_app")
    op.execute("GRANT UPDATE (name, query, shared, updated_at, removed_at) ON saved_filters TO zoomin_app")


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_batches_tenant_id", "batches")
    op.drop_index("ix_reviews_reviewer", "reviews")
    op.drop_index("ix_outcomes_created_at", "outcomes")
    op.drop_table("saved_filters")
    op.execute("DROP TRIGGER forget_words ON outcomes")
    op.execute("DROP FUNCTION forget_words()")
    op.drop_table("outcome_words")
    op.execute("DROP FUNCTION search_text(text)")
    op.execute("DROP VIEW outcome_texts")
