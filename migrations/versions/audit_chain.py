"""The audit trail becomes a hash chain, written by the database itself; `worker.moderation.audit_chain` says what is hashed.

Two triggers on audit_events. Before an INSERT, one takes the chain's lock until the transaction ends; only then are ids and
times taken from their defaults, so that they are in the order of commits, and whoever reads past an id misses nothing. After the
INSERT, the other appends the link that covers its rows. Both run with the rights of the tables' owner: the application can
neither write links nor leave one out. It cannot run their functions either, or a trigger on a table of its own would forge links.

Events name their tenant from here on. Those that are there already get their batch's, and links of BACKFILL events each; a single one
could outgrow the memory of one aggregate.
"""

import sqlalchemy as sa
from alembic import op

revision = "audit_chain"
down_revision = "application_role"
branch_labels = None
depends_on = None

CHAIN_LOCK = 0x5A415544  # "ZAUD"
LOCK_TIMEOUT = "10s"  # writers queue here by design, unlike at other locks; below the statement time-out
CLOCK_SLACK = "1 second"  # what a clock may be set by while a statement runs
BACKFILL = 10_000  # events
RECORDED = "actor, action, tenant_id, batch_id, ordinal, revision, payload_digest, detail"
CHAINED = f"id, occurred_at, {RECORDED}"
DEFINED = "SECURITY DEFINER SET search_path = pg_catalog, pg_temp"  # pg_temp last, or a temporary table could stand before ours
APPEND_ONLY = ("audit_links", "audit_seals")


def upgrade() -> None:
    """Forward."""
    _create_tables()
    _name_tenants()
    op.create_index("ix_audit_events_batch_id_id", "audit_events", ["batch_id", "id"], unique=False)
    op.execute("ALTER TABLE audit_events ALTER COLUMN occurred_at SET DEFAULT clock_timestamp()")
    _create_hashes()
    _create_append()
    _backfill()
    _create_triggers()
    _refuse_changes()
    _grant()


def _create_tables() -> None:
    op.create_table(
        "audit_links",
        sa.Column("link", sa.BigInteger(), autoincrement=False, nullable=False, comment="1, 2, 3… without a gap, in the order of commits"),
        sa.Column("first_event", sa.BigInteger(), nullable=False, comment="Lowest id of the events it covers"),
        sa.Column("last_event", sa.BigInteger(), nullable=False, comment="Highest id of the events it covers"),
        sa.Column("events", sa.Integer(), nullable=False, comment="How many it covers; ids between may be unused"),
        sa.Column("total", sa.BigInteger(), nullable=False, comment="Events covered by this link and all before"),
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 over its events, each hashed"),
        sa.Column("previous", sa.Text(), nullable=False, comment="Head of the link before; 64 zeros for the first"),
        sa.Column("head", sa.Text(), nullable=False, comment="sha256 over this row and, by `previous`, all before"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="By the database's clock"),
        sa.PrimaryKeyConstraint("link", name=op.f("pk_audit_links")),
        comment="The audit trail's hash chain, a link per INSERT; written by triggers alone, append-only",
    )
    op.create_index("ix_audit_links_created_at", "audit_links", ["created_at"], unique=False)
    op.create_table(
        "audit_seals",
        sa.Column("id", sa.BigInteger(), autoincrement=True, nullable=False, comment="Order of writing"),
        sa.Column("link", sa.BigInteger(), nullable=False, comment="Up to which link; no foreign key: a seal outlives what it seals"),
        sa.Column("head", sa.Text(), nullable=False, comment="That link's head"),
        sa.Column("events", sa.BigInteger(), nullable=False, comment="That link's total"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, comment="By the database's clock"),
        sa.Column("bucket", sa.Text(), nullable=False, comment="Where the head was exported to"),
        sa.Column("key", sa.Text(), nullable=False, comment="Key in it"),
        sa.Column("version_id", sa.Text(), nullable=True, comment="S3 version, where the bucket keeps them"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("link", name=op.f("uq_audit_seals_link")),
        comment="Heads of the chain that were exported to S3; append-only",
    )


def _name_tenants() -> None:
    whose = "Whose event: the batch's tenant, where there is a batch; null: the installation's own"
    op.add_column("audit_events", sa.Column("tenant_id", sa.Text(), nullable=True, comment=whose))
    op.create_index("ix_audit_events_tenant_id_id", "audit_events", ["tenant_id", "id"], unique=False)
    op.execute("ALTER TABLE audit_events DISABLE TRIGGER refuse_row_change")
    op.execute("UPDATE audit_events AS e SET tenant_id = b.tenant_id FROM batches AS b WHERE b.id = e.batch_id")
    op.execute("ALTER TABLE audit_events ENABLE ALWAYS TRIGGER refuse_row_change")


def _create_hashes() -> None:
    op.execute(
        """
        CREATE FUNCTION audit_field(value text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
        RETURN coalesce(octet_length(value)::text || ':' || value || ',', '-,')
        """
    )
    op.execute(
        """
        CREATE FUNCTION audit_time(value timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
        RETURN trim_scale(extract(epoch FROM value) * 1000000)::text
        """
    )
    op.execute(
        """
        CREATE FUNCTION audit_leaf(id bigint, occurred_at timestamptz, actor text, action text, tenant_id text, batch_id uuid,
                                   ordinal integer, revision integer, payload_digest text, detail jsonb)
        RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
        RETURN sha256(convert_to(
            audit_field(id::text) || audit_field(audit_time(occurred_at)) || audit_field(actor) || audit_field(action)
            || audit_field(tenant_id) || audit_field(batch_id::text) || audit_field(ordinal::text) || audit_field(revision::text)
            || audit_field(payload_digest) || audit_field(detail::text), 'UTF8'))
        """
    )
    op.execute(
        """
        CREATE FUNCTION audit_head(previous text, link bigint, first_event bigint, last_event bigint, events integer, total bigint,
                                   digest text, created_at timestamptz)
        RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
        RETURN encode(sha256(convert_to(
            audit_field(previous) || audit_field(link::text) || audit_field(first_event::text) || audit_field(last_event::text)
            || audit_field(events::text) || audit_field(total::text) || audit_field(digest) || audit_field(audit_time(created_at)),
            'UTF8')), 'hex')
        """
    )


def _create_append() -> None:
    op.execute(
        """
        CREATE FUNCTION append_audit_link(first bigint, last bigint, number integer, leaves bytea) RETURNS void LANGUAGE plpgsql
        SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            prior public.audit_links;
            fresh public.audit_links;
        BEGIN
            SELECT * INTO prior FROM public.audit_links ORDER BY link DESC LIMIT 1;
            IF first <= coalesce(prior.last_event, 0) OR last > (SELECT last_value FROM public.audit_events_id_seq) THEN
                RAISE EXCEPTION 'ids of audit events come from their sequence' USING ERRCODE = 'insufficient_privilege';
            END IF;
            fresh := (coalesce(prior.link, 0) + 1, first, last, number, coalesce(prior.total, 0) + number,
                      encode(sha256(leaves), 'hex'), coalesce(prior.head, repeat('0', 64)), '', clock_timestamp());
            fresh.head := public.audit_head(fresh.previous, fresh.link, first, last, number, fresh.total, fresh.digest, fresh.created_at);
            INSERT INTO public.audit_links SELECT fresh.*;
        END $$
        """
    )
    op.execute(
        f"""
        CREATE FUNCTION enter_audit_chain() RETURNS trigger LANGUAGE plpgsql {DEFINED} SET lock_timeout = '{LOCK_TIMEOUT}' AS $$
        BEGIN
            IF current_setting('transaction_isolation') <> 'read committed' THEN  -- an older snapshot would not show the last link
                RAISE EXCEPTION 'audit events are written in READ COMMITTED transactions'
                      USING ERRCODE = 'object_not_in_prerequisite_state';
            END IF;
            PERFORM pg_advisory_xact_lock({CHAIN_LOCK});
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        f"""
        CREATE FUNCTION extend_audit_chain() RETURNS trigger LANGUAGE plpgsql {DEFINED} AS $$
        DECLARE
            fresh record;
        BEGIN
            SELECT min(id) AS first, max(id) AS last, count(*)::integer AS number,
                   min(occurred_at) AS earliest, max(occurred_at) AS latest,
                   string_agg(public.audit_leaf({CHAINED}), ''::bytea ORDER BY id) AS leaves
              INTO fresh FROM new_events;
            IF fresh.number = 0 THEN
                RETURN NULL;
            END IF;
            IF fresh.earliest < statement_timestamp() - interval '{CLOCK_SLACK}'
               OR fresh.latest > clock_timestamp() + interval '{CLOCK_SLACK}' THEN
                RAISE EXCEPTION 'times of audit events come from the database''s clock' USING ERRCODE = 'insufficient_privilege';
            END IF;
            PERFORM public.append_audit_link(fresh.first, fresh.last, fresh.number, fresh.leaves);
            RETURN NULL;
        END $$
        """
    )
    op.execute(
        f"""
        CREATE FUNCTION fill_audit_seal() RETURNS trigger LANGUAGE plpgsql {DEFINED} AS $$
        BEGIN
            SELECT head, total, clock_timestamp() INTO NEW.head, NEW.events, NEW.created_at FROM public.audit_links WHERE link = NEW.link;
            IF NOT FOUND THEN
                RAISE EXCEPTION 'there is no link % to seal', NEW.link USING ERRCODE = 'foreign_key_violation';
            END IF;
            RETURN NEW;
        END $$
        """
    )
    for function in ("append_audit_link", "enter_audit_chain", "extend_audit_chain", "fill_audit_seal"):
        op.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")


def _backfill() -> None:
    op.execute("LOCK TABLE audit_events IN SHARE ROW EXCLUSIVE MODE")
    op.execute(
        f"""
        DO $$
        DECLARE
            page record;
            behind bigint := 0;
        BEGIN
            LOOP
                SELECT min(id) AS first, max(id) AS last, count(*)::integer AS number,
                       string_agg(audit_leaf({CHAINED}), ''::bytea ORDER BY id) AS leaves
                  INTO page FROM (SELECT {CHAINED} FROM audit_events WHERE id > behind ORDER BY id LIMIT {BACKFILL}) AS events;
                EXIT WHEN page.number = 0;
                PERFORM append_audit_link(page.first, page.last, page.number, page.leaves);
                behind := page.last;
            END LOOP;
        END $$
        """
    )


def _create_triggers() -> None:
    op.execute("CREATE TRIGGER enter_audit_chain BEFORE INSERT ON audit_events FOR EACH STATEMENT EXECUTE FUNCTION enter_audit_chain()")
    op.execute(
        "CREATE TRIGGER extend_audit_chain AFTER INSERT ON audit_events REFERENCING NEW TABLE AS new_events"
        " FOR EACH STATEMENT EXECUTE FUNCTION extend_audit_chain()"
    )
    op.execute("CREATE TRIGGER fill_audit_seal BEFORE INSERT ON audit_seals FOR EACH ROW EXECUTE FUNCTION fill_audit_seal()")
    for table, trigger in (
        ("audit_events", "enter_audit_chain"),
        ("audit_events", "extend_audit_chain"),
        ("audit_seals", "fill_audit_seal"),
    ):
        op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _refuse_changes() -> None:
    op.execute(
        """
        CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
        END $$
        """
    )
    for table in APPEND_ONLY:
        op.execute(
            f"CREATE TRIGGER refuse_row_change BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
        )
        op.execute(f"CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()")
        for trigger in ("refuse_row_change", "refuse_truncate"):
            op.execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {trigger}")


def _grant() -> None:
    """Column by column: neither id nor time of an event is the application's to choose, nor what a seal says."""
    op.execute("REVOKE INSERT ON audit_events FROM zoomin_app")
    op.execute(f"GRANT INSERT ({RECORDED}) ON audit_events TO zoomin_app")
    op.execute("GRANT SELECT ON audit_links, audit_seals TO zoomin_app")
    op.execute("GRANT INSERT (link, bucket, key, version_id) ON audit_seals TO zoomin_app")
    op.execute("GRANT USAGE ON SEQUENCE audit_seals_id_seq TO zoomin_app")


def downgrade() -> None:
    """Back."""
    op.execute(f"REVOKE INSERT ({RECORDED}) ON audit_events FROM zoomin_app")
    op.execute("GRANT INSERT ON audit_events TO zoomin_app")
    for trigger in ("enter_audit_chain", "extend_audit_chain"):
        op.execute(f"DROP TRIGGER {trigger} ON audit_events")
    op.drop_table("audit_seals")
    op.drop_table("audit_links")
    for function in ("enter_audit_chain", "extend_audit_chain", "fill_audit_seal", "append_audit_link"):
        op.execute(f"DROP FUNCTION {function}")
    for function in ("audit_head", "audit_leaf", "audit_time", "audit_field"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("ALTER TABLE audit_events ALTER COLUMN occurred_at SET DEFAULT now()")
    op.drop_index("ix_audit_events_batch_id_id", "audit_events")
    op.drop_index("ix_audit_events_tenant_id_id", "audit_events")
    op.drop_column("audit_events", "tenant_id")
