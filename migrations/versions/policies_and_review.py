"""Policies in versions, review by people, decisions, appeals, statements of reasons. Tenants there are get what new ones get."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "policies_and_review"
down_revision = "webhooks"
branch_labels = None
depends_on = None


INSERT_ONLY = ("policy_bands", "reviews", "region_judgements", "decisions")
MUTABLE = ("policies", "policy_versions", "review_queues", "review_tasks", "review_claims", "appeals", "statements_of_reasons")
PROVIDE = (  # as worker.store.tenants does for new ones
    "INSERT INTO review_queues (tenant_id, name) SELECT id, name FROM tenants CROSS JOIN (VALUES ('default'), ('appeals')) AS q (name)",
    "INSERT INTO policies (tenant_id, name, description) SELECT id, 'default', 'Thresholds to begin with' FROM tenants",
    """
    INSERT INTO policy_versions (tenant_id, policy, version, state, queue, created_by)
    SELECT id, 'default', 1, 'live', 'default', 'zoomin' FROM tenants
    """,
    """
    INSERT INTO policy_bands (tenant_id, policy, version, verdict, agreed, pass_below, flag_from)
    SELECT id, 'default', 1, verdict, true, 0.2, 0.8 FROM tenants CROSS JOIN (VALUES ('real'), ('generated')) AS v (verdict)
    """,
)


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "policies",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose policy"),
        sa.Column("name", sa.Text(), nullable=False, comment="Slug; default is what batches use that name none"),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False, comment="What it is for, for people"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was made"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_policies_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_policies")),
        comment="Named sets of routing rules, one tenant's each; batches name theirs",
    )
    op.create_table(
        "review_queues",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose queue"),
        sa.Column("name", sa.Text(), nullable=False, comment="Slug"),
        sa.Column(
            "slots",
            sa.SmallInteger(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Reviewers per task, who do not see each other's answers",
        ),
        sa.Column(
            "lease_seconds",
            sa.Integer(),
            server_default=sa.text("300"),
            nullable=False,
            comment="A claim without a heartbeat expires after this",
        ),
        sa.Column(
            "due_hours", sa.Integer(), server_default=sa.text("24"), nullable=False, comment="A task is due this long after it was made"
        ),
        sa.Column("guidance", sa.Text(), server_default=sa.text("''"), nullable=False, comment="What reviewers of this queue are told"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was made"),
        sa.CheckConstraint("due_hours BETWEEN 1 AND 8760", name=op.f("ck_review_queues_due_hours")),
        sa.CheckConstraint("lease_seconds BETWEEN 30 AND 86400", name=op.f("ck_review_queues_lease_seconds")),
        sa.CheckConstraint("slots BETWEEN 1 AND 5", name=op.f("ck_review_queues_slots")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_review_queues_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("tenant_id", "name", name=op.f("pk_review_queues")),
        comment="Review queues of a tenant: where tasks wait, and how many people each needs",
    )
    op.create_table(
        "policy_versions",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose policy"),
        sa.Column("policy", sa.Text(), nullable=False, comment="Which policy"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False, comment="1, 2…; routings name it policy@version"),
        sa.Column("state", sa.Text(), nullable=False, comment="draft | shadow | live | retired; one is live per policy"),
        sa.Column("queue", sa.Text(), nullable=False, comment="Review queue that takes what it sends to review"),
        sa.Column(
            "automatic_action", sa.Text(), nullable=True, comment="label | restrict | remove: done to what is flagged, without a person"
        ),
        sa.Column("opted_in_by", sa.Text(), nullable=True, comment="Who answers for the automatic action"),
        sa.Column("opted_in_reason", sa.Text(), nullable=True, comment="Why they opted in"),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False, comment="What changed, for people"),
        sa.Column("created_by", sa.Text(), nullable=False, comment="Who wrote it"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was written"),
        sa.Column("in_force_since", sa.DateTime(timezone=True), nullable=True, comment="When it became live or shadow, last"),
        sa.CheckConstraint("automatic_action IN ('label', 'restrict', 'remove')", name=op.f("ck_policy_versions_automatic_action")),
        sa.CheckConstraint("state IN ('draft', 'shadow', 'live', 'retired')", name=op.f("ck_policy_versions_state")),
        sa.CheckConstraint(
            "num_nonnulls(automatic_action, opted_in_by, opted_in_reason) IN (0, 3)", name=op.f("ck_policy_versions_opt_in")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "policy"], ["policies.tenant_id", "policies.name"], name=op.f("fk_policy_versions_tenant_id_policy_policies")
        ),
        sa.PrimaryKeyConstraint("tenant_id", "policy", "version", name=op.f("pk_policy_versions")),
        comment="Versions of policies; written once, only the state moves",
    )
    op.create_index(
        "uq_policy_versions_live", "policy_versions", ["tenant_id", "policy"], unique=True, postgresql_where=sa.text("state = 'live'")
    )
    op.create_table(
        "review_tasks",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="What reviewers claim"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose task"),
        sa.Column("queue", sa.Text(), nullable=False, comment="Where it waits"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the outcome in question"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="Its item"),
        sa.Column("revision", sa.SmallInteger(), nullable=False, comment="Its revision"),
        sa.Column("kind", sa.Text(), nullable=False, comment="routing | appeal: why a person is asked"),
        sa.Column("appeal_id", sa.UUID(), nullable=True, comment="The appeal, for kind appeal"),
        sa.Column("route", sa.Text(), nullable=False, comment="review | flag: how the policy version routed the outcome"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why a person is asked, for people"),
        sa.Column("priority", sa.SmallInteger(), server_default=sa.text("0"), nullable=False, comment="Higher is offered first"),
        sa.Column("slots", sa.SmallInteger(), nullable=False, comment="Reviews it needs"),
        sa.Column(
            "state", sa.Text(), server_default=sa.text("'open'"), nullable=False, comment="open | held | escalated | done | withdrawn"
        ),
        sa.Column("state_reason", sa.Text(), nullable=True, comment="Why it is held, escalated or withdrawn"),
        sa.Column(
            "held_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="A held task is offered again from then on; null: when released",
        ),
        sa.Column("assigned_to", sa.Text(), nullable=True, comment="Only this reviewer may claim it"),
        sa.Column(
            "version",
            sa.Integer(),
            server_default=sa.text("1"),
            nullable=False,
            comment="Counts changes of the question; actions on a stale one are refused",
        ),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="When it should be answered"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was made"),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True, comment="When it was done or withdrawn"),
        sa.CheckConstraint("(kind = 'appeal') = (appeal_id IS NOT NULL)", name=op.f("ck_review_tasks_appeal")),
        sa.CheckConstraint("kind IN ('routing', 'appeal')", name=op.f("ck_review_tasks_kind")),
        sa.CheckConstraint("route IN ('pass', 'review', 'flag')", name=op.f("ck_review_tasks_route")),
        sa.CheckConstraint("state IN ('open', 'held', 'escalated', 'done', 'withdrawn')", name=op.f("ck_review_tasks_state")),
        sa.ForeignKeyConstraint(
            ["tenant_id", "queue"],
            ["review_queues.tenant_id", "review_queues.name"],
            name=op.f("fk_review_tasks_tenant_id_queue_review_queues"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_tasks")),
        comment="Questions to people about outcomes; the answers are reviews",
    )
    op.create_index("ix_review_tasks_item", "review_tasks", ["batch_id", "ordinal"], unique=False)
    op.create_index(
        "ix_review_tasks_unfinished",
        "review_tasks",
        ["tenant_id", "queue", sa.literal_column("priority DESC"), "due_at", "id"],
        unique=False,
        postgresql_where=sa.text("state IN ('open', 'held', 'escalated')"),
    )
    op.create_index(
        "uq_review_tasks_routing",
        "review_tasks",
        ["batch_id", "ordinal", "revision"],
        unique=True,
        postgresql_where=sa.text("kind = 'routing'"),
    )
    op.create_table(
        "decisions",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch of the item"),
        sa.Column("ordinal", sa.Integer(), nullable=False, comment="The item"),
        sa.Column("revision", sa.SmallInteger(), nullable=False, comment="The outcome it was decided on"),
        sa.Column("task_id", sa.BigInteger(), nullable=True, comment="The task that led to it; null for automatic ones"),
        sa.Column("basis", sa.Text(), nullable=False, comment="review | lead | appeal | automatic"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="real | generated"),
        sa.Column("action", sa.Text(), nullable=False, comment="none | label | restrict | remove: what the platform is to do"),
        sa.Column("decided_by", sa.Text(), nullable=False, comment="A reviewer, a lead, or the policy version"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, for people"),
        sa.Column("policy_version", sa.Text(), nullable=True, comment="Under which version the outcome had been routed"),
        sa.Column("supersedes", sa.UUID(), nullable=True, comment="The decision it replaces; null for an item's first"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was decided"),
        sa.CheckConstraint("(basis = 'automatic') = (task_id IS NULL)", name=op.f("ck_decisions_task")),
        sa.CheckConstraint("action IN ('none', 'label', 'restrict', 'remove')", name=op.f("ck_decisions_action")),
        sa.CheckConstraint("basis IN ('review', 'lead', 'appeal', 'automatic')", name=op.f("ck_decisions_basis")),
        sa.CheckConstraint("verdict IN ('real', 'generated')", name=op.f("ck_decisions_verdict")),
        sa.ForeignKeyConstraint(["supersedes"], ["decisions.id"], name=op.f("fk_decisions_supersedes_decisions")),
        sa.ForeignKeyConstraint(["task_id"], ["review_tasks.id"], name=op.f("fk_decisions_task_id_review_tasks")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_decisions_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decisions")),
        comment="What was decided of images; insert-only, a later one supersedes",
    )
    op.create_index("ix_decisions_item", "decisions", ["batch_id", "ordinal", "created_at"], unique=False)
    op.create_index("ix_decisions_tenant", "decisions", ["tenant_id", "id"], unique=False)
    op.create_index("uq_decisions_first", "decisions", ["batch_id", "ordinal"], unique=True, postgresql_where=sa.text("supersedes IS NULL"))
    op.create_index("uq_decisions_supersedes", "decisions", ["supersedes"], unique=True)
    op.create_table(
        "policy_bands",
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose policy"),
        sa.Column("policy", sa.Text(), nullable=False, comment="Which policy"),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False, comment="Which version"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="real | generated: the final verdict it is for"),
        sa.Column("agreed", sa.Boolean(), nullable=False, comment="Whether scan and zoom said the same"),
        sa.Column("pass_below", sa.Double(), nullable=False, comment="Below this P(generated) the image passes"),
        sa.Column("flag_from", sa.Double(), nullable=True, comment="At or above this it is flagged; null: never"),
        sa.CheckConstraint("verdict IN ('real', 'generated')", name=op.f("ck_policy_bands_verdict")),
        sa.CheckConstraint(
            "0 <= pass_below AND pass_below <= coalesce(flag_from, 1) AND coalesce(flag_from, 1) <= 1", name=op.f("ck_policy_bands_order")
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id", "policy", "version"],
            ["policy_versions.tenant_id", "policy_versions.policy", "policy_versions.version"],
            name=op.f("fk_policy_bands_tenant_id_policy_version_policy_versions"),
        ),
        sa.PrimaryKeyConstraint("tenant_id", "policy", "version", "verdict", "agreed", name=op.f("pk_policy_bands")),
        comment="Thresholds of a policy version on P(generated); what has no band is always reviewed",
    )
    op.create_table(
        "review_claims",
        sa.Column("token", sa.UUID(), server_default=sa.text("gen_random_uuid()"), nullable=False, comment="Every action names it"),
        sa.Column("task_id", sa.BigInteger(), nullable=False, comment="Which task"),
        sa.Column("slot", sa.SmallInteger(), nullable=False, comment="1, 2… up to the task's slots"),
        sa.Column("reviewer", sa.Text(), nullable=False, comment="Who"),
        sa.Column(
            "state",
            sa.Text(),
            server_default=sa.text("'active'"),
            nullable=False,
            comment="active | submitted | released | skipped | expired",
        ),
        sa.Column("claimed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was claimed"),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, comment="Put off by each heartbeat; by the database's clock"),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True, comment="When it stopped being active"),
        sa.Column("reason", sa.Text(), nullable=True, comment="Why it was skipped or taken away"),
        sa.CheckConstraint("state IN ('active', 'submitted', 'released', 'skipped', 'expired')", name=op.f("ck_review_claims_state")),
        sa.ForeignKeyConstraint(["task_id"], ["review_tasks.id"], name=op.f("fk_review_claims_task_id_review_tasks")),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_review_claims")),
        comment="Reviewers' rights to answer a task, each for one of its slots and for a while",
    )
    op.create_index("ix_review_claims_active", "review_claims", ["expires_at"], unique=False, postgresql_where=sa.text("state = 'active'"))
    op.create_index(
        "uq_review_claims_reviewer",
        "review_claims",
        ["task_id", "reviewer"],
        unique=True,
        postgresql_where=sa.text("state IN ('active', 'submitted')"),
    )
    op.create_index(
        "uq_review_claims_slot",
        "review_claims",
        ["task_id", "slot"],
        unique=True,
        postgresql_where=sa.text("state IN ('active', 'submitted')"),
    )
    op.create_table(
        "reviews",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("task_id", sa.BigInteger(), nullable=False, comment="Which task"),
        sa.Column("slot", sa.SmallInteger(), nullable=False, comment="Which of its slots; one above them for a lead's"),
        sa.Column("reviewer", sa.Text(), nullable=False, comment="Who"),
        sa.Column("verdict", sa.Text(), nullable=False, comment="real | generated | unsure"),
        sa.Column("action", sa.Text(), nullable=False, comment="none | label | restrict | remove: what the platform should do"),
        sa.Column("note", sa.Text(), server_default=sa.text("''"), nullable=False, comment="Why, in the reviewer's words"),
        sa.Column("seconds", sa.Double(), nullable=False, comment="From the claim to the answer"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was given"),
        sa.CheckConstraint("action IN ('none', 'label', 'restrict', 'remove')", name=op.f("ck_reviews_action")),
        sa.CheckConstraint("verdict IN ('real', 'generated', 'unsure')", name=op.f("ck_reviews_verdict")),
        sa.ForeignKeyConstraint(["task_id"], ["review_tasks.id"], name=op.f("fk_reviews_task_id_review_tasks")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reviews")),
        sa.UniqueConstraint("task_id", "reviewer", name=op.f("uq_reviews_task_id_reviewer")),
        sa.UniqueConstraint("task_id", "slot", name=op.f("uq_reviews_task_id_slot")),
        comment="Reviewers' answers; insert-only",
    )
    op.create_table(
        "appeals",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("decision_id", sa.UUID(), nullable=False, comment="What is contested; once"),
        sa.Column("region_position", sa.Integer(), nullable=True, comment="The one box that is contested; null: the decision as a whole"),
        sa.Column("statement", sa.Text(), nullable=False, comment="What the appellant says: untrusted text"),
        sa.Column("reference", sa.Text(), nullable=True, comment="The platform's own name for the case; no personal data"),
        sa.Column("state", sa.Text(), server_default=sa.text("'open'"), nullable=False, comment="open | upheld | reversed"),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False, comment="When it should be decided"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it came"),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True, comment="When it was decided"),
        sa.CheckConstraint("(state = 'open') = (decided_at IS NULL)", name=op.f("ck_appeals_decided")),
        sa.CheckConstraint("state IN ('open', 'upheld', 'reversed')", name=op.f("ck_appeals_state")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_appeals_decision_id_decisions")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_appeals_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_appeals")),
        comment="Contested decisions, whole or one box of them",
    )
    op.create_index("ix_appeals_tenant", "appeals", ["tenant_id", "id"], unique=False)
    op.create_index("uq_appeals_decision", "appeals", ["decision_id"], unique=True)
    op.create_table(
        "region_judgements",
        sa.Column("review_id", sa.UUID(), nullable=False, comment="In which review"),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False, comment="1, 2… within the review"),
        sa.Column("kind", sa.Text(), nullable=False, comment="accept | reject | move | add"),
        sa.Column("position", sa.Integer(), nullable=True, comment="The region of the outcome; null for an added box"),
        sa.Column("x0", sa.Integer(), nullable=True, comment="Left of a moved or added box, original oriented pixels"),
        sa.Column("y0", sa.Integer(), nullable=True, comment="Top"),
        sa.Column("x1", sa.Integer(), nullable=True, comment="Right, exclusive"),
        sa.Column("y1", sa.Integer(), nullable=True, comment="Bottom, exclusive"),
        sa.CheckConstraint("(kind = 'add') = (position IS NULL)", name=op.f("ck_region_judgements_position")),
        sa.CheckConstraint(
            "CASE WHEN kind IN ('add', 'move') THEN num_nonnulls(x0, y0, x1, y1) = 4 ELSE x0 IS NULL END",
            name=op.f("ck_region_judgements_box"),
        ),
        sa.CheckConstraint("kind IN ('accept', 'reject', 'move', 'add')", name=op.f("ck_region_judgements_kind")),
        sa.ForeignKeyConstraint(["review_id"], ["reviews.id"], name=op.f("fk_region_judgements_review_id_reviews")),
        sa.PrimaryKeyConstraint("review_id", "number", name=op.f("pk_region_judgements")),
        comment="What reviewers said of single boxes; insert-only",
    )
    op.create_table(
        "statements_of_reasons",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7; its hex is the puid"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("decision_id", sa.UUID(), nullable=False, comment="About which decision"),
        sa.Column(
            "payload",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="As the transparency database takes it; no personal data",
        ),
        sa.Column("state", sa.Text(), server_default=sa.text("'held'"), nullable=False, comment="held | submitted | refused | withdrawn"),
        sa.Column("signed_by", sa.Text(), nullable=False, comment="The person who answers for it"),
        sa.Column("hold_until", sa.DateTime(timezone=True), nullable=False, comment="Not sent before this"),
        sa.Column("receiver_code", sa.Text(), nullable=True, comment="What the receiver answered"),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False, comment="When it was drafted"),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True, comment="When it was sent"),
        sa.CheckConstraint("state IN ('held', 'submitted', 'refused', 'withdrawn')", name=op.f("ck_statements_of_reasons_state")),
        sa.ForeignKeyConstraint(["decision_id"], ["decisions.id"], name=op.f("fk_statements_of_reasons_decision_id_decisions")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_statements_of_reasons_tenant_id_tenants")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statements_of_reasons")),
        comment="Statements of reasons about decisions, and their way to the transparency database",
    )
    op.create_index(
        "ix_statements_of_reasons_held", "statements_of_reasons", ["hold_until"], unique=False, postgresql_where=sa.text("state = 'held'")
    )
    op.create_index("uq_statements_of_reasons_decision", "statements_of_reasons", ["decision_id"], unique=True)
    op.add_column(
        "batches",
        sa.Column(
            "policy", sa.Text(), server_default=sa.text("'default'"), nullable=False, comment="The tenant's policy that routes its outcomes"
        ),
    )
    for statement in PROVIDE:
        op.execute(statement)
    op.execute(f"GRANT SELECT, INSERT ON {', '.join((*INSERT_ONLY, *MUTABLE))} TO zoomin_app")
    op.execute(f"GRANT UPDATE ON {', '.join(MUTABLE)} TO zoomin_app")
    op.execute("GRANT USAGE ON SEQUENCE review_tasks_id_seq TO zoomin_app")


def downgrade() -> None:
    """Back."""
    op.drop_column("batches", "policy")
    op.drop_index("uq_statements_of_reasons_decision", table_name="statements_of_reasons")
    op.drop_index("ix_statements_of_reasons_held", table_name="statements_of_reasons", postgresql_where=sa.text("state = 'held'"))
    op.drop_table("statements_of_reasons")
    op.drop_table("region_judgements")
    op.drop_index("uq_appeals_decision", table_name="appeals")
    op.drop_index("ix_appeals_tenant", table_name="appeals")
    op.drop_table("appeals")
    op.drop_table("reviews")
    op.drop_index("uq_review_claims_slot", table_name="review_claims", postgresql_where=sa.text("state IN ('active', 'submitted')"))
    op.drop_index("uq_review_claims_reviewer", table_name="review_claims", postgresql_where=sa.text("state IN ('active', 'submitted')"))
    op.drop_index("ix_review_claims_active", table_name="review_claims", postgresql_where=sa.text("state = 'active'"))
    op.drop_table("review_claims")
    op.drop_table("policy_bands")
    op.drop_index("uq_decisions_supersedes", table_name="decisions")
    op.drop_index("uq_decisions_first", table_name="decisions", postgresql_where=sa.text("supersedes IS NULL"))
    op.drop_index("ix_decisions_tenant", table_name="decisions")
    op.drop_index("ix_decisions_item", table_name="decisions")
    op.drop_table("decisions")
    op.drop_index("uq_review_tasks_routing", table_name="review_tasks", postgresql_where=sa.text("kind = 'routing'"))
    op.drop_index(
        "ix_review_tasks_unfinished", table_name="review_tasks", postgresql_where=sa.text("state IN ('open', 'held', 'escalated')")
    )
    op.drop_index("ix_review_tasks_item", table_name="review_tasks")
    op.drop_table("review_tasks")
    op.drop_index("uq_policy_versions_live", table_name="policy_versions", postgresql_where=sa.text("state = 'live'"))
    op.drop_table("policy_versions")
    op.drop_table("review_queues")
    op.drop_table("policies")
