"""Whoever owns the database can change anything; verification finds it, and where."""

import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from tests.integration.audit_world import Trail, a_trail
from tests.integration.broken_store import BrokenStore, answer
from tests.integration.queue_world import World
from tests.unit.cli.invoke import Ended, zoomin
from worker.audit.seals import PREFIX, export_seal, seal_key
from worker.local import postgres
from worker.local.services import Services
from worker.moderation.audit_chain import Start
from worker.moderation.errors import OutageError, RejectedError
from worker.queue.sealing import Sealer
from worker.store import migrate
from worker.store.audit_trail import read_events, stream_events, verify_chain
from worker.store.session import transaction

FORGE_LINKS = """
DO $$ DECLARE n int; BEGIN  -- the whole chain anew, as the migration would
    DELETE FROM audit_links;
    FOR n IN SELECT id FROM audit_events ORDER BY id LOOP
        PERFORM append_audit_link(n, n, 1, (SELECT audit_leaf(id, occurred_at, actor, action, tenant_id, batch_id, ordinal,
                                                              revision, payload_digest, detail) FROM audit_events WHERE id = n));
    END LOOP;
END $$
"""


@pytest.fixture
def trail(services: Services) -> Iterator[Trail]:
    """Events 1 to 10 in links of 3, 1, 4, 2; the second one sealed."""
    with a_trail(services) as trail:
        trail.record(3, 1)
        assert export_seal(trail.app, trail.storage, trail.settings.evidence_bucket)
        trail.record(4, 2)
        yield trail


def sealed(trail: Trail) -> None:
    export_seal(trail.app, trail.storage, trail.settings.evidence_bucket)


def command(trail: Trail, home: Path, *arguments: str, **settings: str) -> Ended:
    named = {
        "ZOOMIN_DATABASE_URL": trail.settings.database_url,
        "ZOOMIN_BROKER_URL": trail.settings.broker_url,
        "ZOOMIN_S3_ENDPOINT": trail.settings.s3_endpoint,
        "ZOOMIN_S3_ACCESS_KEY": trail.settings.s3_access_key,
        "ZOOMIN_S3_SECRET_KEY": trail.settings.s3_secret_key,
        "ZOOMIN_EVIDENCE_BUCKET": trail.settings.evidence_bucket,
    }
    plain = {name: value if isinstance(value, str) else value.get_secret_value() for name, value in named.items() if value}
    return zoomin(*arguments, home=home, settings={**plain, **settings})


def test_an_untouched_trail_verifies_whole_and_from_its_newest_seal(trail: Trail) -> None:
    told: list[int] = []
    found = trail.check(watch=told.append)
    assert (found.events, found.links, found.seals, found.broken) == (10, 4, 1, None)
    assert told == [3, 4, 8, 10]
    found = trail.check(from_seals=True)
    assert (found.events, found.links, found.seals, found.broken) == (6, 2, 1, None)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE audit_events SET detail = '{\"count\": 9}' WHERE id = 6", ("event_changed", 3, None)),
        ("UPDATE audit_events SET occurred_at = occurred_at - interval '1 microsecond' WHERE id = 4", ("event_changed", 2, 4)),
        ("UPDATE audit_events SET occurred_at = 'infinity' WHERE id = 6", ("event_changed", 3, None)),
        ("UPDATE audit_events SET detail = NULL WHERE id = 6", ("event_changed", 3, None)),
        ("DELETE FROM audit_events WHERE id = 6", ("event_missing", 3, None)),
        ("DELETE FROM audit_events WHERE id = 10", ("event_missing", 4, None)),
        ("UPDATE audit_events SET id = 11 - id + 100 WHERE id IN (5, 6)", ("event_missing", 3, None)),
        ("UPDATE audit_events SET id = CASE id WHEN 5 THEN -6 WHEN 6 THEN -5 END WHERE id IN (5, 6)", ("event_uncovered", None, -6)),
        ("INSERT INTO audit_events (actor, action) VALUES ('a', 'b')", ("event_uncovered", None, 11)),
        ("DELETE FROM audit_links WHERE link = 3", ("link_missing", 3, None)),
        ("UPDATE audit_links SET created_at = created_at - interval '1 day' WHERE link = 3", ("link_changed", 3, None)),
        ("UPDATE audit_links SET created_at = 'infinity' WHERE link = 3", ("link_changed", 3, None)),
        ("UPDATE audit_seals SET head = repeat('0', 64)", ("seal_contradicts", 2, None)),
        ("UPDATE audit_seals SET key = 'audit-seals/elsewhere.json'", ("seal_missing", 2, None)),
        ("TRUNCATE audit_events, audit_links, audit_seals", ("tail_missing", 1, None)),
    ],
)
def test_tampering_is_found_with_its_place(trail: Trail, statement: str, found: tuple[object, ...]) -> None:
    trail.tamper(statement)
    assert trail.broken() == found


def test_events_that_changed_places_are_found(trail: Trail) -> None:
    trail.tamper("UPDATE audit_events SET id = -id WHERE id IN (5, 6)", "UPDATE audit_events SET id = 11 + id WHERE id IN (-5, -6)")
    assert trail.broken() == ("event_changed", 3, None)


def test_an_end_cut_off_with_its_links_and_seals_is_found_by_the_bucket(trail: Trail) -> None:
    cut = (
        "DELETE FROM audit_events WHERE id > 4",
        "DELETE FROM audit_links WHERE link > 2",
        "DELETE FROM audit_seals WHERE link > 2",
    )
    trail.tamper(*cut)
    assert trail.check().broken is None  # nothing had sealed it: so it is with every record
    trail.rows("INSERT INTO audit_events (actor, action) VALUES ('a', 'b')")
    trail.record(2)
    sealed(trail)
    trail.tamper(*cut)
    assert trail.broken() == ("tail_missing", 3, None)
    found = trail.check(from_seals=True).broken
    assert found is not None
    assert (found.code, found.link) == ("tail_missing", 4)


def test_a_chain_forged_from_its_beginning_is_found_by_the_bucket(trail: Trail) -> None:
    trail.tamper("UPDATE audit_events SET actor = 'nobody' WHERE id = 1", FORGE_LINKS, "DELETE FROM audit_seals")
    assert trail.broken() == ("seal_contradicts", 2, None)
    trail.tamper("DELETE FROM audit_links WHERE link > 2", "DELETE FROM audit_events WHERE id > 2")
    with pytest.raises(RejectedError, match="zoomin audit verify"):
        sealed(trail)


def test_an_object_that_is_no_seal_or_gone_is_told(trail: Trail) -> None:
    bucket = trail.settings.evidence_bucket
    trail.storage.put(bucket, PREFIX + "x.json", b"{}", "application/json")
    assert trail.broken() == ("seal_unreadable", None, None)


def test_sealing_is_repeatable_and_replaces_nothing(trail: Trail) -> None:
    bucket = trail.settings.evidence_bucket
    head = export_seal(trail.app, trail.storage, bucket)
    assert head is not None
    assert (head.link, head.events, head.last_event) == (4, 10, 10)
    assert export_seal(trail.app, trail.storage, bucket) is None
    before = trail.storage.get(bucket, seal_key(4), max_bytes=1_000, timeout_seconds=5)
    assert json.loads(before.body)["head"] == head.head
    trail.tamper("DELETE FROM audit_seals WHERE link = 4")  # as if the process had died between object and row
    assert export_seal(trail.app, trail.storage, bucket) == head
    assert trail.rows("SELECT link, head, events FROM audit_seals ORDER BY link")[-1] == (4, head.head, 10)
    assert trail.storage.get(bucket, seal_key(4), max_bytes=1_000, timeout_seconds=5) == before


def test_the_dispatchers_sealer_seals_what_is_old_enough_and_outlives_an_outage(trail: Trail) -> None:
    def sealer(**changed: object) -> Sealer:
        return Sealer(trail.settings.model_copy(update=changed), trail.app)

    assert not sealer(seal_seconds=3600).seal(trail.storage)
    with BrokenStore(answer("503 Service Unavailable")) as store:
        away = trail.settings.model_copy(update={"s3_endpoint": store.endpoint})
        broken = type(trail.storage)(away)
        with pytest.raises(OutageError):
            export_seal(trail.app, broken, away.evidence_bucket)
        assert not sealer(seal_seconds=0.001).seal(broken)
    assert [row.link for row in trail.rows("SELECT link FROM audit_seals")] == [2]
    running = sealer(seal_seconds=0.1)
    running.start()
    try:
        trail.record(1)
        deadline = time.monotonic() + 20
        while trail.rows("SELECT max(link) FROM audit_seals") != [(5,)] and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        running.close()
    assert trail.rows("SELECT max(link) FROM audit_seals") == [(5,)]
    assert not any(thread.name == "sealer" for thread in threading.enumerate())
    assert trail.check().broken is None


def test_the_command_verifies_seals_and_lists(trail: Trail, tmp_path: Path) -> None:
    ended = command(trail, tmp_path, "audit", "verify", "--json")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out) == {"events": 10, "links": 4, "seals": 1, "ok": True, "break": None}
    assert "up to link 4" in command(trail, tmp_path, "audit", "seal").out
    assert json.loads(command(trail, tmp_path, "audit", "seal", "--json").out) == {"sealed": None}
    assert "10 events in 4 links, 2 seals" in command(trail, tmp_path, "audit", "verify").out
    listed = [json.loads(line) for line in command(trail, tmp_path, "audit", "events", "--json", "--after", "8").out.splitlines()]
    assert [(event["id"], event["detail"]["said"]) for event in listed] == [(9, "ü"), (10, "ü")]
    table = command(trail, tmp_path, "audit", "events", "--limit", "2")
    assert "test.done" in table.out
    assert "--after 2" in table.err
    trail.tamper("UPDATE audit_events SET detail = '{}' WHERE id = 9")
    ended = command(trail, tmp_path, "audit", "verify", "--json", "--from-seals")
    assert json.loads(ended.out)["ok"] is True  # the newest seal covers it: a quick check trusts what was sealed
    ended = command(trail, tmp_path, "audit", "verify", "--json")
    assert ended.code == 5
    assert json.loads(ended.out)["ok"] is False
    assert json.loads(ended.out)["break"]["link"] == 4
    ended = command(trail, tmp_path, "audit", "verify")
    assert (ended.code, "does NOT verify" in ended.out, "event_changed" in ended.out) == (5, True, True)


def test_handing_out_results_and_images_leaves_events(trail: Trail, tmp_path: Path) -> None:
    batch_id = str(World(trail.app).batch(1))
    exported = command(trail, tmp_path, "results", batch_id, "--format", "jsonl", "--pictures", str(tmp_path / "pictures"))
    assert exported.code == 0, exported.err
    assert len(exported.out.splitlines()) == 1
    query = f"SELECT action, detail FROM audit_events WHERE batch_id = '{batch_id}' ORDER BY id"  # noqa: S608
    assert trail.rows(query) == [("results.exported", {"format": "jsonl", "items": 1}), ("images.read", {"by": "results --pictures"})]


def test_a_bucket_that_is_away_is_neither_ok_nor_tampered(trail: Trail, tmp_path: Path) -> None:
    with BrokenStore(answer("503 Service Unavailable")) as store:
        ended = command(trail, tmp_path, "audit", "verify", "--json", ZOOMIN_S3_ENDPOINT=store.endpoint)
    assert (ended.code, ended.out) == (4, "")


def test_a_batch_of_events_is_read_by_pages(trail: Trail) -> None:
    world = World(trail.app)
    batch_id, other = world.batch(3), world.batch(1)
    query = "INSERT INTO audit_events (actor, action, batch_id, ordinal) SELECT 'a', 'b', '{}', n FROM generate_series(1, {}) AS n"
    for id_, number in ((batch_id, 5), (other, 3), (batch_id, 2)):
        trail.rows(query.format(id_, number))
    with transaction(trail.app) as session:
        first = read_events(session, batch_id=batch_id, page=3)
        rest = read_events(session, batch_id=batch_id, after=first[-1].id, page=100)
    assert [event.ordinal for event in first + rest] == [1, 2, 3, 4, 5, 1, 2]
    assert sum(1 for _ in stream_events(trail.app)) == 20


def test_events_of_before_the_chain_are_covered_by_the_upgrade(services: Services) -> None:
    database = "audit_upgrade"
    postgres.copy_database(services.layout, "template1", database)
    owner = postgres.url(services.layout, postgres.OWNER, database)
    engine = create_engine(owner, poolclass=NullPool)
    try:
        migrate.upgrade(owner, "application_role")
        with engine.begin() as connection:
            some = "SELECT 'a', 'b', jsonb_build_object('n', n) FROM generate_series(1, 25000) AS n"
            connection.execute(text(f"INSERT INTO audit_events (actor, action, detail) {some}"))
            connection.execute(text("INSERT INTO tenants (id) VALUES ('t')"))
            batch = "(id, tenant_id, idempotency_key, request_digest, source, state) VALUES (:id, 't', 'k', '', 's', 'running')"
            for into in (f"batches {batch}", "audit_events (actor, action, batch_id) VALUES ('a', 'b', :id)"):
                connection.execute(text(f"INSERT INTO {into}"), {"id": UUID(int=7)})
        migrate.upgrade(owner)
        with engine.begin() as connection:
            tenants = "SELECT tenant_id, count(*) FROM audit_events GROUP BY 1 ORDER BY 2"
            assert connection.execute(text(tenants)).all() == [("t", 1), (None, 25_000)]
            assert connection.execute(text("SELECT has_table_privilege('zoomin_app', 'audit_events', 'UPDATE')")).scalar_one() is False
        migrate.downgrade(owner, "application_role")
        migrate.upgrade(owner)
        found = verify_chain(engine, [], start=Start(), watch=lambda _: None)
        assert (found.events, found.links, found.broken) == (25_001, 3, None)
    finally:
        engine.dispose()
        postgres.drop_database(services.layout, database)
