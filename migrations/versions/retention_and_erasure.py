"""Retention terms, legal holds, erasure, and the functions that alone may delete.

The application has no DELETE, and gets none. It may call functions which run with the owner's rights and do one thing each:

- `erase_item` erases exactly one image, unless it is held or contested, and leaves a tombstone that the application cannot write itself;
- `purge_details` ends traces and metadata of a batch's items whose term is over;
- `prune_rows` ends rows of a kind whose term is over.

None takes a number of days: terms are the owner's rows. So whoever reads `erasures`, `retention_terms` and these functions knows all that
can be deleted, and the audit trail is not among it.
"""

import sqlalchemy as sa
from alembic import op

from migrations.versions.moderation_views import VIEWS

revision = "retention_and_erasure"
down_revision = "event_following"
branch_labels = None
depends_on = None

UPLOADED = "folders/%"  # keys of what commands upload, see `worker.intake.sources` and `worker.cli.installation.uploading`
RETENTION_LOCK = 0x5A524554  # "ZRET": placing a hold takes it alone, whatever deletes shares it, until the transaction ends
DEFINED = "SECURITY DEFINER SET search_path = public, pg_temp"  # nobody but the owner creates in public
TERMS = {
    "routine": 30,
    "case": 400,
    "contested": 1100,
    "events": 30,
    "claims": 90,
    "row_errors": 90,
    "intakes": 30,
    "keys": 400,
    "secrets": 7,
    "sessions": 30,
}
# What `prune_rows` deletes: table, key, condition, by step. `ended` is the moment before which the kind's term is over.
HELD_ITEM = (
    "EXISTS (SELECT FROM legal_holds AS h WHERE h.batch_id = {} AND (h.ordinal IS NULL OR h.ordinal = {}) AND h.released_at IS NULL)"
)
HELD_BATCH = "EXISTS (SELECT FROM legal_holds AS h WHERE h.batch_id = {} AND h.released_at IS NULL)"
PRUNED = {
    "attempts": ("events", "webhook_attempts", "id", "ended_at < ended"),
    "deliveries": (
        "events",
        "webhook_deliveries",
        "endpoint_id, event_id",
        "state <> 'pending' AND created_at < ended AND next_attempt_at < ended",
    ),
    "events": (
        "events",
        "outbox",
        "id",
        (
            "delivered_at < ended AND NOT EXISTS (SELECT FROM webhook_deliveries AS d WHERE d.event_id = doomed.event_id)"
            " AND NOT EXISTS (SELECT FROM webhook_attempts AS a WHERE a.event_id = doomed.event_id)"
        ),
    ),
    "claims": (
        "claims",
        "review_claims",
        "token",
        (
            "state <> 'active' AND ended_at < ended AND EXISTS (SELECT FROM review_tasks AS t WHERE t.id = doomed.task_id"
            f" AND t.state IN ('done', 'withdrawn') AND t.closed_at < ended AND NOT {HELD_ITEM.format('t.batch_id', 't.ordinal')})"
        ),
    ),
    "row_errors": (
        "row_errors",
        "row_errors",
        "batch_id, line",
        (
            "EXISTS (SELECT FROM batches AS b WHERE b.id = doomed.batch_id AND b.finished_at < ended"
            f" AND b.state IN ('finished', 'cancelled', 'rejected')) AND NOT {HELD_BATCH.format('doomed.batch_id')}"
        ),
    ),
    "intakes": ("intakes", "intakes", "batch_id", f"ended_at < ended AND NOT {HELD_BATCH.format('doomed.batch_id')}"),
    "keys": (
        "keys",
        "api_keys",
        "id",
        "least(revoked_at, expires_at) < ended AND NOT EXISTS (SELECT FROM api_keys AS k WHERE k.successor_id = doomed.id)",
    ),
    "secrets": ("secrets", "webhook_secrets", "id", "expires_at < ended"),
    "sessions": ("sessions", "people_sessions", "id", "least(ended_at, expires_at, idle_expires_at) < ended"),
    # Of evidence that is gone, the row is what tells a worker that stored the same pixels before: it stays until no such worker is left.
    "evidence": (
        None,
        "evidence",
        "sha256",
        (
            "removed_at IS NOT NULL AND gone_at IS NOT NULL"
            " AND NOT EXISTS (SELECT FROM chunks AS c WHERE c.state = 'leased'"
            " AND coalesce(c.leased_at <= doomed.gone_at, true))"
        ),
    ),
}
ITEM_CURRENT = """
    SELECT i.batch_id, i.ordinal, 'item_' || replace(i.batch_id::text, '-', '') || '_' || i.ordinal AS item_id,
           b.tenant_id, i.custom_id, CASE WHEN e.batch_id IS NULL THEN 's3://' || i.bucket || '/' || i.key END AS source_ref, i.metadata,
           o.revision, o.kind AS outcome, o.verdict, o.p_generated,
           o.scan_verdict, o.verdict <> o.scan_verdict AS stages_disagree, o.path, o.explanation, o.release_id, l.training,
           o.image_sha256, o.width, o.height, o.error_code, r.policy_version, r.route,
           r.reason AS route_reason, o.created_at AS judged_at, e.erased_at
      FROM items AS i
      JOIN batches AS b ON b.id = i.batch_id
      LEFT JOIN outcomes AS o ON o.batch_id = i.batch_id AND o.ordinal = i.ordinal
           AND NOT EXISTS (SELECT FROM outcomes AS n
                            WHERE n.batch_id = o.batch_id AND n.ordinal = o.ordinal AND n.revision > o.revision)
      LEFT JOIN releases AS l ON l.id = o.release_id
      LEFT JOIN routings AS r ON (r.batch_id, r.ordinal, r.revision) = (o.batch_id, o.ordinal, o.revision) AND r.mode = 'live'
      LEFT JOIN erasures AS e ON e.batch_id = i.batch_id AND e.ordinal = i.ordinal
"""


def upgrade() -> None:
    """Forward."""
    _create_tables()
    _widen_evidence()
    _create_until()
    _create_erase()
    _create_purge()
    _create_prune()
    op.execute(f"CREATE OR REPLACE VIEW moderation_v1.item_current AS {ITEM_CURRENT}")
    op.execute("COMMENT ON COLUMN moderation_v1.item_current.erased_at IS 'When the image was erased; source_ref is null then'")


def _time(name: str, comment: str, *, given: bool = False) -> sa.Column[object]:
    default = sa.text("now()") if given else None
    return sa.Column(name, sa.DateTime(timezone=True), server_default=default, nullable=not given, comment=comment)


def _create_tables() -> None:
    op.create_table(
        "retention_terms",
        sa.Column("kind", sa.Text(), nullable=False, comment="routine | case | contested, the classes of images; or a kind of rows"),
        sa.Column("days", sa.Integer(), nullable=False, comment="Days"),
        sa.CheckConstraint(f"kind IN ({', '.join(repr(kind) for kind in TERMS)})", name=op.f("ck_retention_terms_kind")),
        sa.CheckConstraint("days BETWEEN 1 AND 36500", name=op.f("ck_retention_terms_days")),
        sa.PrimaryKeyConstraint("kind", name=op.f("pk_retention_terms")),
        comment="How long what is kept; changed by the owner, read by the application",
    )
    op.create_table(
        "legal_holds",
        sa.Column("id", sa.UUID(), nullable=False, comment="UUIDv7"),
        sa.Column("tenant_id", sa.Text(), nullable=False, comment="Whose"),
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Batch that is held, or batch of the item"),
        sa.Column("ordinal", sa.Integer(), nullable=True, comment="The item; null: the whole batch"),
        sa.Column("reason", sa.Text(), nullable=False, comment="Why, in the words of who placed it"),
        sa.Column("placed_by", sa.Text(), nullable=False, comment="Who placed it"),
        _time("placed_at", "When", given=True),
        sa.Column("released_by", sa.Text(), nullable=True, comment="Who released it"),
        _time("released_at", "When; null while it stands"),
        sa.CheckConstraint("(released_at IS NULL) = (released_by IS NULL)", name=op.f("ck_legal_holds_released")),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("fk_legal_holds_tenant_id_tenants")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_legal_holds_batch_id_batches")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_legal_holds")),
        comment="Items and batches of which nothing is purged or erased",
    )
    op.create_index("ix_legal_holds_standing", "legal_holds", ["batch_id", "ordinal"], postgresql_where=sa.text("released_at IS NULL"))
    op.create_index("ix_legal_holds_tenant_id", "legal_holds", ["tenant_id", "id"])
    op.create_table(
        "erasures",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Its batch"),
        sa.Column("ordinal", sa.Integer(), autoincrement=False, nullable=False, comment="Its item"),
        sa.Column("reason", sa.Text(), nullable=False, comment="A code"),
        sa.Column("erased_by", sa.Text(), nullable=False, comment="Who"),
        _time("erased_at", "When", given=True),
        sa.Column("upload_bucket", sa.Text(), nullable=True, comment="Where our own upload of it is, until that is removed"),
        sa.Column("upload_key", sa.Text(), nullable=True, comment="Key of that"),
        sa.CheckConstraint("(upload_bucket IS NULL) = (upload_key IS NULL)", name=op.f("ck_erasures_upload")),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_erasures_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", "ordinal", name=op.f("pk_erasures")),
        comment="Tombstones of erased images",
    )
    op.create_index("ix_erasures_upload", "erasures", ["batch_id", "ordinal"], postgresql_where=sa.text("upload_key IS NOT NULL"))
    op.create_table(
        "details_sweeps",
        sa.Column("batch_id", sa.UUID(), nullable=False, comment="Which batch"),
        sa.Column("next_ordinal", sa.Integer(), server_default=sa.text("0"), nullable=False, comment="Where an interrupted sweep goes on"),
        _time("earliest", "Of what this sweep left so far, when the first will be due"),
        _time("due_at", "When it is looked at again; null: nothing was left"),
        _time("looked_at", "When it was last looked at", given=True),
        sa.ForeignKeyConstraint(["batch_id"], ["batches.id"], name=op.f("fk_details_sweeps_batch_id_batches")),
        sa.PrimaryKeyConstraint("batch_id", name=op.f("pk_details_sweeps")),
        comment="How far the purge of traces and metadata has come in each batch",
    )
    op.create_index("ix_details_sweeps_due", "details_sweeps", ["due_at"])
    rows = ", ".join(f"('{kind}', {days})" for kind, days in TERMS.items())
    op.execute(f"INSERT INTO retention_terms (kind, days) VALUES {rows}")
    op.execute("GRANT SELECT ON retention_terms, erasures TO zoomin_app")
    op.execute("GRANT UPDATE (upload_bucket, upload_key) ON erasures TO zoomin_app")
    op.execute("GRANT SELECT, INSERT ON legal_holds TO zoomin_app")
    op.execute("GRANT UPDATE (released_at, released_by) ON legal_holds TO zoomin_app")
    op.execute("GRANT SELECT, INSERT, UPDATE ON details_sweeps TO zoomin_app")


def _widen_evidence() -> None:
    op.add_column("chunks", _time("leased_at", "When the present or last lease was claimed"))
    due = "When retention looks at it next; whether it goes is then up to the items that hold it"
    op.add_column("evidence", _time("due_at", due, given=True))
    op.add_column("evidence", _time("removed_at", "When its removal was decided; keeping the same pixels waits from then on"))
    op.add_column("evidence", _time("gone_at", "When the object was no longer in the bucket; kept again after that, it is back"))
    op.create_check_constraint(op.f("ck_evidence_gone"), "evidence", "gone_at IS NULL OR removed_at IS NOT NULL")
    op.create_index("ix_evidence_due", "evidence", ["due_at", "sha256"], postgresql_where=sa.text("removed_at IS NULL"))
    op.create_index("ix_evidence_removed", "evidence", ["sha256"], postgresql_where=sa.text("removed_at IS NOT NULL"))
    op.create_index("ix_regions_crop_sha256", "regions", ["crop_sha256"], postgresql_where=sa.text("crop_sha256 IS NOT NULL"))
    op.create_index("ix_outcomes_sent_sha256", "outcomes", ["sent_sha256"], postgresql_where=sa.text("sent_sha256 IS NOT NULL"))
    op.create_index("ix_webhook_attempts_event_id", "webhook_attempts", ["event_id"])  # each event that goes is looked up there


def _create_until() -> None:
    op.execute(
        """
        CREATE FUNCTION term_ended(term text) RETURNS timestamptz LANGUAGE sql STABLE SET search_path = public, pg_temp
        RETURN now() - make_interval(days => (SELECT days FROM retention_terms WHERE kind = term))
        """
    )
    op.execute(
        f"""
        -- Until when an item's pixels, traces and metadata are kept: its class's days after what happened last.
        -- 'infinity' under a hold, while people are asked about it, and before it has an outcome.
        CREATE FUNCTION item_kept_until(of_batch uuid, of_ordinal integer) RETURNS timestamptz LANGUAGE plpgsql STABLE
        SET search_path = public, pg_temp AS $$
        DECLARE
            judged timestamptz; decided timestamptz; contested timestamptz; class text;
        BEGIN
            IF {HELD_ITEM.format("of_batch", "of_ordinal")}
               OR EXISTS (SELECT FROM review_tasks AS t WHERE t.batch_id = of_batch AND t.ordinal = of_ordinal
                                                          AND t.state IN ('open', 'held', 'escalated'))
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


def _create_erase() -> None:
    op.create_index("ix_items_uploaded", "items", ["bucket", "key"], postgresql_where=sa.text(f"key LIKE '{UPLOADED}'"))
    op.execute(
        """
        -- Until the transaction ends: alone by whoever erases the item, shared by whoever writes about it, see `check_not_erased`.
        CREATE FUNCTION item_lock(of_batch uuid, of_ordinal integer) RETURNS bigint LANGUAGE sql STABLE SET search_path = public, pg_temp
        RETURN hashtextextended('item/' || of_batch || '/' || of_ordinal, 0)
        """
    )
    op.execute(
        """
        -- Of a statement about an erased image that ends unsent, nothing is left but what it was, whoever ends it, and however late.
        CREATE FUNCTION scrub_statement() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
        BEGIN
            IF EXISTS (SELECT FROM decisions AS d JOIN erasures AS e ON (e.batch_id, e.ordinal) = (d.batch_id, d.ordinal)
                        WHERE d.id = NEW.decision_id) THEN
                NEW.receiver_detail := NULL;
                NEW.payload := jsonb_build_object('puid', NEW.payload -> 'puid',
                    'automated_detection', NEW.payload -> 'automated_detection', 'automated_decision', NEW.payload -> 'automated_decision',
                    'decision_facts', 'The image was erased.');
            END IF;
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER scrub_statement BEFORE UPDATE ON statements_of_reasons FOR EACH ROW"
        " WHEN (NEW.state IN ('withdrawn', 'refused')) EXECUTE FUNCTION scrub_statement()"
    )
    op.execute(
        f"""
        -- Erases one image: 'erased', 'already' (and erased again), 'missing', or why not: 'held', 'contested'.
        CREATE FUNCTION erase_item(of_batch uuid, of_ordinal integer, by text, why text, own_bucket text) RETURNS text
        LANGUAGE plpgsql {DEFINED} AS $$
        DECLARE
            locked bigint[] := '{{}}'; covering bigint[]; tasks bigint[]; shas text[]; decided uuid[];
            item items; ours boolean; again boolean;
        BEGIN
            PERFORM pg_advisory_xact_lock_shared({RETENTION_LOCK});
            SELECT * INTO item FROM items WHERE batch_id = of_batch AND ordinal = of_ordinal;
            IF NOT FOUND THEN RETURN 'missing'; END IF;
            -- Chunks before the batch, as everywhere. A worker's write holds its chunk's row: either it is seen below, or it comes later
            -- and meets the tombstone's outcome. The batch's row keeps rescans out. A chunk may have been split meanwhile: look again.
            LOOP
                SELECT coalesce(array_agg(c.id), '{{}}') INTO covering FROM (
                    SELECT id FROM chunks WHERE batch_id = of_batch AND lo <= of_ordinal AND hi > of_ordinal
                                            AND state IN ('ready', 'announced', 'leased') ORDER BY id FOR UPDATE) AS c;
                PERFORM FROM batches WHERE id = of_batch FOR SHARE;
                EXIT WHEN covering <@ locked;
                locked := locked || covering;
            END LOOP;
            -- Whoever writes words about the item shares its lock, or holds the task or the statement that it answers: either what it wrote
            -- is seen below, or it comes later and finds the tombstone.
            PERFORM pg_advisory_xact_lock(item_lock(of_batch, of_ordinal));
            PERFORM FROM review_tasks WHERE batch_id = of_batch AND ordinal = of_ordinal ORDER BY id FOR UPDATE;
            IF {HELD_ITEM.format("of_batch", "of_ordinal")} THEN RETURN 'held'; END IF;
            decided := ARRAY(SELECT id FROM decisions WHERE batch_id = of_batch AND ordinal = of_ordinal);
            IF EXISTS (SELECT FROM appeals WHERE decision_id = ANY(decided) AND state = 'open') THEN RETURN 'contested'; END IF;
            PERFORM FROM statements_of_reasons WHERE decision_id = ANY(decided) ORDER BY id FOR UPDATE;
            -- What a command uploaded is ours, and goes with the last item that names it.
            ours := item.bucket = own_bucket AND item.key LIKE '{UPLOADED}';
            IF ours THEN
                PERFORM pg_advisory_xact_lock(hashtextextended('upload/' || item.key, 0));
                ours := NOT EXISTS (SELECT FROM items AS i WHERE i.bucket = item.bucket AND i.key = item.key AND i.key LIKE '{UPLOADED}'
                                                             AND (i.batch_id, i.ordinal) <> (of_batch, of_ordinal));
            END IF;
            INSERT INTO erasures (batch_id, ordinal, reason, erased_by, upload_bucket, upload_key)
            VALUES (of_batch, of_ordinal, why, by, CASE WHEN ours THEN item.bucket END, CASE WHEN ours THEN item.key END)
            ON CONFLICT DO NOTHING;
            again := NOT FOUND;  -- what a later release learned to erase goes by erasing again

            shas := ARRAY(SELECT crop_sha256 FROM regions WHERE batch_id = of_batch AND ordinal = of_ordinal AND crop_sha256 IS NOT NULL
                          UNION SELECT sent_sha256 FROM outcomes WHERE batch_id = of_batch AND ordinal = of_ordinal
                                                                   AND sent_sha256 IS NOT NULL);
            PERFORM FROM evidence WHERE sha256 = ANY(shas) ORDER BY sha256 FOR UPDATE;
            UPDATE evidence SET due_at = '-infinity' WHERE sha256 = ANY(shas);
            DELETE FROM traces WHERE batch_id = of_batch AND ordinal = of_ordinal;
            DELETE FROM regions WHERE batch_id = of_batch AND ordinal = of_ordinal;
            UPDATE outcomes
               SET explanation = NULL, scan_explanation = NULL, image_sha256 = NULL, etag = NULL, version_id = NULL, byte_count = NULL,
                   media_type = NULL, width = NULL, height = NULL, sent_sha256 = NULL,
                   error_message = CASE WHEN error_code IS NOT NULL THEN 'The image was erased.' END
             WHERE batch_id = of_batch AND ordinal = of_ordinal;
            -- The batch may still be received: its submitter must not be able to take the name before.
            UPDATE items SET custom_id = 'erased_' || gen_random_uuid(), bucket = '', key = '', version_id = NULL, metadata = NULL
             WHERE batch_id = of_batch AND ordinal = of_ordinal AND NOT again;
            UPDATE chunks SET last_error = NULL
             WHERE batch_id = of_batch AND lo <= of_ordinal AND hi > of_ordinal AND last_error IS NOT NULL;
            UPDATE batches SET intake_cursor = intake_cursor - 'mark'
             WHERE id = of_batch AND received_at IS NOT NULL AND item.key <> '' AND intake_cursor ->> 'mark' = item.key;
            UPDATE batches SET pause_reason = replace(pause_reason, item.key, '…')
             WHERE id = of_batch AND item.key <> '' AND strpos(pause_reason, item.key) > 0;

            UPDATE review_tasks
               SET state = 'withdrawn', closed_at = now(), version = version + 1
             WHERE batch_id = of_batch AND ordinal = of_ordinal AND state IN ('open', 'held', 'escalated');
            tasks := ARRAY(SELECT id FROM review_tasks WHERE batch_id = of_batch AND ordinal = of_ordinal);
            UPDATE review_tasks SET state_reason = CASE WHEN state = 'withdrawn' THEN 'the image was erased' END WHERE id = ANY(tasks);
            UPDATE review_claims SET state = 'released', ended_at = now() WHERE task_id = ANY(tasks) AND state = 'active';
            UPDATE review_claims SET reason = NULL WHERE task_id = ANY(tasks);
            DELETE FROM region_judgements WHERE review_id IN (SELECT id FROM reviews WHERE task_id = ANY(tasks));
            UPDATE reviews SET note = '' WHERE task_id = ANY(tasks);
            UPDATE decisions SET reason = 'the image was erased' WHERE id = ANY(decided) AND basis <> 'automatic';
            UPDATE appeals SET statement = '', reference = NULL WHERE decision_id = ANY(decided);
            -- What was sent is public. What may have been sent stays until the sender has asked. `scrub_statement` empties the others.
            UPDATE statements_of_reasons SET state = 'withdrawn', receiver_code = 'item_erased'
             WHERE decision_id = ANY(decided) AND state IN ('draft', 'held') AND NOT uncertain;
            UPDATE statements_of_reasons SET receiver_detail = NULL WHERE decision_id = ANY(decided) AND state IN ('withdrawn', 'refused');
            RETURN CASE WHEN again THEN 'already' ELSE 'erased' END;
        END $$
        """
    )
    _only_for_the_application("erase_item(uuid, integer, text, text, text)")


def _create_purge() -> None:
    op.execute(
        f"""
        -- Ends traces and metadata of a batch's items in [lo, hi] whose term is over. `earliest`: when the first of the others is due.
        CREATE FUNCTION purge_details(of_batch uuid, lo integer, hi integer, OUT items bigint, OUT traces bigint, OUT earliest timestamptz)
        LANGUAGE plpgsql {DEFINED} AS $$
        DECLARE
            over integer[];
        BEGIN
            items := 0; traces := 0;
            PERFORM pg_advisory_xact_lock_shared({RETENTION_LOCK});
            PERFORM FROM batches WHERE id = of_batch AND state IN ('finished', 'cancelled') FOR SHARE;  -- no rescan begins meanwhile
            IF NOT FOUND THEN RETURN; END IF;
            SELECT coalesce(array_agg(ordinal) FILTER (WHERE until <= now()), '{{}}'), min(until) FILTER (WHERE until > now())
              INTO over, earliest
              FROM (SELECT i.ordinal, item_kept_until(of_batch, i.ordinal) AS until FROM public.items AS i
                     WHERE i.batch_id = of_batch AND i.ordinal BETWEEN lo AND hi
                       AND (i.metadata IS NOT NULL
                            OR EXISTS (SELECT FROM public.traces AS t WHERE t.batch_id = of_batch AND t.ordinal = i.ordinal))) AS looked_at;
            DELETE FROM public.traces AS t WHERE t.batch_id = of_batch AND t.ordinal = ANY(over);
            GET DIAGNOSTICS traces = ROW_COUNT;
            UPDATE public.items AS i SET metadata = NULL
             WHERE i.batch_id = of_batch AND i.ordinal = ANY(over) AND i.metadata IS NOT NULL;
            items := cardinality(over);
        END $$
        """
    )
    _only_for_the_application("purge_details(uuid, integer, integer)")


def _create_prune() -> None:
    deletes, counts = [], []
    for step, (term, table, key, condition) in PRUNED.items():
        ended = f"ended := term_ended('{term}');" if term else ""
        chosen = f"FROM {table} AS doomed WHERE {condition}"
        inner = f"SELECT {key} {chosen} ORDER BY {key} LIMIT most FOR UPDATE SKIP LOCKED"
        deletes.append(f"WHEN '{step}' THEN {ended} DELETE FROM {table} WHERE ({key}) IN ({inner});")
        counts.append(f"WHEN '{step}' THEN {ended} SELECT count(*) INTO number {chosen};")
    for name, arguments, volatility, bodies, answer in (
        ("prune_rows", "step text, most integer", "VOLATILE", deletes, "GET DIAGNOSTICS number = ROW_COUNT;"),
        ("count_prunable", "step text", "STABLE", counts, ""),
    ):
        lock = f"PERFORM pg_advisory_xact_lock_shared({RETENTION_LOCK});" if name == "prune_rows" else ""
        op.execute(
            f"""
            CREATE FUNCTION {name}({arguments}) RETURNS bigint LANGUAGE plpgsql {volatility} {DEFINED} AS $$
            DECLARE
                ended timestamptz; number bigint;
            BEGIN
                {lock}
                CASE step {" ".join(bodies)} END CASE;
                {answer}
                RETURN number;
            END $$
            """
        )
    _only_for_the_application("prune_rows(text, integer)")
    _only_for_the_application("count_prunable(text)")


def _only_for_the_application(function: str) -> None:
    op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")
    op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO zoomin_app")


def downgrade() -> None:
    """Back. What was erased stays erased."""
    op.execute("DROP TRIGGER scrub_statement ON statements_of_reasons")
    for function in (
        "scrub_statement()",
        "count_prunable(text)",
        "prune_rows(text, integer)",
        "purge_details(uuid, integer, integer)",
        "erase_item(uuid, integer, text, text, text)",
        "item_lock(uuid, integer)",
        "item_kept_until(uuid, integer)",
        "term_ended(text)",
    ):
        op.execute(f"DROP FUNCTION {function}")
    _restore_views()
    op.drop_index("ix_items_uploaded", "items")
    op.drop_index("ix_webhook_attempts_event_id", "webhook_attempts")
    op.drop_index("ix_outcomes_sent_sha256", "outcomes")
    op.drop_index("ix_regions_crop_sha256", "regions")
    op.drop_index("ix_evidence_removed", "evidence")
    op.drop_index("ix_evidence_due", "evidence")
    op.drop_constraint(op.f("ck_evidence_gone"), "evidence")
    for column in ("gone_at", "removed_at", "due_at"):
        op.drop_column("evidence", column)
    op.drop_column("chunks", "leased_at")
    for table in ("details_sweeps", "erasures", "legal_holds", "retention_terms"):
        op.drop_table(table)


def _restore_views() -> None:
    """A view cannot lose a column: it and the one on top of it are made again."""
    op.execute("DROP VIEW moderation_v1.flagged_images, moderation_v1.item_current")
    for name in ("item_current", "flagged_images"):
        comment, query, columns = VIEWS[name]
        op.execute(f"CREATE VIEW moderation_v1.{name} AS {query}")
        op.execute(f"COMMENT ON VIEW moderation_v1.{name} IS {_quoted(comment)}")
        for column, meaning in columns.items():
            op.execute(f"COMMENT ON COLUMN moderation_v1.{name}.{column} IS {_quoted(meaning)}")
        op.execute(f"GRANT SELECT ON moderation_v1.{name} TO zoomin_analyst, zoomin_app")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
