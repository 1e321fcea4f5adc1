"""The views that analysts may rely on: schema moderation_v1. Tables behind them may change; a view's columns do not, they only grow.

Views read with their owner's rights, so `zoomin_analyst` sees them and nothing behind them.
"""

from alembic import op

revision = "moderation_views"
down_revision = "policies_and_review"
branch_labels = None
depends_on = None

VIEWS = {
    "item_current": (
        "Every image with its newest outcome, and how the live policy version routed it",
        """
        SELECT i.batch_id, i.ordinal, 'item_' || replace(i.batch_id::text, '-', '') || '_' || i.ordinal AS item_id,
               b.tenant_id, i.custom_id, 's3://' || i.bucket || '/' || i.key AS source_ref, i.metadata,
               o.revision, o.kind AS outcome, o.verdict, o.p_generated,
               o.scan_verdict, o.verdict <> o.scan_verdict AS stages_disagree, o.path, o.explanation, o.release_id, l.training,
               o.image_sha256, o.width, o.height, o.error_code, r.policy_version, r.route,
               r.reason AS route_reason, o.created_at AS judged_at
          FROM items AS i
          JOIN batches AS b ON b.id = i.batch_id
          LEFT JOIN outcomes AS o ON o.batch_id = i.batch_id AND o.ordinal = i.ordinal
               AND NOT EXISTS (SELECT FROM outcomes AS n
                                WHERE n.batch_id = o.batch_id AND n.ordinal = o.ordinal AND n.revision > o.revision)
          LEFT JOIN releases AS l ON l.id = o.release_id
          LEFT JOIN routings AS r ON (r.batch_id, r.ordinal, r.revision) = (o.batch_id, o.ordinal, o.revision) AND r.mode = 'live'
        """,
        {
            "batch_id": "Its batch",
            "ordinal": "Its place in the batch, from 0",
            "item_id": "Its id in the API",
            "tenant_id": "Who submitted it",
            "custom_id": "The submitter's name for it",
            "source_ref": "Where it lies",
            "metadata": "The submitter's metadata",
            "revision": "Of the newest outcome; 2 and more after rescans; null while it has none",
            "outcome": "verdict | unreadable | failed | cancelled; null while it has none",
            "verdict": "real | generated; only for outcome verdict",
            "p_generated": "P(generated), calibrated when the release has a calibration",
            "scan_verdict": "What the scan said before the zoom looked",
            "stages_disagree": "Whether scan and zoom said different things",
            "path": "zoomed | second_look",
            "explanation": "The model's words: untrusted text",
            "release_id": "Which release judged",
            "training": "untrained | zero_shot | trained: how far its verdicts can be trusted",
            "image_sha256": "Of the bytes that were judged",
            "width": "Pixels, after EXIF orientation",
            "height": "Pixels, after EXIF orientation",
            "error_code": "Why there is no verdict",
            "policy_version": "Which version routed it",
            "route": "pass | review | flag",
            "route_reason": "Why, for people",
            "judged_at": "When the outcome was written",
        },
    ),
    "decisions": (
        "What people, or recorded opt-ins, decided; superseded ones too",
        """
        SELECT d.id AS decision_id, d.tenant_id, d.batch_id, d.ordinal,
               'item_' || replace(d.batch_id::text, '-', '') || '_' || d.ordinal AS item_id, d.revision, d.basis, d.verdict, d.action,
               d.decided_by, d.reason, d.policy_version, d.supersedes,
               NOT EXISTS (SELECT FROM public.decisions AS n WHERE n.supersedes = d.id) AS is_current,
               o.verdict AS model_verdict, o.p_generated, o.release_id, d.verdict <> o.verdict AS overrides_model,
               d.created_at AS decided_at
          FROM public.decisions AS d
          LEFT JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (d.batch_id, d.ordinal, d.revision)
        """,
        {
            "decision_id": "Its id",
            "tenant_id": "Whose",
            "batch_id": "Batch of the image",
            "ordinal": "The image's place in it",
            "item_id": "The image's id in the API",
            "revision": "The outcome it was decided on",
            "basis": "review | lead | appeal | automatic",
            "verdict": "real | generated: what was decided",
            "action": "none | label | restrict | remove",
            "decided_by": "Reviewers, a lead, or policy:version",
            "reason": "Why, in their words",
            "policy_version": "Under which version the outcome had been routed",
            "supersedes": "The decision it replaced",
            "is_current": "Whether no later one replaced it",
            "model_verdict": "What the model had said",
            "p_generated": "How sure the model had been",
            "release_id": "Which release",
            "overrides_model": "Whether the decision contradicts the model; null where it had no verdict",
            "decided_at": "When",
        },
    ),
    "flagged_images": (
        "Images whose newest outcome the live policy version flagged, and what was decided of them since",
        """
        SELECT i.batch_id, i.ordinal, i.item_id, i.tenant_id, i.custom_id, i.source_ref, i.p_generated, i.verdict, i.stages_disagree,
               i.explanation, (SELECT count(*) FROM regions AS r
                                WHERE (r.batch_id, r.ordinal, r.revision) = (i.batch_id, i.ordinal, i.revision))::integer AS region_count,
               i.release_id, i.training, i.policy_version, i.route_reason, i.judged_at, d.decision_id, d.verdict AS decided_verdict,
               d.action AS decided_action, d.decided_at
          FROM moderation_v1.item_current AS i
          LEFT JOIN moderation_v1.decisions AS d ON d.batch_id = i.batch_id AND d.ordinal = i.ordinal AND d.is_current
         WHERE i.route = 'flag'
        """,
        {
            "batch_id": "Its batch",
            "ordinal": "Its place in the batch",
            "item_id": "Its id in the API",
            "tenant_id": "Who submitted it",
            "custom_id": "The submitter's name for it",
            "source_ref": "Where it lies",
            "p_generated": "P(generated), calibrated when the release has a calibration",
            "verdict": "The model's verdict",
            "stages_disagree": "Whether scan and zoom said different things",
            "explanation": "The model's words: untrusted text",
            "region_count": "How many boxes the outcome has; see region_current",
            "release_id": "Which release judged",
            "training": "untrained | zero_shot | trained",
            "policy_version": "Which version flagged it",
            "route_reason": "Why, for people",
            "judged_at": "When the outcome was written",
            "decision_id": "The decision that stands; null while there is none",
            "decided_verdict": "real | generated",
            "decided_action": "none | label | restrict | remove",
            "decided_at": "When it was decided",
        },
    ),
    "region_current": (
        "The boxes of every image's newest outcome, and what reviewers said of each",
        """
        SELECT r.batch_id, r.ordinal, 'item_' || replace(r.batch_id::text, '-', '') || '_' || r.ordinal AS item_id, b.tenant_id, r.revision,
               r.position, r.x0, r.y0, r.x1, r.y1, r.reason, r.finding, r.crop_sha256, r.scale, j.accepted, j.rejected, j.moved
          FROM regions AS r
          JOIN batches AS b ON b.id = r.batch_id
         CROSS JOIN LATERAL (
               SELECT count(*) FILTER (WHERE g.kind = 'accept')::integer AS accepted,
                      count(*) FILTER (WHERE g.kind = 'reject')::integer AS rejected,
                      count(*) FILTER (WHERE g.kind = 'move')::integer AS moved
                 FROM review_tasks AS t JOIN reviews AS v ON v.task_id = t.id JOIN region_judgements AS g ON g.review_id = v.id
                WHERE t.batch_id = r.batch_id AND t.ordinal = r.ordinal AND t.revision = r.revision AND g.position = r.position) AS j
         WHERE NOT EXISTS (SELECT FROM outcomes AS n WHERE n.batch_id = r.batch_id AND n.ordinal = r.ordinal AND n.revision > r.revision)
        """,
        {
            "batch_id": "Batch of the image",
            "ordinal": "The image's place in it",
            "item_id": "The image's id in the API",
            "tenant_id": "Who submitted it",
            "revision": "Of the outcome",
            "position": "1, 2… in the model's order",
            "x0": "Left, pixels of the original after EXIF orientation",
            "y0": "Top",
            "x1": "Right, exclusive",
            "y1": "Bottom, exclusive",
            "reason": "Why the scan wanted a closer look: untrusted text",
            "finding": "What the zoom found: untrusted text",
            "crop_sha256": "Evidence: the crop as the model was sent it",
            "scale": "Sent pixels per original pixel",
            "accepted": "Reviews that accepted the box",
            "rejected": "Reviews that rejected it",
            "moved": "Reviews that moved it",
        },
    ),
    "batch_progress": (
        "Where each batch stands; counts of its newest revision",
        """
        SELECT b.id AS batch_id, b.tenant_id, b.source, b.policy, b.state, b.pause_reason, b.priority, b.revision,
               b.items_accepted AS accepted,
               b.rows_rejected AS rejected, c.verdicts, c.flagged, c.unreadable, c.failed, c.cancelled,
               c.scope - c.verdicts - c.unreadable - c.failed - c.cancelled AS pending, b.created_at, b.received_at, b.finished_at
          FROM batches AS b
         CROSS JOIN LATERAL (
               SELECT coalesce(sum(verdicts), 0)::integer AS verdicts, coalesce(sum(flagged), 0)::integer AS flagged,
                      coalesce(sum(unreadable), 0)::integer AS unreadable, coalesce(sum(failed), 0)::integer AS failed,
                      coalesce(sum(cancelled), 0)::integer AS cancelled,
                      coalesce((SELECT sum(upper(r) - lower(r)) FROM unnest(range_agg(int4range(lo, hi))) AS r), 0)::integer AS scope
                 FROM chunks WHERE batch_id = b.id AND revision = b.revision) AS c
        """,
        {
            "batch_id": "Its id",
            "tenant_id": "Who submitted",
            "source": "Prefix, manifest or folder, as submitted",
            "policy": "The policy that routes its outcomes",
            "state": "receiving | running | paused | cancelling | finished | cancelled | rejected",
            "pause_reason": "What an operator must mend before resuming",
            "priority": "Higher is judged first",
            "revision": "The newest; a rescan adds one",
            "accepted": "Rows that became items",
            "rejected": "Rows that did not",
            "verdicts": "Outcomes that are verdicts",
            "flagged": "Of those, flagged by the live policy version",
            "unreadable": "Outcomes whose replies could not be read",
            "failed": "Outcomes that are failures",
            "cancelled": "Outcomes that were cancelled",
            "pending": "Items of this revision without an outcome",
            "created_at": "When it was accepted",
            "received_at": "When its rows were all there",
            "finished_at": "When its last outcome was written",
        },
    ),
    "review_live": (
        "Review tasks that nobody has finished",
        """
        SELECT t.id AS task_id, t.tenant_id, t.queue, t.kind, t.state, t.state_reason, t.batch_id, t.ordinal,
               'item_' || replace(t.batch_id::text, '-', '') || '_' || t.ordinal AS item_id, t.revision, t.route, t.reason, t.priority,
               t.slots::integer AS slots, (SELECT count(*) FROM reviews AS r WHERE r.task_id = t.id)::integer AS answers,
               (SELECT count(*) FROM review_claims AS c
                 WHERE c.task_id = t.id AND c.state = 'active' AND c.expires_at > now())::integer AS claims,
               t.assigned_to, t.created_at, t.due_at, t.due_at < now() AS overdue
          FROM review_tasks AS t
         WHERE t.state IN ('open', 'held', 'escalated')
        """,
        {
            "task_id": "Its id",
            "tenant_id": "Whose",
            "queue": "Where it waits",
            "kind": "routing | appeal",
            "state": "open | held | escalated",
            "state_reason": "Why it is held or escalated",
            "batch_id": "Batch of the image",
            "ordinal": "The image's place in it",
            "item_id": "The image's id in the API",
            "revision": "The outcome in question",
            "route": "review | flag",
            "reason": "Why a person is asked",
            "priority": "Higher is offered first",
            "slots": "Reviews it needs",
            "answers": "Reviews it has",
            "claims": "Reviewers who are at it now",
            "assigned_to": "The only reviewer who may claim it",
            "created_at": "When it was made",
            "due_at": "When it should be answered",
            "overdue": "Whether that has passed",
        },
    ),
    "model_quality_daily": (
        "Outcomes by day (UTC), tenant, release and live policy version, and what people made of them",
        """
        SELECT (o.created_at AT TIME ZONE 'UTC')::date AS day, b.tenant_id, o.release_id, r.policy_version, count(*)::integer AS outcomes,
               count(*) FILTER (WHERE o.kind = 'verdict')::integer AS verdicts,
               count(*) FILTER (WHERE o.kind = 'unreadable')::integer AS unreadable,
               count(*) FILTER (WHERE o.kind = 'failed')::integer AS failed,
               count(*) FILTER (WHERE r.route = 'flag')::integer AS flagged,
               count(*) FILTER (WHERE r.route = 'review')::integer AS to_review,
               count(*) FILTER (WHERE o.verdict <> o.scan_verdict)::integer AS stages_disagree, avg(o.p_generated) AS mean_p_generated,
               count(d.id)::integer AS decided, count(*) FILTER (WHERE d.verdict <> o.verdict)::integer AS overridden,
               count(*) FILTER (WHERE d.verdict <> o.verdict)::double precision / nullif(count(d.id), 0) AS override_rate
          FROM outcomes AS o
          JOIN batches AS b ON b.id = o.batch_id
          LEFT JOIN routings AS r ON (r.batch_id, r.ordinal, r.revision) = (o.batch_id, o.ordinal, o.revision) AND r.mode = 'live'
          LEFT JOIN public.decisions AS d ON (d.batch_id, d.ordinal, d.revision) = (o.batch_id, o.ordinal, o.revision)
               AND d.basis <> 'automatic' AND NOT EXISTS (SELECT FROM public.decisions AS n WHERE n.supersedes = d.id)
         WHERE o.kind <> 'cancelled'
         GROUP BY 1, 2, 3, 4
        """,
        {
            "day": "Of the outcomes, UTC",
            "tenant_id": "Whose",
            "release_id": "Which release judged; null where none did",
            "policy_version": "Which version routed",
            "outcomes": "All but cancelled ones",
            "verdicts": "Of those, verdicts",
            "unreadable": "Replies that could not be read",
            "failed": "Failures",
            "flagged": "Routed to flag",
            "to_review": "Routed to review",
            "stages_disagree": "Scan and zoom said different things: rises when the model drifts",
            "mean_p_generated": "Mean P(generated)",
            "decided": "Outcomes that people decided on, current decisions only",
            "overridden": "Of those, decided against the model",
            "override_rate": "overridden / decided",
        },
    ),
}


def upgrade() -> None:
    """Forward."""
    op.execute("CREATE SCHEMA moderation_v1")
    op.execute("COMMENT ON SCHEMA moderation_v1 IS 'Views that analysts may rely on: columns are only ever added'")
    for name, (comment, query, columns) in VIEWS.items():
        op.execute(f"CREATE VIEW moderation_v1.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW moderation_v1.{name} IS {_quoted(comment)}")
        for column, meaning in columns.items():
            op.execute(f"COMMENT ON COLUMN moderation_v1.{name}.{column} IS {_quoted(meaning)}")
    op.execute(
        """
        DO $$ BEGIN
            CREATE ROLE zoomin_analyst NOLOGIN;
        EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
        END $$
        """
    )
    op.execute("GRANT USAGE ON SCHEMA moderation_v1 TO zoomin_analyst, zoomin_app")
    op.execute("GRANT SELECT ON ALL TABLES IN SCHEMA moderation_v1 TO zoomin_analyst, zoomin_app")


def downgrade() -> None:
    """Back; the role stays, as it belongs to the cluster."""
    op.execute("REVOKE ALL ON ALL TABLES IN SCHEMA moderation_v1 FROM zoomin_analyst, zoomin_app")
    op.execute("DROP SCHEMA moderation_v1 CASCADE")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
