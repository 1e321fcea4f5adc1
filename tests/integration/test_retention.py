"""What is past its term goes, on real Postgres and S3: by class, never under a hold, never from under somebody who keeps it just then."""

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError

from tests.integration.retention_world import FLAGGED, PASSED, RetentionWorld, pixels
from worker.intake.storage import Storage
from worker.moderation.errors import OutageError, RejectedError
from worker.moderation.retention import TERMS
from worker.moderation.settings import Settings
from worker.retention import removal, run
from worker.retention.run import rehearse_retention, remove_let_go
from worker.store.chunks import release
from worker.store.evidence_removal import mark_due
from worker.store.legal_holds import list_holds, place_hold, release_hold
from worker.store.retention import PRUNE_STEPS, read_terms
from worker.store.session import transaction


@pytest.fixture
def world(engine: Engine, storage: Storage, settings: Settings) -> Iterator[RetentionWorld]:
    world = RetentionWorld.apart(engine, storage, settings)
    world.world.retire()
    yield world
    world.world.retire()
    world.as_owner("UPDATE evidence SET due_at = 'infinity', removed_at = NULL, gone_at = NULL")


def hold(world: RetentionWorld, batch_id: UUID, ordinal: int | None) -> UUID:
    with transaction(world.engine) as session:
        return place_hold(session, world.tenant, batch_id, ordinal, reason="a court asked", actor="test").id


def let_go_of(world: RetentionWorld, hold_id: UUID) -> None:
    with transaction(world.engine) as session:
        release_hold(session, world.tenant, hold_id, actor="test")


JOB = "(id, tenant_id, kind, batch_id, ordinal, revision, key, detail, asked_by, state, finished_at) VALUES"

SESSION = "(id, person_id, token_sha256, sign_in_sha256, expires_at, idle_expires_at, ended_at) VALUES"

CALL = "(tenant_id, job_id, language, model, prompt_tokens, completion_tokens, created_at) VALUES"


def traces(world: RetentionWorld, batch_id: UUID) -> int:
    return int(world.world.value("SELECT count(*) FROM traces WHERE batch_id = :id", id=batch_id))


def s3_client(settings: Settings) -> Any:
    """For what no command of ours does: to switch versioning and locks on."""
    assert settings.s3_access_key is not None
    assert settings.s3_secret_key is not None
    return boto3.client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=settings.s3_access_key.get_secret_value(),
        aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
    )


def test_the_database_was_given_the_terms_that_the_code_documents(engine: Engine) -> None:
    with transaction(engine) as session:
        assert read_terms(session) == {term.kind: term.days for term in TERMS}


def test_a_passed_images_pixels_and_traces_go_a_month_later_and_a_cases_stay(world: RetentionWorld) -> None:
    passed, flagged = pixels(), pixels()
    routine, case = world.judged({0: passed}, PASSED), world.judged({0: flagged}, FLAGGED)
    for batch_id in (routine, case):
        world.age(batch_id, 29)
    world.run()
    assert (world.there(world.facts(passed)), traces(world, routine)) == (True, 2)
    for batch_id in (routine, case):
        world.age(batch_id, 2)
    report = world.run()
    assert (report.ended["removed"], report.ended["details"], report.ended["traces"]) == (1, 1, 2)
    assert (world.there(world.facts(passed)), traces(world, routine)) == (False, 0)
    assert (world.there(world.facts(flagged)), traces(world, case)) == (True, 2)
    assert world.world.value("SELECT explanation FROM outcomes WHERE batch_id = :id", id=routine) is not None
    told = world.world.rows("SELECT detail FROM audit_events WHERE action = 'retention.purged' ORDER BY id")
    assert {"marked": 1} in [row.detail for row in told]
    assert {"details": 1, "traces": 2} in [row.detail for row in told]
    assert not any(world.run().ended.values())


def test_a_case_ends_after_its_own_term_once_nobody_is_asked_any_more(world: RetentionWorld) -> None:
    body = pixels()
    batch_id = world.judged({0: body}, FLAGGED)
    world.age(batch_id, 401)
    world.run()
    assert world.there(world.facts(body)), "its review task is open"
    world.as_owner("UPDATE review_tasks SET state = 'done', closed_at = now() WHERE batch_id = :id", id=batch_id)
    world.age(batch_id, 31)  # retention looks again after thirty days at the latest
    world.run()
    assert (world.there(world.facts(body)), traces(world, batch_id)) == (False, 0)


def test_a_dry_run_tells_what_would_end_and_ends_nothing(world: RetentionWorld) -> None:
    body = pixels()
    batch_id = world.judged({0: body}, PASSED)
    world.age(batch_id, 31)
    before = world.world.value("SELECT count(*) FROM audit_events")
    report = rehearse_retention(world.engine, world.storage, world.bucket)
    assert (report.ended["objects"], report.ended["details"]) == (1, 1)
    assert (world.there(world.facts(body)), traces(world, batch_id)) == (True, 2)
    assert world.world.value("SELECT count(*) FROM audit_events") == before
    assert world.run().ended["removed"] == 1


@pytest.mark.parametrize("whole", [False, True])
def test_nothing_of_what_is_held_goes_before_the_hold_is_released(world: RetentionWorld, *, whole: bool) -> None:
    body = pixels()
    batch_id = world.judged({0: body}, PASSED)
    held = hold(world, batch_id, None if whole else 0)
    world.age(batch_id, 400)
    world.run()
    with pytest.RaisesExc(RejectedError, check=lambda error: error.code == "item_held"):
        world.erase(batch_id, 0)
    assert (world.there(world.facts(body)), traces(world, batch_id)) == (True, 2)
    let_go_of(world, held)
    let_go_of(world, held)  # again is fine
    world.age(batch_id, 2)
    world.run()
    assert (world.there(world.facts(body)), traces(world, batch_id)) == (False, 0)
    actions = world.world.rows("SELECT action FROM audit_events WHERE batch_id = :id AND action LIKE 'hold.%' ORDER BY id", id=batch_id)
    assert [row.action for row in actions] == ["hold.placed", "hold.released"]
    with transaction(world.engine) as session:
        assert list_holds(session, world.tenant, standing=True, limit=10) == []
        assert [row.reason for row in list_holds(session, world.tenant, limit=10)] == ["a court asked"]


def test_a_hold_that_comes_between_mark_and_removal_keeps_the_object(world: RetentionWorld) -> None:
    body = pixels()
    batch_id = world.judged({0: body}, PASSED)
    world.age(batch_id, 31)
    with transaction(world.engine) as session:
        assert mark_due(session, page=10).marked == 1
    hold(world, batch_id, 0)
    assert remove_let_go(world.engine, world.storage, actor="test").objects == 0
    assert world.there(world.facts(body))
    assert world.world.value("SELECT removed_at FROM evidence WHERE sha256 = :sha", sha=world.facts(body).sha256) is None


def test_pixels_that_two_images_share_go_with_the_last_of_them(world: RetentionWorld) -> None:
    body = pixels()
    batch_id, other = world.judged({0: body, 1: body}), world.judged({0: body})
    for place, left in (((batch_id, 0), True), ((other, 0), True), ((batch_id, 1), False)):
        world.erase(*place)
        remove_let_go(world.engine, world.storage, actor="test")
        assert world.there(world.facts(body)) is left


def test_pixels_that_thousands_of_images_share_do_not_hold_retention_up(world: RetentionWorld) -> None:
    body, other = pixels(), pixels()
    batch_id = world.judged({0: body, 1: other})
    world.as_owner(
        "INSERT INTO regions (batch_id, ordinal, revision, position, x0, y0, x1, y1, reason, crop_sha256)"
        " SELECT :id, 0, 1, n, 0, 0, 1, 1, '', :sha FROM generate_series(2, 2001) AS n",
        id=batch_id,
        sha=world.facts(body).sha256,
    )
    world.age(batch_id, 31)
    assert world.run().ended["removed"] == 1
    assert (world.there(world.facts(body)), world.there(world.facts(other))) == (True, False)


def test_pixels_that_a_held_image_shares_stay(world: RetentionWorld) -> None:
    body = pixels()
    batch_id = world.judged({0: body, 1: body})
    hold(world, batch_id, 1)
    world.erase(batch_id, 0)
    world.age(batch_id, 400)
    world.run()
    assert world.there(world.facts(body))


def test_a_run_that_died_between_mark_and_removal_is_finished_by_the_next(world: RetentionWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    body = pixels()
    batch_id = world.judged({0: body})
    world.erase(batch_id, 0)

    def away(*_: object) -> frozenset[str]:
        raise OutageError("object_store_unavailable", "gone")

    with monkeypatch.context() as broken:
        broken.setattr(Storage, "remove", away)
        with pytest.raises(OutageError):
            remove_let_go(world.engine, world.storage, actor="test")
    assert world.there(world.facts(body))
    assert remove_let_go(world.engine, world.storage, actor="test").objects == 1
    assert not world.there(world.facts(body))


def test_a_run_that_died_after_removal_is_finished_by_the_next(world: RetentionWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    body = pixels()
    batch_id = world.judged({0: body})
    world.erase(batch_id, 0)

    def died(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(removal, "note_gone", died)
        with pytest.raises(ZeroDivisionError):
            remove_let_go(world.engine, world.storage, actor="test")
    assert not world.there(world.facts(body))
    assert remove_let_go(world.engine, world.storage, actor="test").objects == 1
    assert not world.world.rows("SELECT FROM evidence WHERE removed_at IS NOT NULL AND gone_at IS NULL")


def test_who_stored_the_same_pixels_before_they_were_removed_stores_them_again(world: RetentionWorld) -> None:
    body = pixels()
    old = world.judged({0: body})
    batch_id = world.world.batch(2, tenant=world.tenant)
    lease = world.lease(batch_id)
    shared, own = world.stored(body), world.stored(pixels())  # a worker puts its crops …
    world.erase(old, 0)
    remove_let_go(world.engine, world.storage, actor="test")  # … and the last that kept the same ones lets go
    outcomes = [world.outcome(batch_id, 0, shared), world.outcome(batch_id, 1, own)]
    recorded = world.record(lease, outcomes)
    assert (recorded.tally.verdicts, recorded.unkept, recorded.duplicates) == (1, 1, 0)
    assert [row.ordinal for row in world.world.rows("SELECT ordinal FROM outcomes WHERE batch_id = :id", id=batch_id)] == [1]
    assert world.run().ended["evidence"] == 0, "while such a worker may live, the row warns it"

    with transaction(world.engine) as session:
        release(session, lease, charge=False, delay_seconds=0, reason=None)
    again = world.lease(batch_id)
    world.stored(body)
    recorded = world.record(again, outcomes[:1])
    assert (recorded.tally.verdicts, recorded.unkept) == (1, 0)
    world.finish(again)
    assert world.there(shared)
    assert tuple(world.world.rows("SELECT removed_at, gone_at FROM evidence WHERE sha256 = :sha", sha=shared.sha256)[0]) == (None, None)
    remove_let_go(world.engine, world.storage, actor="test")
    assert world.there(shared)


def test_who_records_while_a_removal_is_under_way_waits_for_its_end(world: RetentionWorld) -> None:
    body = pixels()
    old = world.judged({0: body})
    world.erase(old, 0)
    with transaction(world.engine) as session:
        mark_due(session, page=10)
    batch_id = world.world.batch(1, tenant=world.tenant)
    lease = world.lease(batch_id)
    outcome = world.outcome(batch_id, 0, world.stored(body))
    assert world.record(lease, [outcome]).unkept == 1
    with transaction(world.engine) as session:
        release(session, lease, charge=False, delay_seconds=0, reason=None)
    remove_let_go(world.engine, world.storage, actor="test")
    assert world.run().ended["evidence"] >= 1, "nobody can have stored them before any more"
    again = world.lease(batch_id)
    world.stored(body)
    assert world.record(again, [outcome]).tally.verdicts == 1


def test_objects_that_were_stored_and_never_recorded_go_and_seals_do_not(world: RetentionWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    stray, known = world.stored(pixels()), pixels()
    world.judged({0: known})
    world.storage.put(world.bucket, "audit-seals/1.json", b"{}", "application/json")
    assert world.run().ended["strays"] == 0, "it is a minute old: somebody may be judging it"
    monkeypatch.setattr(run, "STRAY_AFTER", timedelta(minutes=-1))  # as if a day had passed
    assert world.run().ended["strays"] == 1
    assert (world.there(stray), world.storage.exists(world.bucket, "audit-seals/1.json")) == (False, True)
    assert world.there(world.facts(known))


def test_all_versions_of_an_object_go(world: RetentionWorld) -> None:
    client = s3_client(world.settings)
    world = replace(world, settings=world.settings.model_copy(update={"evidence_bucket": f"versioned-{uuid4().hex[:8]}"}))
    client.create_bucket(Bucket=world.bucket)
    client.put_bucket_versioning(Bucket=world.bucket, VersioningConfiguration={"Status": "Enabled"})
    body = pixels()
    batch_id, kept = world.judged({0: body}), world.stored(pixels())
    world.stored(body)
    assert len(client.list_object_versions(Bucket=world.bucket, Prefix=world.facts(body).key)["Versions"]) == 2
    world.erase(batch_id, 0)
    remove_let_go(world.engine, world.storage, actor="test")
    listed = client.list_object_versions(Bucket=world.bucket)
    assert [version["Key"] for version in listed["Versions"]] == [kept.key]
    assert "DeleteMarkers" not in listed


def test_what_object_lock_holds_waits_and_goes_when_the_lock_has_ended(world: RetentionWorld) -> None:
    client = s3_client(world.settings)
    bucket = f"locked-{uuid4().hex[:8]}"
    client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=True)
    world = replace(world, settings=world.settings.model_copy(update={"evidence_bucket": bucket}))
    locked, free = pixels(), pixels()
    batch_id = world.judged({0: locked, 1: free})
    until = datetime.now(UTC) + timedelta(seconds=4)
    client.put_object_retention(Bucket=bucket, Key=world.facts(locked).key, Retention={"Mode": "COMPLIANCE", "RetainUntilDate": until})
    world.erase(batch_id, 0)
    world.erase(batch_id, 1)
    removed = remove_let_go(world.engine, world.storage, actor="test")
    assert (removed.objects, removed.refused) == (1, 1)
    assert (world.there(world.facts(locked)), world.there(world.facts(free))) == (True, False)
    time.sleep(5)
    assert remove_let_go(world.engine, world.storage, actor="test").objects == 1
    assert not world.there(world.facts(locked))


def test_two_runs_at_once_share_the_work_and_do_none_of_it_twice(world: RetentionWorld) -> None:
    bodies = {ordinal: pixels() for ordinal in range(60)}
    batch_id = world.judged(bodies)
    world.age(batch_id, 31)
    with ThreadPoolExecutor(2) as pool:
        reports = list(pool.map(lambda _: world.run().ended, range(2)))
    world.run()  # each passed over what the other had locked just then
    totals = world.world.rows(
        "SELECT sum((detail ->> 'marked')::int), sum((detail ->> 'traces')::int) FROM audit_events"
        " WHERE action = 'retention.purged' AND occurred_at > (SELECT max(occurred_at) FROM audit_events WHERE batch_id = :id)",
        id=batch_id,
    )
    assert tuple(totals[0]) == (60, 120), reports
    assert not any(world.there(world.facts(body)) for body in bodies.values())


def test_metadata_ends_with_the_traces_and_a_rescan_is_looked_at_again(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels(), 1: pixels()})
    world.as_owner("UPDATE items SET metadata = '{}' WHERE batch_id = :id", id=batch_id)
    world.as_owner("DELETE FROM traces WHERE batch_id = :id AND ordinal = 1", id=batch_id)
    world.age(batch_id, 31)
    assert world.run().ended["details"] == 2
    assert world.world.value("SELECT count(metadata) FROM items WHERE batch_id = :id", id=batch_id) == 0
    world.as_owner(
        "INSERT INTO traces (batch_id, ordinal, revision, stage, attempt, request, reply, finish_reason, prompt_tokens, completion_tokens,"
        " seconds) VALUES (:id, 0, 2, 'scan', 1, '{}', '', 'stop', 1, 1, 1)",
        id=batch_id,
    )
    assert world.run().ended["details"] == 0, "the batch was swept"
    world.as_owner("UPDATE batches SET finished_at = finished_at + interval '1 minute' WHERE id = :id", id=batch_id)
    world.as_owner("UPDATE details_sweeps SET looked_at = looked_at - interval '31 days' WHERE batch_id = :id", id=batch_id)
    world.as_owner("UPDATE batches SET finished_at = now() - interval '30 days 1 hour' WHERE id = :id", id=batch_id)
    assert world.run().ended["details"] == 1


def test_rows_that_only_grow_end_by_their_terms_and_younger_ones_stay(world: RetentionWorld) -> None:
    tenant, batch_id = world.tenant, world.judged({0: pixels()})
    kept = world.judged({0: pixels()}, FLAGGED)
    endpoint, event, young = uuid4(), uuid4(), uuid4()
    names = {"t": tenant, "b": batch_id, "k": kept, "e": endpoint, "o": event, "y": young, "old": datetime.now(UTC) - timedelta(days=500)}
    for statement in (
        "webhook_endpoints (id, tenant_id, url, types) VALUES (:e, :t, 'https://x', '{batch.completed}')",
        "outbox (event_id, tenant_id, type, payload, delivered_at) VALUES (:o, :t, 'x', '{}', :old), (:y, :t, 'x', '{}', now())",
        "webhook_deliveries (endpoint_id, event_id, state, created_at, next_attempt_at) VALUES (:e, :o, 'delivered', :old, :old)",
        "webhook_deliveries (endpoint_id, event_id, state) VALUES (:e, :y, 'delivered')",
        "webhook_attempts (endpoint_id, event_id, attempt, seconds, ended_at) VALUES (:e, :o, 1, 1, :old)",
        "webhook_attempts (endpoint_id, event_id, attempt, seconds) VALUES (:e, :y, 1, 1)",
        "webhook_secrets (endpoint_id, sealed, expires_at) VALUES (:e, 's', :old), (:e, 's', NULL)",
        "api_keys (id, tenant_id, name, prefix, secret_sha256, scopes, revoked_at) VALUES (:o, :t, 'k', :t, 's', '{read}', :old)",
        "people (id, tenant_id, email, name, role, invited_by) VALUES (:e, :t, 'kim@example.com', 'Kim', 'reviewer', 'ann')",
        f"people_sessions {SESSION} (:o, :e, md5(:t), md5(:t), :old, :old, NULL)",
        f"people_sessions {SESSION} (:y, :e, :t, :t, now() + interval '1 hour', now() + interval '1 hour', NULL)",
        "intakes (batch_id, source, identity, ended_at) VALUES (:b, 's', '', :old)",
        "row_errors (batch_id, line, code, message) VALUES (:b, 1, 'c', 'm')",
        f"explanation_jobs {JOB} (:o, :t, 'attention', :b, 0, 7, 'ended', '{{}}', '', 'done', :old)",
        f"explanation_jobs {JOB} (:e, :t, 'attention', :k, 0, 1, 'its traces are kept', '{{}}', '', 'done', :old)",
        f"explanation_jobs {JOB} (:y, :t, 'attention', :b, 0, 7, 'young', '{{}}', '', 'done', now())",
        f"translation_calls {CALL} (:t, :e, 'de', 'm', 1, 1, :old), (:t, :y, 'de', 'm', 1, 1, now())",
    ):
        world.as_owner(f"INSERT INTO {statement}", **{name: value for name, value in names.items() if f":{name}" in statement})
    world.age(batch_id, 91)
    before = rehearse_retention(world.engine, world.storage, world.bucket).ended
    ended = world.run().ended
    expected = dict.fromkeys(PRUNE_STEPS, 1) | {"claims": 0, "events": 1, "evidence": ended["evidence"]}
    assert {step: ended[step] for step in PRUNE_STEPS} == expected
    assert before["events"] == 0, "its delivery goes first"
    assert world.world.value("SELECT count(*) FROM outbox WHERE tenant_id = :t AND event_id = :y", t=tenant, y=young) == 1
    assert world.world.value("SELECT count(*) FROM webhook_secrets WHERE endpoint_id = :e", e=endpoint) == 1
    assert world.world.value("SELECT array_agg(id) FROM people_sessions WHERE person_id = :e", e=endpoint) == [young]
    left = world.world.rows("SELECT key FROM explanation_jobs WHERE tenant_id = :t ORDER BY key", t=tenant)
    assert [row.key for row in left] == ["its traces are kept", "young"]


@pytest.mark.parametrize("whole", [False, True])
def test_notes_and_claims_of_what_is_held_stay_until_the_hold_is_released(world: RetentionWorld, *, whole: bool) -> None:
    batch_id = world.judged({0: pixels(), 1: pixels()}, FLAGGED)
    old = {"b": batch_id, "old": datetime.now(UTC) - timedelta(days=500)}
    world.as_owner("INSERT INTO intakes (batch_id, source, identity, ended_at) VALUES (:b, 's', '', :old)", **old)
    world.as_owner("UPDATE review_tasks SET state = 'done', closed_at = :old WHERE batch_id = :b", **old)
    world.as_owner("INSERT INTO review_claims (task_id, slot, reviewer, state, expires_at, ended_at)"
                   " SELECT id, 1, 'ann', 'released', :old, :old FROM review_tasks WHERE batch_id = :b", **old)  # fmt: skip
    held = hold(world, batch_id, None if whole else 0)
    ended = world.run().ended
    assert (ended["claims"], ended["intakes"]) == (0 if whole else 1, 0)
    let_go_of(world, held)
    ended = world.run().ended
    assert (ended["claims"], ended["intakes"]) == (2 if whole else 1, 1)


def test_the_application_deletes_nothing_and_writes_no_tombstone_by_itself(world: RetentionWorld) -> None:
    tables = world.world.rows("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
    for (table,) in tables:
        for right in ("DELETE", "TRUNCATE"):
            assert not world.world.value(f"SELECT has_table_privilege('{table}', '{right}')"), table
    for statement in (
        "INSERT INTO erasures (batch_id, ordinal, reason, erased_by) VALUES (gen_random_uuid(), 0, 'r', 'x')",
        "UPDATE erasures SET erased_by = 'x'",
        "UPDATE retention_terms SET days = 1",
        "UPDATE legal_holds SET reason = 'x'",
        "UPDATE items SET metadata = NULL",
        "UPDATE outcomes SET explanation = NULL",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"):
            world.world.rows(statement)


def test_the_application_cannot_purge_before_the_term(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()})
    assert tuple(world.world.rows("SELECT items, traces FROM purge_details(:id, 0, 10)", id=batch_id)[0]) == (0, 0)
    assert traces(world, batch_id) == 2


def test_an_analyst_and_the_public_may_not_call_what_deletes(world: RetentionWorld) -> None:
    sql = (
        "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef AND prorettype <> 'trigger'::regtype"
        " AND has_function_privilege('zoomin_analyst', oid, 'EXECUTE')"
    )
    assert world.world.rows(sql) == []


def test_a_hold_of_another_tenant_is_a_missing_one(world: RetentionWorld) -> None:
    held = hold(world, world.judged({0: pixels()}), 0)
    with pytest.RaisesExc(RejectedError, check=lambda error: error.code == "hold_missing"), transaction(world.engine) as session:
        release_hold(session, "elsewhere", held, actor="test")


def test_a_run_takes_every_step_that_the_database_can_prune(world: RetentionWorld) -> None:
    body = world.world.value("SELECT pg_get_functiondef('prune_rows(text, integer)'::regprocedure)")
    assert sorted(re.findall(r"WHEN '(\w+)' THEN", body)) == sorted(PRUNE_STEPS)


def test_an_unknown_step_is_refused_by_the_database(world: RetentionWorld) -> None:
    with pytest.raises(Exception, match="case not found"), world.engine.begin() as connection:
        connection.execute(text("SELECT prune_rows('audit_events', 10)"))
