"""Outcomes tell what their image went through before it came: compression, blur, enlargement, borders, and the band that follows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "degradation"
down_revision = "translations"
branch_labels = None
depends_on = None

COLUMNS: dict[str, tuple[sa.types.TypeEngine[Any], str]] = {
    "jpeg_quality": (sa.SmallInteger(), "1..100 on libjpeg's scale, from the file's tables; null: not a JPEG, or not estimated"),
    "blur": (sa.Double(), "Standard deviation of the Gaussian in its sharpest edges, original pixels"),
    "rescaling": (sa.Double(), "It was enlarged by this factor; 1: no trace of that; null: too small to tell"),
    "border": (sa.ARRAY(sa.Integer()), "Uniform borders: left, top, right, bottom, in original oriented pixels"),
    "degradation_band": (
        sa.Text(),
        "blurred | rescaled | compressed | framed | clean: the first that holds; its calibration made p_generated",
    ),
}
# What each view gets at its end, and from where. The views are widened as they stand, whatever other migrations added.
SHOWN = {"item_current": [f"o.{name}" for name in COLUMNS], "flagged_images": ["i.degradation_band"]}
# `erase_item` as it stands, whichever migrations have widened it, and these columns more.
REPLACE = """
    DO $$
    DECLARE
        before text := pg_get_functiondef('erase_item(uuid, integer, text, text, text)'::regprocedure);
    BEGIN
        ASSERT strpos(before, '{old}') > 0, 'erase_item does not empty outcomes as expected';
        EXECUTE replace(before, '{old}', '{new}');
    END $$
"""
EMPTIED = "width = NULL, height = NULL,"
EMPTIED_TOO = " ".join([EMPTIED, *(f"{name} = NULL," for name in COLUMNS)])
FROM = "\n   FROM "  # of the view itself, as Postgres writes it: those of queries inside it are further in


def upgrade() -> None:
    """Forward."""
    for name, (kind, comment) in COLUMNS.items():
        op.add_column("outcomes", sa.Column(name, kind, nullable=True, comment=comment))
    op.execute(REPLACE.format(old=EMPTIED, new=EMPTIED_TOO))
    for view, shown in SHOWN.items():
        columns, tables = _definition(view).split(FROM, 1)
        op.execute(f"CREATE OR REPLACE VIEW moderation_v1.{view} AS {columns}, {', '.join(shown)}{FROM}{tables}")
        for column in shown:
            _describe(view, column[2:], COLUMNS[column[2:]][1])


def downgrade() -> None:
    """Back. A view cannot lose a column: it and the one on top of it are made again."""
    before = {view: (_definition(view), _comments(view)) for view in SHOWN}
    op.execute("DROP VIEW moderation_v1.flagged_images, moderation_v1.item_current")
    for view, (definition, (comment, columns)) in before.items():
        own = "".join(f",\n    {shown}" for shown in SHOWN[view])
        op.execute(f"CREATE VIEW moderation_v1.{view} AS {definition.replace(own, '', 1)}")
        op.execute(f"COMMENT ON VIEW moderation_v1.{view} IS {_quoted(comment)}")
        for column, meaning in columns.items():
            if f"o.{column}" not in SHOWN[view] and f"i.{column}" not in SHOWN[view]:
                _describe(view, column, meaning)
        op.execute(f"GRANT SELECT ON moderation_v1.{view} TO zoomin_analyst, zoomin_app")
    op.execute(REPLACE.format(old=EMPTIED_TOO, new=EMPTIED))
    for name in reversed(COLUMNS):
        op.drop_column("outcomes", name)


def _definition(view: str) -> str:
    query = sa.text("SELECT pg_get_viewdef(CAST(:view AS regclass))")
    return str(op.get_bind().execute(query, {"view": f"moderation_v1.{view}"}).scalar_one()).rstrip().rstrip(";")


def _comments(view: str) -> tuple[str, dict[str, str]]:
    """Of the view and of its columns."""
    query = sa.text(
        """
        -- comments of a view
        SELECT obj_description(CAST(:view AS regclass)), attname, col_description(attrelid, attnum)
          FROM pg_attribute WHERE attrelid = CAST(:view AS regclass) AND attnum > 0 ORDER BY attnum
        """
    )
    rows = op.get_bind().execute(query, {"view": f"moderation_v1.{view}"}).all()
    return rows[0][0], {name: comment for _, name, comment in rows}


def _describe(view: str, column: str, meaning: str) -> None:
    op.execute(f"COMMENT ON COLUMN moderation_v1.{view}.{column} IS {_quoted(meaning)}")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
