"""What was seen of each image, and how closely.

A row per verdict holds what the regions do not: the size at which the scan saw the whole image, and figures over it and the crops. The
rectangles themselves are in `regions`; nothing is stored twice, and a map is drawn from a few numbers instead of a picture per image.
"""

import sqlalchemy as sa
from alembic import op

revision = "coverage"
down_revision = "explanation_jobs"
branch_labels = None
depends_on = None

# As `worker.moderation.coverage` measures: what was judged before, whose scan's request still says how large the image was that it saw.
BACKFILL = """
    INSERT INTO coverage (batch_id, ordinal, revision, sent_width, sent_height, least, mean, share_half, share_native)
    SELECT o.batch_id, o.ordinal, o.revision, s.width, s.height, f.least, f.mean, f.share_half, f.share_native
      FROM outcomes AS o
     CROSS JOIN LATERAL (
           SELECT (sent.size ->> 0)::integer AS width, (sent.size ->> 1)::integer AS height
             FROM traces AS t
            CROSS JOIN jsonb_path_query_first(t.request, '$.turns[*].parts[*] ? (@.image == $sent).size',
                                              jsonb_build_object('sent', o.sent_sha256)) AS sent (size)
            WHERE (t.batch_id, t.ordinal, t.revision, t.stage, t.attempt) = (o.batch_id, o.ordinal, o.revision, 'scan', 1)) AS s
     CROSS JOIN LATERAL (
           WITH areas AS (
                SELECT 0 AS x0, 0 AS y0, o.width AS x1, o.height AS y1,
                       sqrt(s.width::float * s.height / (o.width::float * o.height)) AS resolution
                 UNION ALL
                SELECT r.crop_x0, r.crop_y0, r.crop_x1, r.crop_y1, r.scale FROM regions AS r
                 WHERE (r.batch_id, r.ordinal, r.revision) = (o.batch_id, o.ordinal, o.revision)
                   AND r.crop_x0 IS NOT NULL AND r.scale IS NOT NULL
           ), columns AS (
                SELECT x AS x0, lead(x) OVER (ORDER BY x) AS x1 FROM (SELECT x0 FROM areas UNION SELECT x1 FROM areas) AS edges (x)
           ), rows AS (
                SELECT y AS y0, lead(y) OVER (ORDER BY y) AS y1 FROM (SELECT y0 FROM areas UNION SELECT y1 FROM areas) AS edges (y)
           ), cells AS (
                SELECT (c.x1 - c.x0)::float * (r.y1 - r.y0) AS area,
                       (SELECT max(a.resolution) FROM areas AS a
                         WHERE a.x0 <= c.x0 AND a.x1 >= c.x1 AND a.y0 <= r.y0 AND a.y1 >= r.y1) AS resolution
                  FROM columns AS c CROSS JOIN rows AS r WHERE c.x1 IS NOT NULL AND r.y1 IS NOT NULL
           )
           SELECT min(resolution) AS least, sum(area * resolution) / sum(area) AS mean,
                  coalesce(sum(area) FILTER (WHERE resolution >= 0.5), 0) / sum(area) AS share_half,
                  coalesce(sum(area) FILTER (WHERE resolution >= 0.95), 0) / sum(area) AS share_native
             FROM cells) AS f
     WHERE o.kind = 'verdict' AND o.width > 0 AND o.height > 0 AND s.width > 0 AND s.height > 0
"""
NEWEST = """
    NOT EXISTS (SELECT FROM outcomes AS n WHERE n.batch_id = o.batch_id AND n.ordinal = o.ordinal AND n.revision > o.revision)
"""
PLACE = """o.batch_id, o.ordinal, 'item_' || replace(o.batch_id::text, '-', '') || '_' || o.ordinal AS item_id, b.tenant_id, o.revision"""
SEEN = "coverage AS c JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (c.batch_id, c.ordinal, c.revision)"
PLACE_COLUMNS = {
    "batch_id": "Batch of the image",
    "ordinal": "The image's place in it",
    "item_id": "The image's id in the API",
    "tenant_id": "Who submitted it",
    "revision": "Of the newest outcome, which is a verdict",
}
VIEWS = {
    "coverage_current": (
        "How closely the image of every newest verdict was looked at",
        f"""
        SELECT {PLACE}, o.width, o.height, c.sent_width, c.sent_height,
               c.least AS resolution_least, c.mean AS resolution_mean, c.share_half, c.share_native
          FROM {SEEN} JOIN batches AS b ON b.id = o.batch_id
         WHERE {NEWEST}
        """,
        {
            **PLACE_COLUMNS,
            "width": "Pixels, after EXIF orientation",
            "height": "Pixels, after EXIF orientation",
            "sent_width": "Of the whole image as the scan was sent it",
            "sent_height": "Of the whole image as the scan was sent it",
            "resolution_least": "Lowest resolution of any part: sent pixels per original pixel of a side",
            "resolution_mean": "Mean resolution by area, of the closest look at each part",
            "share_half": "Of the area, seen at half resolution or more: 0 when nothing was",
            "share_native": "Of the area, seen at full resolution: 0.95 or more, as sides are rounded to the model's patches",
        },
    ),
    "coverage_areas": (
        "What was seen of the image of every newest verdict: the whole of it, and the crops; where they overlap, the closest look counts",
        f"""
        SELECT {PLACE}, a.position, a.x0, a.y0, a.x1, a.y1, a.resolution
          FROM {SEEN} JOIN batches AS b ON b.id = o.batch_id
         CROSS JOIN LATERAL (
               SELECT NULL::smallint AS position, 0 AS x0, 0 AS y0, o.width AS x1, o.height AS y1,
                      sqrt(c.sent_width::float * c.sent_height / (o.width::float * o.height)) AS resolution
                UNION ALL
               SELECT r.position, r.crop_x0, r.crop_y0, r.crop_x1, r.crop_y1, r.scale FROM regions AS r
                WHERE (r.batch_id, r.ordinal, r.revision) = (o.batch_id, o.ordinal, o.revision)
                  AND r.crop_x0 IS NOT NULL AND r.scale IS NOT NULL) AS a
         WHERE {NEWEST}
        """,
        {
            **PLACE_COLUMNS,
            "position": "Of the region that was cut; null for the whole image",
            "x0": "Left, pixels of the original after EXIF orientation",
            "y0": "Top",
            "x1": "Right, exclusive",
            "y1": "Bottom, exclusive",
            "resolution": "Sent pixels per original pixel of a side",
        },
    ),
}


def upgrade() -> None:
    """Forward. What was judged before is measured here, as far as its trace is still kept: minutes for millions."""
    op.create_table(
        "coverage",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), autoincrement=False, nullable=False, comment="Its outcome's revision"),
        sa.Column("sent_width", sa.Integer(), nullable=False, comment="Pixels of the whole image as the scan was sent it"),
        sa.Column("sent_height", sa.Integer(), nullable=False, comment="Pixels of the whole image as the scan was sent it"),
        sa.Column("least", sa.Double(), nullable=False, comment="Lowest resolution of any part: sent pixels per original pixel of a side"),
        sa.Column("mean", sa.Double(), nullable=False, comment="Mean resolution by area, of the closest look at each part"),
        sa.Column("share_half", sa.Double(), nullable=False, comment="Of the area, seen at half resolution or more"),
        sa.Column("share_native", sa.Double(), nullable=False, comment="Of the area, seen at full resolution: 0.95 or more"),
        sa.CheckConstraint("0 <= share_native AND share_native <= share_half AND share_half <= 1", name=op.f("ck_coverage_shares")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", "revision", name=op.f("pk_coverage")),
        comment="How closely the image of a verdict was looked at; insert-only, and gone with its image",
        postgresql_partition_by="RANGE (batch_id)",
    )
    op.execute("CREATE TABLE coverage_p_default PARTITION OF coverage DEFAULT")
    op.execute("SET LOCAL statement_timeout = 0")
    op.execute(BACKFILL)
    op.execute("GRANT SELECT, INSERT ON coverage TO zoomin_app")
    for name, (comment, query, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW moderation_v1.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW moderation_v1.{name} IS {_quoted(comment)}")
        for column, meaning in columns.items():
            op.execute(f"COMMENT ON COLUMN moderation_v1.{name}.{column} IS {_quoted(meaning)}")
        op.execute(f"GRANT SELECT ON moderation_v1.{name} TO zoomin_analyst, zoomin_app")
    op.execute(
        """
        -- What tells of an image goes with it: erasing empties the outcome's sizes.
        CREATE FUNCTION forget_coverage() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            DELETE FROM coverage AS c WHERE (c.batch_id, c.ordinal, c.revision) = (NEW.batch_id, NEW.ordinal, NEW.revision);
            RETURN NULL;
        END $$
        """
    )
    op.execute(  # last: workers wait for the commit from here on
        "CREATE TRIGGER forget_coverage AFTER UPDATE OF width ON outcomes FOR EACH ROW"
        " WHEN (NEW.width IS NULL) EXECUTE FUNCTION forget_coverage()"
    )


def downgrade() -> None:
    """Back."""
    op.execute("DROP TRIGGER forget_coverage ON outcomes")
    op.execute("DROP FUNCTION forget_coverage()")
    for name in VIEWS:
        op.execute(f"DROP VIEW moderation_v1.{name}")
    op.drop_table("coverage")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
