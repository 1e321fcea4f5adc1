"""Tasks opened by policy: sampled ones, queues of their own for flags and disagreements, and the golden set.

A golden task measures its reviewer and must not be told from others by what is seen of it. Ids of tasks therefore leave gaps of random
length, as if every id were taken with a chance of one in sixteen: a golden task takes one from the gaps near the task that it stands in
for, and whether two ids are close tells nothing. They still grow, and never collide.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.versions.answers_and_grounds import REPLACED
from migrations.versions.retention_and_erasure import HELD_ITEM

revision = "task_opening"
down_revision = "search"
branch_labels = None
depends_on = None

KINDS = ("routing", "qa", "appeal", "golden")
PLAIN_ID = "nextval('review_tasks_id_seq')"
IS_GOLDEN = "OR EXISTS (SELECT FROM golden_items WHERE batch_id = of_batch AND ordinal = of_ordinal AND retired_at IS NULL)"
UNFINISHED_GOLDEN = sa.text("kind = 'golden' AND state IN ('open', 'held', 'escalated')")
GOLDEN_ANSWERS = """
    SELECT t.id AS task_id, t.tenant_id, t.queue, t.batch_id, t.ordinal,
           'item_' || replace(t.batch_id::text, '-', '') || '_' || t.ordinal AS item_id, t.revision, r.reviewer,
           g.verdict AS expected, r.verdict AS answered, r.verdict = g.verdict AS correct, b.box_iou, r.seconds,
           r.created_at AS answered_at
      FROM review_tasks AS t
      JOIN reviews AS r ON r.task_id = t.id AND r.taken_back_at IS NULL AND r.pending_until IS NULL
      JOIN golden_items AS g ON g.batch_id = t.batch_id AND g.ordinal = t.ordinal
      LEFT JOIN LATERAL (
           SELECT avg(best.iou) AS box_iou
             FROM jsonb_array_elements(g.boxes) AS e (box)
            CROSS JOIN LATERAL (SELECT (e.box ->> 0)::float AS x0, (e.box ->> 1)::float AS y0,
                                       (e.box ->> 2)::float AS x1, (e.box ->> 3)::float AS y1) AS known
            CROSS JOIN LATERAL (
                  SELECT coalesce(max(common.area / ((known.x1 - known.x0) * (known.y1 - known.y0)
                                                     + (said.x1 - said.x0) * (said.y1 - said.y0) - common.area)), 0) AS iou
                    FROM (SELECT coalesce(j.x0, m.x0)::float AS x0, coalesce(j.y0, m.y0)::float AS y0,
                                 coalesce(j.x1, m.x1)::float AS x1, coalesce(j.y1, m.y1)::float AS y1
                            FROM region_judgements AS j
                            LEFT JOIN regions AS m ON m.batch_id = t.batch_id AND m.ordinal = t.ordinal AND m.revision = t.revision
                                                  AND m.position = j.position
                           WHERE j.review_id = r.id AND j.kind <> 'reject') AS said
                   CROSS JOIN LATERAL (
                         SELECT greatest(0, least(known.x1, said.x1) - greatest(known.x0, said.x0))
                              * greatest(0, least(known.y1, said.y1) - greatest(known.y0, said.y0)) AS area) AS common) AS best
            WHERE EXISTS (SELECT FROM region_judgements AS j WHERE j.review_id = r.id)) AS b ON true
     WHERE t.kind = 'golden'
"""
GOLDEN_COLUMNS = {
    "task_id": "The task by which the reviewer was asked",
    "tenant_id": "Whose",
    "queue": "In which queue",
    "batch_id": "Batch of the image",
    "ordinal": "The image's place in it",
    "item_id": "The image's id in the API",
    "revision": "The outcome that was shown",
    "reviewer": "Who was asked, without being told that the answer is known",
    "expected": "real | generated: the known answer, as it is known now",
    "answered": "real | generated | unsure",
    "correct": "Whether they are the same; unsure is not",
    "box_iou": "Mean over the known boxes of the best IoU with a box that was accepted, moved or added; null where none is known or judged",
    "seconds": "From the claim to the answer",
    "answered_at": "When",
}


def upgrade() -> None:
    """Forward."""
    _widen_policies()
    _widen_tasks()
    _create_golden()
    _create_until(IS_GOLDEN)
    _replace_view("review_live", "WHERE t.state IN", "WHERE t.kind <> 'golden' AND t.state IN")
    _replace_view("region_current", "WHERE t.batch_id = r.batch_id", "WHERE t.kind <> 'golden' AND t.batch_id = r.batch_id")
    op.execute("COMMENT ON COLUMN moderation_v1.review_live.kind IS 'routing | qa | appeal'")
    op.execute("COMMENT ON COLUMN moderation_v1.review_live.route IS 'pass | review | flag'")
    op.execute(f"CREATE VIEW moderation_v1.golden_answers AS {GOLDEN_ANSWERS}")
    op.execute("COMMENT ON VIEW moderation_v1.golden_answers IS 'What reviewers said of images whose answer is known'")
    for column, meaning in GOLDEN_COLUMNS.items():
        op.execute(f"COMMENT ON COLUMN moderation_v1.golden_answers.{column} IS {_quoted(meaning)}")
    op.execute("GRANT SELECT ON moderation_v1.golden_answers TO zoomin_analyst, zoomin_app")


def _widen_policies() -> None:
    op.add_column(
        "policy_versions",
        sa.Column("flag_queue", sa.Text(), nullable=True, comment="Review queue of what is flagged; null: as what is reviewed"),
    )
    op.add_column(
        "policy_versions",
        sa.Column(
            "disagreement_queue",
            sa.Text(),
            nullable=True,
            comment="Review queue of what scan and zoom disagree on, flagged or not; null: as if they agreed",
        ),
    )
    for name, comment in (
        ("qa_share", "Of what passes, this share is asked about all the same"),
        ("double_share", "Of what is reviewed or flagged, this share is asked one reviewer more"),
    ):
        op.add_column("policy_versions", sa.Column(name, sa.Double(), server_default=sa.text("0"), nullable=False, comment=comment))
    op.add_column(
        "policy_versions",
        sa.Column(
            "sampling_key",
            sa.UUID(),
            server_default=sa.text("gen_random_uuid()"),
            nullable=False,
            comment="Of the hash that samples: without it nobody can foretell what is looked at",
        ),
    )
    op.create_check_constraint(
        op.f("ck_policy_versions_shares"), "policy_versions", "qa_share BETWEEN 0 AND 1 AND double_share BETWEEN 0 AND 1"
    )


def _widen_tasks() -> None:
    op.add_column(
        "review_queues",
        sa.Column(
            "golden_share",
            sa.Double(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Of claims, this share is of images whose answer is known, to measure reviewers",
        ),
    )
    op.create_check_constraint(op.f("ck_review_queues_golden_share"), "review_queues", "golden_share BETWEEN 0 AND 0.5")
    _change_kinds(KINDS, "routing | qa | appeal | golden: why a person is asked")
    op.alter_column("review_tasks", "route", comment="pass | review | flag: how the policy version routed the outcome")
    op.drop_index("uq_review_tasks_routing", table_name="review_tasks")
    op.create_index(
        "uq_review_tasks_policy",
        "review_tasks",
        ["batch_id", "ordinal", "revision"],
        unique=True,
        postgresql_where=sa.text("kind IN ('routing', 'qa')"),
    )
    op.create_index("ix_review_tasks_golden", "review_tasks", ["id"], postgresql_where=UNFINISHED_GOLDEN)
    op.execute(
        f"""
        -- The last of as many ids as chance wants, sixteen in the mean; the others are left out.
        CREATE FUNCTION next_task_id() RETURNS bigint LANGUAGE sql VOLATILE SET search_path = public, pg_temp AS $$
            SELECT max({PLAIN_ID}) FROM generate_series(0, floor(ln(1 - random()) / ln(15 / 16.0::float))::integer)
        $$
        """
    )
    op.execute("ALTER TABLE review_tasks ALTER COLUMN id SET DEFAULT next_task_id()")


def _change_kinds(kinds: tuple[str, ...], comment: str) -> None:
    op.drop_constraint(op.f("ck_review_tasks_kind"), "review_tasks")
    op.create_check_constraint(op.f("ck_review_tasks_kind"), "review_tasks", f"kind IN ({', '.join(map(repr, kinds))})")
    op.alter_column("review_tasks", "kind", comment=comment)


def _create_golden() -> None:
    op.create_table(
        "golden_items",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the image"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="The image's place in it"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("revision", sa.SmallInteger(), nullable=False, comment="Which outcome is shown to reviewers"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="real | generated: the known answer"),
        sa.Column(
            "boxes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
            comment="Known boxes, each [x0, y0, x1, y1] in original oriented pixels; empty: none is known",
        ),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False, comment="How it is known, for people"),
        sa.Column("added_by", sa.Text(), nullable=False, comment="Who said last what the answer is; never asked themselves"),
        sa.Column("added_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When"),
        sa.Column("retired_by", sa.Text(), nullable=True, comment="Who took it out of the set"),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True, comment="When; nobody is asked about it from then on"),
        sa.CheckConstraint("verdict IN ('real', 'generated')", name=op.f("ck_golden_items_verdict")),
        sa.CheckConstraint("jsonb_typeof(boxes) = 'array'", name=op.f("ck_golden_items_boxes")),
        sa.CheckConstraint("(retired_at IS NULL) = (retired_by IS NULL)", name=op.f("ck_golden_items_retired")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_golden_items_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_golden_items_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", name=op.f("pk_golden_items")),
        comment="Images whose answer is known, to measure reviewers with",
    )
    op.create_index("ix_golden_items_tenant_id", "golden_items", ["tenant_id", "batch_id", "ordinal"])
    op.create_table(
        "golden_tasks",
        sa.Column("task_id", sa.BigInteger(), autoincrement=False, nullable=False, comment="The task, of kind golden"),
        sa.Column("reviewer", sa.Text(), nullable=False, comment="Whom alone it was made for"),
        sa.Column("policy_version", sa.Text(), nullable=False, comment="The version that is shown: of the task that it stands in for"),
        sa.Column(
            "made_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
            comment="When it was made: the task does not say",
        ),
        sa.ForeignKeyConstraint(["task_id"], ["review_tasks.id"], name=op.f("fk_golden_tasks_task_id_review_tasks")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_golden_tasks")),
        comment="What golden tasks have beside others: for whom, and as what they are shown; insert-only",
    )
    op.create_index("ix_golden_tasks_reviewer", "golden_tasks", ["reviewer", "made_at"])
    op.execute("GRANT SELECT, INSERT ON golden_items, golden_tasks TO zoomin_app")
    op.execute("GRANT UPDATE (revision, verdict, boxes, note, added_by, added_at, retired_by, retired_at) ON golden_items TO zoomin_app")
    op.execute(
        """
        -- An erased image leaves the golden set, and nothing that was said of it stays.
        CREATE FUNCTION scrub_golden() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            UPDATE golden_items
               SET note = '', boxes = '[]', retired_at = coalesce(retired_at, now()), retired_by = coalesce(retired_by, NEW.erased_by)
             WHERE batch_id = NEW.batch_id AND ordinal = NEW.ordinal;
            RETURN NULL;
        END $$
        """
    )
    op.execute("CREATE TRIGGER scrub_golden AFTER INSERT ON erasures FOR EACH ROW EXECUTE FUNCTION scrub_golden()")


def _create_until(golden: str) -> None:
    """As `retention_and_erasure` made it; golden images are kept as long as people may be asked about them."""
    op.execute(
        f"""
        CREATE OR REPLACE FUNCTION item_kept_until(of_batch uuid, of_ordinal integer) RETURNS timestamptz LANGUAGE plpgsql STABLE
        SET search_path = public, pg_temp AS $$
        DECLARE
            judged timestamptz; decided timestamptz; contested timestamptz; class text;
        BEGIN
            IF {HELD_ITEM.format("of_batch", "of_ordinal")}
               OR EXISTS (SELECT FROM review_tasks AS t WHERE t.batch_id = of_batch AND t.ordinal = of_ordinal
                                                          AND t.state IN ('open', 'held', 'escalated'))
               {golden}
            THEN
                RETURN 'infinity';
            END IF;
            SELECT max(created_at) INTO judged FROM outcomes WHERE batch_id = of_batch AND ordinal = of_ordinal;
            SELECT max(d.created_at), max(coalesce(a.decided_at, 'infinity')) FILTER (WHERE a.id IS NOT NULL) INTO decided, contested
              FROM decisions AS d LEFT JOIN appeals AS a ON a.decision_id = d.id
             WHERE d.batch_id = of_batch AND d.ordinal = of_ordinal;
            class := CASE
                WHEN contested IS NOT NULL THEN 'contested'
                WHEN decided IS NOT NULL THEN 'case'
                WHEN EXISTS (SELECT FROM routings AS r WHERE r.batch_id = of_batch AND r.ordinal = of_ordinal
                                                         AND r.mode = 'live' AND r.route <> 'pass') THEN 'case'
                ELSE 'routine' END;
            RETURN coalesce(greatest(judged, decided, contested), 'infinity')
                   + make_interval(days => (SELECT days FROM retention_terms WHERE kind = class));
        END $$
        """
    )


def _replace_view(name: str, part: str = "", by: str = "") -> None:
    query = REPLACED[name]
    op.execute(f"CREATE OR REPLACE VIEW moderation_v1.{name} AS {query.replace(part, by) if part else query}")


def downgrade() -> None:
    """Back. Sampled tasks become routed ones; golden ones go with their answers, which decided nothing."""
    op.execute("DROP VIEW moderation_v1.golden_answers")
    _replace_view("review_live")
    _replace_view("region_current")
    op.execute("COMMENT ON COLUMN moderation_v1.review_live.kind IS 'routing | appeal'")
    op.execute("COMMENT ON COLUMN moderation_v1.review_live.route IS 'review | flag'")
    _create_until("")
    op.execute("DROP TRIGGER scrub_golden ON erasures")
    op.execute("DROP FUNCTION scrub_golden()")
    op.drop_table("golden_tasks")
    op.drop_table("golden_items")
    op.execute(f"ALTER TABLE review_tasks ALTER COLUMN id SET DEFAULT {PLAIN_ID}")
    op.execute("DROP FUNCTION next_task_id()")
    op.execute("SELECT setval('review_tasks_id_seq', (SELECT greatest(max(id), 1) FROM review_tasks))")
    op.drop_index("ix_review_tasks_golden", table_name="review_tasks")
    op.drop_index("uq_review_tasks_policy", table_name="review_tasks")
    op.execute("UPDATE review_tasks SET kind = 'routing' WHERE kind = 'qa'")
    golden = "(SELECT id FROM review_tasks WHERE kind = 'golden')"
    op.execute(f"DELETE FROM region_judgements WHERE review_id IN (SELECT id FROM reviews WHERE task_id IN {golden})")
    op.execute(f"DELETE FROM reviews WHERE task_id IN {golden}")
    op.execute(f"DELETE FROM review_claims WHERE task_id IN {golden}")
    op.execute("DELETE FROM review_tasks WHERE kind = 'golden'")
    op.create_index(
        "uq_review_tasks_routing",
        "review_tasks",
        ["batch_id", "ordinal", "revision"],
        unique=True,
        postgresql_where=sa.text("kind = 'routing'"),
    )
    op.alter_column("review_tasks", "route", comment="review | flag: how the policy version routed the outcome")
    _change_kinds(("routing", "appeal"), "routing | appeal: why a person is asked")
    op.drop_constraint(op.f("ck_review_queues_golden_share"), "review_queues")
    op.drop_column("review_queues", "golden_share")
    op.drop_constraint(op.f("ck_policy_versions_shares"), "policy_versions")
    for column in ("sampling_key", "double_share", "qa_share", "disagreement_queue", "flag_queue"):
        op.drop_column("policy_versions", column)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
