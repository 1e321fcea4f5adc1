"""Events can be followed: by tenant over HTTP, in SQL by a view. Their ids are in the order of commits from here on."""

import sqlalchemy as sa
from alembic import op

revision = "event_following"
down_revision = "people"
branch_labels = None
depends_on = None

POSITION = "In the order of commits: nothing comes late before one that was seen"
COLUMNS = {
    "position": POSITION,
    "event_id": "Its public id, the webhook-id of its deliveries",
    "tenant_id": "Whose event",
    "type": "batch.completed | item.verdict.created | item.failed | review.completed | decision.created | decision.superseded | …",
    "data": "Ids and counts",
    "occurred_at": "When it happened",
}


def upgrade() -> None:
    """Forward."""
    op.create_index("ix_outbox_tenant_id_id", "outbox", ["tenant_id", "id"])
    op.alter_column("outbox", "id", existing_type=sa.BigInteger(), comment=POSITION)
    op.execute(
        """
        CREATE VIEW moderation_v1.events AS
        SELECT id AS position, 'evt_' || replace(event_id::text, '-', '') AS event_id, tenant_id, type, payload AS data,
               created_at AS occurred_at
          FROM public.outbox
        """
    )
    said = "What happened, oldest first by position; NOTIFY zoomin_events tells of new ones. Events of single items: only while an"
    op.execute(f"COMMENT ON VIEW moderation_v1.events IS '{said} active webhook endpoint subscribes to them'")
    for column, meaning in COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN moderation_v1.events.{column} IS '{meaning}'")
    op.execute("GRANT SELECT ON moderation_v1.events TO zoomin_analyst, zoomin_app")


def downgrade() -> None:
    """Back."""
    op.execute("DROP VIEW moderation_v1.events")
    op.alter_column("outbox", "id", existing_type=sa.BigInteger(), comment="Order of writing")
    op.drop_index("ix_outbox_tenant_id_id", "outbox")
