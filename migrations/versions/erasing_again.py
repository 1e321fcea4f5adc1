"""Erasing an item again also erases what other tables keep of it: jobs, maps, translations, checks, golden images."""

from alembic import op

from migrations.versions.explanation_jobs import replace_in

revision = "erasing_again"
down_revision = "degradation"
branch_labels = None
depends_on = None

TRIGGERS = ("scrub_golden", "end_explanation_jobs", "scrub_faithfulness", "forget_attention_maps", "erase_translations")
ERASE = "erase_item(uuid, integer, text, text, text)"
AGAIN = "again := NOT FOUND;"
# The tombstone stays as it was; that it is written once more is what the triggers wait for. Nobody but the owner may write this column.
TOUCHED = f"{AGAIN} IF again THEN UPDATE erasures SET erased_at = erased_at WHERE batch_id = of_batch AND ordinal = of_ordinal; END IF;"


def upgrade() -> None:
    """Forward."""
    for name in TRIGGERS:
        op.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER INSERT OR UPDATE OF erased_at ON erasures FOR EACH ROW EXECUTE FUNCTION {name}()"
        )
    replace_in(ERASE, AGAIN, TOUCHED)


def downgrade() -> None:
    """Back."""
    replace_in(ERASE, TOUCHED, AGAIN)
    for name in TRIGGERS:
        op.execute(f"CREATE OR REPLACE TRIGGER {name} AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION {name}()")
