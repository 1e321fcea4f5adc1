"""Attention maps: figures and pictures of what verdicts rest on, held like other evidence, and gone with an erased image."""

import sqlalchemy as sa
from alembic import op

revision = "attention_maps"
down_revision = "looks"
branch_labels = None
depends_on = None

VIEW = """
    SELECT m.id AS map_id, m.tenant_id, m.batch_id, m.ordinal,
           'item_' || replace(m.batch_id::text, '-', '') || '_' || m.ordinal AS item_id, m.revision, o.verdict, m.release_id, r.training,
           m.method, m.sampled, m.logprob_gap, m.mass_in_regions, m.mass_in_random,
           m.mass_in_regions / nullif(m.mass_in_random, 0) AS attention_ratio, m.pointing_game, m.seconds, m.created_at AS drawn_at
      FROM attention_maps AS m
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (m.batch_id, m.ordinal, m.revision)
      JOIN releases AS r ON r.id = m.release_id
"""
COLUMNS = {
    "map_id": "Its id in the API",
    "tenant_id": "Whose",
    "batch_id": "Batch of the image",
    "ordinal": "The image's place in it",
    "item_id": "The image's id in the API",
    "revision": "The outcome that is explained",
    "verdict": "real | generated",
    "release_id": "Which release judged; its own checkpoint was read again",
    "training": "untrained | zero_shot | trained: how far its verdicts, and so their maps, can be trusted",
    "method": "How relevance is computed",
    "sampled": "A policy drew it; else somebody asked, and such maps stand for no others",
    "logprob_gap": "Nats between the verdict's log-probabilities as recorded and as read again",
    "mass_in_regions": "Share of the verdict's map inside the named boxes; null where nothing was named",
    "mass_in_random": "The same inside boxes of the same sides at random places",
    "attention_ratio": "mass_in_regions over mass_in_random: 1 is chance",
    "pointing_game": "Whether the map's peak lies in a named box",
    "seconds": "To compute and draw, loading excluded",
    "drawn_at": "When it was recorded",
}


def upgrade() -> None:
    """Forward."""
    _create_maps()
    _create_targets()
    op.execute("GRANT SELECT, INSERT ON attention_maps, attention_targets TO zoomin_app")
    op.execute(
        """
        -- Pictures of an erased image go at retention's next look, and what was said of them at once.
        CREATE FUNCTION forget_attention_maps() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        DECLARE
            shas text[];
        BEGIN
            shas := ARRAY(SELECT values_sha256 FROM attention_maps WHERE (batch_id, ordinal) = (NEW.batch_id, NEW.ordinal)
                          UNION SELECT unnest(ARRAY[t.layer_sha256, t.overlay_sha256])
                                  FROM attention_maps AS m JOIN attention_targets AS t ON t.map_id = m.id
                                 WHERE (m.batch_id, m.ordinal) = (NEW.batch_id, NEW.ordinal));
            PERFORM FROM evidence WHERE sha256 = ANY(shas) ORDER BY sha256 FOR UPDATE;
            UPDATE evidence SET due_at = '-infinity' WHERE sha256 = ANY(shas);
            DELETE FROM attention_maps WHERE (batch_id, ordinal) = (NEW.batch_id, NEW.ordinal);
            RETURN NULL;
        END $$
        """
    )
    op.execute("CREATE TRIGGER forget_attention_maps AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION forget_attention_maps()")
    op.execute(f"CREATE VIEW moderation_v1.attention_maps AS {VIEW}")
    op.execute("COMMENT ON VIEW moderation_v1.attention_maps IS 'What verdicts rest on: how far their attention lies in the named boxes'")
    for column, meaning in COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN moderation_v1.attention_maps.{column} IS {_quoted(meaning)}")
    op.execute("GRANT SELECT ON moderation_v1.attention_maps TO zoomin_analyst, zoomin_app")


def _create_maps() -> None:
    op.create_table(
        "attention_maps",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the outcome"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="Item of the outcome"),
        sa.Column("revision", sa.SmallInteger(), nullable=False, comment="Revision of the outcome"),
        sa.Column(
            "sampled", sa.Boolean(), nullable=False, comment="A policy drew it; else somebody asked, and such maps stand for no others"
        ),
        sa.Column("method", sa.Text(), nullable=False, comment="How relevance is computed"),
        sa.Column("release_id", sa.Text(), nullable=False, comment="Which release judged; its checkpoint was read again"),
        sa.Column(
            "logprob_gap", sa.Double(), nullable=False, comment="Nats between the verdict's log-probabilities as recorded and as read again"
        ),
        sa.Column("mass_in_regions", sa.Double(), nullable=True, comment="Share of the verdict's map inside the named boxes"),
        sa.Column("mass_in_random", sa.Double(), nullable=True, comment="The same inside boxes of the same sides at random places"),
        sa.Column("mass_in_placed", sa.Double(), nullable=True, comment="The same inside such boxes that lie wholly inside the image"),
        sa.Column("pointing_game", sa.Boolean(), nullable=True, comment="Whether the map's peak lies in a named box"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="To compute and draw, loading excluded"),
        sa.Column("values_sha256", sa.Text(), nullable=False, comment="Evidence: the raw arrays, npz"),
        sa.Column(
            "created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was recorded"
        ),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_attention_maps_batch_id_batches")),
        sa.ForeignKeyConstraint(["release_id"], ["releases.id"], name=op.f("fk_attention_maps_release_id_releases")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_attention_maps_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attention_maps")),
        sa.UniqueConstraint("batch_id", "ordinal", "revision", name=op.f("uq_attention_maps_batch_id_ordinal_revision")),
        comment="Attention maps of outcomes, all targets of one in a row; insert-only, and gone with an erased image",
    )
    op.create_index("ix_attention_maps_values_sha256", "attention_maps", ["values_sha256"])


def _create_targets() -> None:
    op.create_table(
        "attention_targets",
        sa.Column("map_id", sa.UUID(), nullable=False, comment="Of which maps"),
        sa.Column("position", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1, 2… as they were drawn"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the outcome: who holds the pictures"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="Item of the outcome"),
        sa.Column("name", sa.Text(), nullable=False, comment="zoom-verdict, scan-sentence-2, scan-box-1, …"),
        sa.Column("stage", sa.Text(), nullable=False, comment="scan | zoom"),
        sa.Column("kind", sa.Text(), nullable=False, comment="verdict | sentence | box"),
        sa.Column("number", sa.SmallInteger(), nullable=False, comment="From 1, among those of its kind and stage"),
        sa.Column("text", sa.Text(), nullable=False, comment="What of the reply is explained: untrusted model text"),
        sa.Column("on_images", sa.Double(), nullable=False, comment="Share of the relevance that lay on images; the rest lay on words"),
        sa.Column(
            "layer_sha256", sa.Text(), nullable=False, comment="Evidence: the map alone, PNG with alpha, in pixels of the image as sent"
        ),
        sa.Column("overlay_sha256", sa.Text(), nullable=False, comment="Evidence: the map over the image, with boxes and a legend"),
        sa.CheckConstraint("stage IN ('scan', 'zoom')", name=op.f("ck_attention_targets_stage")),
        sa.CheckConstraint("kind IN ('verdict', 'sentence', 'box')", name=op.f("ck_attention_targets_kind")),
        sa.ForeignKeyConstraint(
            ["map_id"], ["attention_maps.id"], name=op.f("fk_attention_targets_map_id_attention_maps"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("map_id", "position", name=op.f("pk_attention_targets")),
        sa.UniqueConstraint("map_id", "name", name=op.f("uq_attention_targets_map_id_name")),
        comment="What single attention maps explain, and their pictures; insert-only, and gone with an erased image",
    )
    op.create_index("ix_attention_targets_layer_sha256", "attention_targets", ["layer_sha256"])
    op.create_index("ix_attention_targets_overlay_sha256", "attention_targets", ["overlay_sha256"])


def downgrade() -> None:
    """Back."""
    op.execute("DROP VIEW moderation_v1.attention_maps")
    op.execute("DROP TRIGGER forget_attention_maps ON erasures")
    op.execute("DROP FUNCTION forget_attention_maps()")
    op.execute("DELETE FROM explanation_jobs WHERE kind = 'attention'")  # one that is done would stand in the way of asking again
    op.drop_table("attention_targets")
    op.drop_table("attention_maps")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
