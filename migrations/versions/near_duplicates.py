"""Images that are the same, or look alike: outcomes are found by the sha256 of their bytes and by a perceptual hash."""

import sqlalchemy as sa
from alembic import op

revision = "near_duplicates"
down_revision = "answers_and_grounds"
branch_labels = None
depends_on = None

# `erase_item` as it stands, whichever migrations have widened it, and one column more.
REPLACE = """
    DO $$
    DECLARE
        before text := pg_get_functiondef('erase_item(uuid, integer, text, text, text)'::regprocedure);
    BEGIN
        ASSERT strpos(before, '{old}') > 0, 'erase_item does not empty outcomes as expected';
        EXECUTE replace(before, '{old}', '{new}');
    END $$
"""
EMPTIED, EMPTIED_TOO = "sent_sha256 = NULL,", "sent_sha256 = NULL, perceptual_hash = NULL,"


def upgrade() -> None:
    """Forward."""
    op.add_column(
        "outcomes",
        sa.Column(
            "perceptual_hash",
            sa.BigInteger(),
            nullable=True,
            comment="64-bit pHash (DCT) of the shrunken whole image, signed: few bits apart, they look alike. A hint, no proof",
        ),
    )
    op.create_index(
        "ix_outcomes_image_sha256", "outcomes", ["image_sha256", "batch_id"], postgresql_where=sa.text("image_sha256 IS NOT NULL")
    )
    op.execute(
        """
        -- The hash in four bands of 16 bits, each with its number above it: hashes that differ in few bits share a band, or nearly.
        CREATE FUNCTION perceptual_bands(hash bigint) RETURNS integer[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN ARRAY[hash & 65535, 65536 | (hash >> 16 & 65535), 131072 | (hash >> 32 & 65535), 196608 | (hash >> 48 & 65535)]::integer[]
        """
    )
    # One inverted index of four numbers per outcome: a tenth of the size of a table of bands. Without a list of what is not merged into it
    # yet, which each of a look-up's probes would read from end to end.
    op.create_index(
        "ix_outcomes_perceptual_bands",
        "outcomes",
        [sa.text("perceptual_bands(perceptual_hash)")],
        postgresql_using="gin",
        postgresql_with={"fastupdate": "off"},
        postgresql_where=sa.text("perceptual_hash IS NOT NULL"),
    )
    op.execute(REPLACE.format(old=EMPTIED, new=EMPTIED_TOO))
    op.add_column(
        "reviews",
        sa.Column(
            "answered_with",
            sa.BigInteger(),
            nullable=True,
            comment="The task with whose answer it was given, as one of its duplicates",
        ),
    )
    op.create_foreign_key(op.f("fk_reviews_answered_with_review_tasks"), "reviews", "review_tasks", ["answered_with"], ["id"])


def downgrade() -> None:
    """Back."""
    op.drop_column("reviews", "answered_with")
    op.execute(REPLACE.format(old=EMPTIED_TOO, new=EMPTIED))
    op.drop_index("ix_outcomes_perceptual_bands", "outcomes")
    op.execute("DROP FUNCTION perceptual_bands(bigint)")
    op.drop_index("ix_outcomes_image_sha256", "outcomes")
    op.drop_column("outcomes", "perceptual_hash")
