"""The audit trail is append-only, chained, and in the order of commits, because the database says so."""

import contextlib
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.integration.audit_world import Trail, a_trail
from tests.integration.queue_world import World
from worker.local.services import Services
from worker.store import audit
from worker.store.session import transaction

EVENT = "INSERT INTO audit_events (actor, action) VALUES ('a', 'b')"
LINK = "INSERT INTO audit_links VALUES (2, 2, 2, 1, 2, 'd', 'p', 'h', now())"
THREADS, COMMITS = 8, 50


@pytest.fixture(scope="module")
def trail(services: Services) -> Iterator[Trail]:
    """Nothing in this module may change what was written, so that all its tests share it."""
    with a_trail(services) as trail:
        trail.record(1)
        yield trail
        assert trail.check().broken is None


def refused(engine: Engine, *statements: str) -> str:
    """The message of the last statement's refusal; nothing of the transaction stays."""
    *before, last = map(text, statements)
    with engine.connect() as connection:
        for statement in before:
            connection.execute(statement)
        with pytest.raises(DBAPIError) as refusal:
            connection.execute(last)
    return str(refusal.value.orig).splitlines()[0]


CHANGES = [
    "UPDATE audit_events SET actor = 'x'",
    "DELETE FROM audit_events",
    "TRUNCATE audit_events",
    "UPDATE audit_links SET head = 'x'",
    "DELETE FROM audit_links",
    "TRUNCATE audit_links",
    "UPDATE audit_seals SET link = 1",
    "DELETE FROM audit_seals",
    "TRUNCATE audit_seals",
]
BYPASSES = [
    "SET session_replication_role = replica",
    "ALTER TABLE audit_events DISABLE TRIGGER extend_audit_chain",
    "ALTER TABLE audit_events DISABLE TRIGGER ALL",
    "DROP TRIGGER extend_audit_chain ON audit_events",
    "CREATE OR REPLACE FUNCTION extend_audit_chain() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "ALTER TABLE audit_events ALTER occurred_at SET DEFAULT '2000-01-01'",
    "SET ROLE zoomin_owner",
    LINK,
    "SELECT append_audit_link(2, 2, 1, ''::bytea)",
    "SELECT setval('audit_events_id_seq', 1)",
    "ALTER SEQUENCE audit_events_id_seq RESTART",
    "INSERT INTO audit_events (id, actor, action) VALUES (1000000, 'a', 'b')",
    "INSERT INTO audit_events (occurred_at, actor, action) VALUES ('2020-01-01', 'a', 'b')",
    "INSERT INTO audit_seals (link, head, bucket, key) VALUES (1, 'forged', 'b', 'k')",
]


@pytest.mark.parametrize("statement", [*CHANGES, *BYPASSES])
def test_the_application_can_neither_change_nor_bypass(trail: Trail, statement: str) -> None:
    assert any(word in refused(trail.app, statement) for word in ("permission denied", "must be owner"))


@pytest.mark.parametrize("statement", CHANGES[:6])
def test_not_even_the_owner_changes_what_is_there(trail: Trail, statement: str) -> None:
    assert "append-only" in refused(trail.owner, statement)


@pytest.mark.parametrize("statement", CHANGES[:6])
def test_a_replica_role_does_not_silence_the_triggers(trail: Trail, statement: str) -> None:
    assert "append-only" in refused(trail.superuser, "SET LOCAL session_replication_role = replica", statement)


def test_a_replica_role_does_not_leave_events_out_of_the_chain(trail: Trail) -> None:
    with trail.superuser.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text(EVENT))
    assert trail.check().broken is None


@pytest.mark.parametrize(
    ("columns", "values", "words"),
    [
        ("id", "0", "come from their sequence"),
        ("id", "1000000", "come from their sequence"),
        ("occurred_at", "now() - interval '1 day'", "database's clock"),
        ("occurred_at", "now() + interval '1 day'", "database's clock"),
    ],
)
def test_the_owner_chooses_neither_ids_nor_times(trail: Trail, columns: str, values: str, words: str) -> None:
    assert words in refused(trail.owner, f"INSERT INTO audit_events ({columns}, actor, action) VALUES ({values}, 'a', 'b')")  # noqa: S608


def test_a_transaction_that_was_begun_long_ago_does_not_backdate(trail: Trail) -> None:
    with trail.app.begin() as connection:
        before = connection.execute(text("SELECT now()")).scalar_one()
        time.sleep(0.2)
        occurred_at = connection.execute(text(EVENT + " RETURNING occurred_at")).scalar_one()
    assert (occurred_at - before).total_seconds() >= 0.2


def test_the_chains_functions_serve_no_trigger_of_somebody_elses(trail: Trail) -> None:
    table = "CREATE TEMP TABLE own (LIKE audit_events)"
    trigger = "CREATE TRIGGER t AFTER INSERT ON own REFERENCING NEW TABLE AS new_events FOR EACH STATEMENT EXECUTE FUNCTION {}()"
    for function in ("extend_audit_chain", "enter_audit_chain", "fill_audit_seal"):
        assert "permission denied" in refused(trail.app, table, trigger.format(function))


def test_temporary_tables_of_the_same_names_catch_nothing(trail: Trail) -> None:
    before = trail.rows("SELECT count(*) FROM audit_links")[0][0]
    with trail.app.begin() as connection:
        for table in ("audit_links", "new_events"):
            connection.execute(text(f"CREATE TEMP TABLE {table} (LIKE public.audit_links) ON COMMIT DROP"))
        connection.execute(text("SET LOCAL search_path = pg_temp, public"))
        connection.execute(text(EVENT))
        assert connection.execute(text("SELECT count(*) FROM pg_temp.audit_links")).scalar_one() == 0
    assert trail.rows("SELECT count(*) FROM audit_links")[0][0] == before + 1


@pytest.mark.parametrize("setting", ["TimeZone = 'Asia/Kathmandu'", "DateStyle = 'German'", "bytea_output = 'escape'"])
def test_what_a_session_sets_does_not_change_what_is_hashed(trail: Trail, setting: str) -> None:
    with trail.app.begin() as connection:
        connection.execute(text(f"SET LOCAL {setting}"))
        connection.execute(text(EVENT))
    assert trail.check().broken is None


def test_another_isolation_level_is_refused_before_it_breaks_the_chain(trail: Trail) -> None:
    assert "READ COMMITTED" in refused(trail.app, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", EVENT)


def test_a_transaction_gets_one_link_and_a_statement_without_events_none(trail: Trail) -> None:
    before = trail.rows("SELECT max(link), max(last_event) FROM audit_links")[0]
    trail.rows("INSERT INTO audit_events (actor, action) SELECT 'a', 'b' WHERE false")
    with transaction(trail.app) as session:
        audit.record(session, actor="a", action="first", detail={"n": 1})
        audit.record(session, actor="a", action="second")
    links = trail.rows(f"SELECT link, events FROM audit_links WHERE link > {before[0]}")  # noqa: S608
    assert links == [(before[0] + 1, 2)]
    written = trail.rows(f"SELECT action, detail FROM audit_events WHERE id > {before[1]} ORDER BY id")  # noqa: S608
    assert written == [("first", {"n": 1}), ("second", None)]


def test_events_are_recorded_where_they_will_be_written_or_not_at_all(trail: Trail) -> None:
    with transaction(trail.app) as session:
        del session.info[audit.PENDING]
        with pytest.raises(RuntimeError):
            audit.record(session, actor="a", action="lost")
        audit.open_trail(session)
    with contextlib.suppress(ZeroDivisionError), transaction(trail.app) as session:
        audit.record(session, actor="a", action="rolled.back")
        raise ZeroDivisionError
    assert trail.rows("SELECT count(*) FROM audit_events WHERE action IN ('lost', 'rolled.back')")[0][0] == 0


def commit_some(trail: Trail, seed: int) -> int:
    """COMMITS transactions of every kind, some rolled back: how many events were committed."""
    chance = random.Random(seed)  # noqa: S311  a test's dice
    three = "SELECT n FROM generate_series(1, 3) AS n"
    noted = "INSERT INTO audit_events (actor, action, ordinal) SELECT 'cte', 'b', n FROM numbers"
    statements = {
        EVENT: 1,
        "INSERT INTO audit_events (actor, action, ordinal) SELECT 'many', 'b', n FROM generate_series(1, 20) AS n": 20,
        f"WITH numbers AS ({three}), noted AS ({noted}) SELECT count(*) FROM numbers": 3,  # noqa: S608
    }
    committed = 0
    for _ in range(COMMITS):
        with trail.app.connect() as connection:
            written = 0
            for statement in chance.choices(list(statements), k=chance.randint(1, 3)):
                connection.execute(text(statement))
                written += statements[statement]
                time.sleep(chance.random() / 1000)
            if chance.random() < 0.2:
                connection.rollback()
            else:
                connection.commit()
                committed += written
    return committed


def test_whoever_reads_on_from_the_last_id_misses_no_late_commit(services: Services) -> None:
    with a_trail(services) as trail:
        seen: list[int] = []
        written = threading.Event()

        def read_on() -> None:
            while True:
                ended = written.is_set()
                page = trail.rows(f"SELECT id FROM audit_events WHERE id > {seen[-1] if seen else 0} ORDER BY id")  # noqa: S608
                seen.extend(row.id for row in page)
                if ended and not page:
                    return

        with ThreadPoolExecutor(THREADS + 1) as pool:
            reader = pool.submit(read_on)
            try:
                committed = sum(pool.map(lambda seed: commit_some(trail, seed), range(THREADS)))
            finally:
                written.set()
            reader.result()
        verified = trail.check()
        assert verified.broken is None
        assert verified.events == committed == len(seen)
        times = trail.rows(
            "SELECT bool_and(later) FROM (SELECT occurred_at >= lag(occurred_at) OVER (ORDER BY id) AS later FROM audit_events) AS t"
        )
        assert times == [(True,)]


def test_an_event_names_the_tenant_it_is_given_else_the_batchs_else_none(trail: Trail) -> None:
    batch_id = World(trail.app).batch(1, tenant="of-the-batch")
    with transaction(trail.app) as session:
        audit.record(session, actor="tenants", action="a", tenant_id="given")
        audit.record(session, actor="tenants", action="b", batch_id=batch_id)
        audit.record(session, actor="tenants", action="c")
    found = trail.rows("SELECT tenant_id FROM audit_events WHERE actor = 'tenants' ORDER BY id")
    assert [row.tenant_id for row in found] == ["given", "of-the-batch", None]
