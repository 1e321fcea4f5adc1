"""The database itself keeps the audit trail append-only.

ALWAYS triggers also fire for replication roles; a row trigger alone would let TRUNCATE through.
"""

from alembic import op

revision = "append_only_audit"
down_revision = "spine_tables"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.execute(
        """
        CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'audit_events is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON audit_events FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute("CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()")
    for trigger in ("refuse_row_change", "refuse_truncate"):
        op.execute(f"ALTER TABLE audit_events ENABLE ALWAYS TRIGGER {trigger}")


def downgrade() -> None:
    """Back."""
    op.execute("DROP TRIGGER refuse_truncate ON audit_events")
    op.execute("DROP TRIGGER refuse_row_change ON audit_events")
    op.execute("DROP FUNCTION refuse_audit_change()")
