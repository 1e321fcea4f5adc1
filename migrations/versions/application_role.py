"""What the application may do: insert and read at the grain of images, update only what is meant to change.

`zoomin_app` is a group without login. Roles belong to the whole cluster, so going back revokes but does not drop it:
another database of the cluster may use it.
"""

from alembic import op

revision = "application_role"
down_revision = "append_only_audit"
branch_labels = None
depends_on = None

INSERT_ONLY = ("items", "row_errors", "outcomes", "regions", "traces", "routings", "releases", "audit_events")
MUTABLE = ("tenants", "batches", "chunks", "evidence", "outbox")


def upgrade() -> None:
    """Forward."""
    op.execute(
        """
        DO $$ BEGIN
            CREATE ROLE zoomin_app NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute("GRANT USAGE ON SCHEMA public TO zoomin_app")
    op.execute(f"GRANT SELECT, INSERT ON {', '.join((*INSERT_ONLY, *MUTABLE))} TO zoomin_app")
    op.execute(f"GRANT UPDATE ON {', '.join(MUTABLE)} TO zoomin_app")
    op.execute("GRANT SELECT ON alembic_version TO zoomin_app")
    op.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO zoomin_app")
    op.execute("GRANT pg_read_all_stats TO zoomin_app")  # readiness reads application names in pg_stat_activity


def downgrade() -> None:
    """Back."""
    op.execute("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM zoomin_app")
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM zoomin_app")
    op.execute("REVOKE USAGE ON SCHEMA public FROM zoomin_app")
