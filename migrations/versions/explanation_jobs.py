"""Explanation jobs: work about recorded outcomes, queued in Postgres like chunks, and gone quiet with an erased image."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "explanation_jobs"
down_revision = "explaining_policies"
branch_labels = None
depends_on = None

TABLE = "explanation_jobs"
CHANGING = (
    "state, next_attempt_at, announced_at, announcements, attempts, lane,"
    " lease_owner, lease_token, lease_expires_at, error_code, error_message, finished_at"
)

# A function as it stands, and what is replaced in it.
REPLACE = """
    DO $$
    DECLARE
        before text := pg_get_functiondef('{function}'::regprocedure);
    BEGIN
        ASSERT strpos(before, $old${old}$old$) > 0, '{function} does not prune as expected';
        EXECUTE replace(before, $old${old}$old$, $new${new}$new$);
    END $$
"""
# Retention's functions, and one step more.
FUNCTIONS = {
    "prune_rows(text, integer)": """WHEN 'jobs' THEN ended := term_ended('routine'); DELETE FROM explanation_jobs
        WHERE id IN (SELECT id FROM explanation_jobs AS doomed WHERE {condition} ORDER BY id LIMIT most FOR UPDATE SKIP LOCKED);""",
    "count_prunable(text)": """WHEN 'jobs' THEN ended := term_ended('routine');
        SELECT count(*) INTO number FROM explanation_jobs AS doomed WHERE {condition};""",
}
# What a job was about is over with its outcome's traces: nothing more can be made of it, and what was made stands by itself.
JOBS_END = (
    "finished_at < ended AND NOT EXISTS (SELECT FROM traces AS t"
    " WHERE (t.batch_id, t.ordinal, t.revision) = (doomed.batch_id, doomed.ordinal, doomed.revision))"
)
NO_CHUNK_LEFT = "coalesce(c.leased_at <= doomed.gone_at, true))"  # that may have stored the same pixels before they were gone
NO_JOB_LEFT = " AND NOT EXISTS (SELECT FROM explanation_jobs AS j WHERE j.state = 'running' AND j.created_at <= doomed.gone_at)"


def upgrade() -> None:
    """Forward."""
    now, zero = sa.text("now()"), sa.text("0")
    moment = sa.DateTime(timezone=True)
    op.create_table(
        TABLE,
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7; what a Celery message carries"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("kind", sa.Text(), nullable=False, comment="attention | look | translation"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the outcome"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="Item of the outcome"),
        sa.Column("revision", sa.SmallInteger(), nullable=False, comment="Revision of the outcome"),
        sa.Column(
            "key", sa.Text(), nullable=False, comment="What of the kind is made of the outcome; asking for the same again gives this job"
        ),
        sa.Column(
            "detail",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="Ids and parameters; no words of people or models",
        ),
        sa.Column("asked_by", sa.Text(), nullable=False, comment="Who asked first: an actor"),
        sa.Column(
            "lane",
            sa.SmallInteger(),
            server_default=zero,
            nullable=False,
            comment="0: somebody waits for it; 1: a policy drew it, and it lets those go first",
        ),
        sa.Column(
            "state",
            sa.Text(),
            server_default=sa.text("'waiting'"),
            nullable=False,
            comment="waiting | announced | running | done | failed",
        ),
        sa.Column(
            "next_attempt_at", moment, server_default=now, nullable=False, comment="Not announced before this, by the database's clock"
        ),
        sa.Column("announced_at", moment, nullable=True, comment="When its id was last put into Redis"),
        sa.Column("announcements", sa.Integer(), server_default=zero, nullable=False, comment="How often it was announced"),
        sa.Column("attempts", sa.SmallInteger(), server_default=zero, nullable=False, comment="Claims so far"),
        sa.Column("lease_owner", sa.Text(), nullable=True, comment="Which worker holds it"),
        sa.Column("lease_token", sa.UUID(), nullable=True, comment="Fencing token: whoever writes names it"),
        sa.Column("lease_expires_at", moment, nullable=True, comment="By the database's clock"),
        sa.Column("error_code", sa.Text(), nullable=True, comment="Stable code of what made it fail"),
        sa.Column("error_message", sa.Text(), nullable=True, comment="What happened and what to do, for people; also of the last attempt"),
        sa.Column("created_at", moment, server_default=now, nullable=False, comment="When it was first asked for"),
        sa.Column("finished_at", moment, nullable=True, comment="When it was done, or failed"),
        sa.CheckConstraint("kind IN ('attention', 'look', 'translation')", name=op.f("ck_explanation_jobs_kind")),
        sa.CheckConstraint("state IN ('waiting', 'announced', 'running', 'done', 'failed')", name=op.f("ck_explanation_jobs_state")),
        sa.CheckConstraint("(state = 'running') = (lease_token IS NOT NULL)", name=op.f("ck_explanation_jobs_lease")),
        sa.CheckConstraint("(state = 'failed') = (error_code IS NOT NULL)", name=op.f("ck_explanation_jobs_error")),
        sa.CheckConstraint("(state IN ('done', 'failed')) = (finished_at IS NOT NULL)", name=op.f("ck_explanation_jobs_finished")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_explanation_jobs_batch_id_batches")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_explanation_jobs_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_explanation_jobs")),
        sa.UniqueConstraint(
            "batch_id", "ordinal", "revision", "kind", "key", name=op.f("uq_explanation_jobs_batch_id_ordinal_revision_kind_key")
        ),
        comment="Work about recorded outcomes: attention maps, looks, translations. None changes a verdict",
    )
    op.create_index(
        "ix_explanation_jobs_waiting", TABLE, ["kind", "tenant_id", "lane", "id"], postgresql_where=sa.text("state = 'waiting'")
    )
    op.create_index("ix_explanation_jobs_in_flight", TABLE, ["kind", "state"], postgresql_where=sa.text("state IN ('announced','running')"))
    op.create_index("ix_explanation_jobs_tenant_id", TABLE, ["tenant_id", "id"])
    op.execute(f"GRANT SELECT, INSERT ON {TABLE} TO zoomin_app")
    op.execute(f"GRANT UPDATE ({CHANGING}) ON {TABLE} TO zoomin_app")
    op.execute(
        """
        -- Nobody works on an erased image any more, and no message tells of it. What was made of it is for each result's own table.
        CREATE FUNCTION end_explanation_jobs() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            UPDATE explanation_jobs
               SET state = 'failed', finished_at = now(), error_code = 'item_erased',
                   lease_owner = NULL, lease_token = NULL, lease_expires_at = NULL
             WHERE (batch_id, ordinal) = (NEW.batch_id, NEW.ordinal) AND state IN ('waiting', 'announced', 'running');
            UPDATE explanation_jobs SET error_message = CASE WHEN error_code IS NOT NULL THEN 'The image was erased.' END
             WHERE (batch_id, ordinal) = (NEW.batch_id, NEW.ordinal);
            RETURN NULL;
        END $$
        """
    )
    op.execute("CREATE TRIGGER end_explanation_jobs AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION end_explanation_jobs()")
    for function, step in FUNCTIONS.items():
        replace_in(function, "END CASE", f"{step.format(condition=JOBS_END)} END CASE")
        replace_in(function, NO_CHUNK_LEFT, NO_CHUNK_LEFT + NO_JOB_LEFT)


def replace_in(function: str, old: str, new: str) -> None:
    """Changes a function as it stands, whichever migrations have changed it."""
    op.execute(REPLACE.format(function=function, old=old, new=new))


def downgrade() -> None:
    """Back."""
    for function, step in FUNCTIONS.items():
        replace_in(function, f"{step.format(condition=JOBS_END)} END CASE", "END CASE")
        replace_in(function, NO_CHUNK_LEFT + NO_JOB_LEFT, NO_CHUNK_LEFT)
    op.execute("DROP TRIGGER end_explanation_jobs ON erasures")
    op.execute("DROP FUNCTION end_explanation_jobs()")
    op.drop_table(TABLE)
