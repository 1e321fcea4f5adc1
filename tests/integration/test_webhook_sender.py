"""The webhook sender on a real Postgres, against real HTTP servers."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.integration.queue_world import World, judge, verdict
from tests.integration.webhook_world import AT_ONCE, TENANT, WebhookWorld, eventually, receiver
from worker.moderation.identifiers import event_id, item_id
from worker.moderation.outcomes import ItemReference, Outcome, OutcomeKind
from worker.moderation.settings import Settings
from worker.moderation.signatures import verify
from worker.store.chunks import claim, pending_items
from worker.store.outcomes import Judgement, record_outcomes
from worker.store.session import transaction
from worker.store.settlement import finish_batches
from worker.store.webhook_deliveries import list_attempts
from worker.store.webhook_endpoints import pause_endpoint, remove_endpoint, resume_endpoint, rotate_secret
from worker.webhooks.schedule import Schedule
from worker.webhooks.sender import PER_ENDPOINT

PATIENT = Schedule(backoff=(3600.0,) * 7, jitter=0.0, first_rest_seconds=0.0, longest_rest_seconds=0.0, poll_seconds=0.02)


@pytest.fixture
def world(engine: Engine) -> Iterator[WebhookWorld]:
    world = WebhookWorld(engine)
    world.clear()
    yield world
    world.clear()


def test_an_event_arrives_signed_and_thin(world: WebhookWorld) -> None:
    with receiver() as there, world.sending():
        made = world.endpoint(there.url)
        (event,) = world.publish()
        assert eventually(lambda: len(there.received) == 1)
        (got,) = there.received
        assert verify(made.secret, got.headers, got.body, now=time.time()) == event_id(event)
        assert got.path == "/hook"
        assert got.headers["content-type"] == "application/json"
        assert list(json.loads(got.body)) == ["type", "timestamp", "data"]
        assert eventually(world.quiet)
    delivery = world.delivery(made.endpoint.id, event)
    assert (delivery.state, delivery.attempts, delivery.last_status, delivery.last_error) == ("delivered", 1, 204, None)
    assert delivery.delivered_at is not None


def test_only_what_is_subscribed_to_and_only_of_the_own_tenant_arrives(world: WebhookWorld) -> None:
    with receiver() as mine, receiver() as theirs, world.sending():
        world.endpoint(mine.url, "batch.completed")
        world.endpoint(theirs.url, "decision.created", tenant="other")
        world.publish(2)
        world.publish(tenant="other")
        assert eventually(world.quiet)
    assert (len(mine.received), len(theirs.received)) == (2, 0)


def test_the_outbox_is_empty_at_rest_without_any_endpoint(world: WebhookWorld) -> None:
    world.publish(1200)
    with world.sending():
        assert eventually(world.quiet)
    assert world.value("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'") == 0


def test_failures_are_tried_again_under_the_same_id_with_the_same_body(world: WebhookWorld) -> None:
    with receiver(500, 302, 404, 204) as there, world.sending():
        there.headers["location"] = there.url
        made = world.endpoint(there.url)
        (event,) = world.publish()
        assert eventually(world.quiet)
    assert [got.id for got in there.received] == [event_id(event)] * 4
    assert len({got.body for got in there.received}) == 1
    with transaction(world.engine) as session:
        attempts = list_attempts(session, made.endpoint.id, event, tenant_id=TENANT)
    assert [(a.attempt, a.status, a.error_code) for a in attempts] == [
        (1, 500, "http_500"),
        (2, 302, "http_302"),
        (3, 404, "http_404"),
        (4, 204, None),
    ]


def test_the_pauses_between_attempts_follow_the_schedule_and_end(world: WebhookWorld) -> None:
    with receiver(500) as there:
        made = world.endpoint(there.url)
        (event,) = world.publish()
        for attempt, pause in enumerate(Schedule().backoff, 1):
            with world.sending(Schedule(jitter=0.0, first_rest_seconds=0.0, longest_rest_seconds=0.0, poll_seconds=0.02)):
                assert eventually(lambda n=attempt: len(there.received) == n)  # type: ignore[misc]
                assert eventually(lambda: world.delivery(made.endpoint.id, event).lease_token is None)
            left = "SELECT extract(epoch FROM next_attempt_at - now()) FROM webhook_deliveries WHERE event_id = :v"
            assert pause - 5 < world.value(left, v=event) <= pause
            world.change("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE event_id = :v", v=event)
        with world.sending():
            assert eventually(world.quiet)
    delivery = world.delivery(made.endpoint.id, event)
    assert (delivery.state, delivery.attempts) == ("failed", 8)
    assert len(there.received) == 8


def test_retry_after_is_honoured(world: WebhookWorld) -> None:
    with receiver(429, 204) as there, world.sending():
        there.headers["retry-after"] = "600"
        made = world.endpoint(there.url)
        (event,) = world.publish()
        assert eventually(lambda: world.delivery(made.endpoint.id, event).last_status == 429)
        world.publish()
        time.sleep(0.3)
    assert len(there.received) == 1, "an endpoint that asked for a pause is left alone, by other deliveries too"
    assert world.value("SELECT rests_until > now() + interval '9 minutes' FROM webhook_endpoints WHERE id = :e", e=made.endpoint.id)


def test_a_failing_endpoint_rests_longer_and_longer(world: WebhookWorld) -> None:
    with (
        receiver(500) as there,
        world.sending(Schedule(jitter=0.0, first_rest_seconds=600.0, longest_rest_seconds=600.0, poll_seconds=0.02)),
    ):
        made = world.endpoint(there.url)
        world.publish(50)
        assert eventually(lambda: bool(world.value("SELECT rests_until > now() FROM webhook_endpoints WHERE id = :e", e=made.endpoint.id)))
        time.sleep(0.3)
    assert len(there.received) <= PER_ENDPOINT + 1, "fifty deliveries wait, and a server that is down is not asked fifty times"


def test_while_a_secret_is_rotated_both_verify(world: WebhookWorld) -> None:
    from tests.integration.webhook_world import KEYS  # noqa: PLC0415

    with receiver() as there, world.sending():
        old = world.endpoint(there.url)
        with transaction(world.engine) as session:
            new = rotate_secret(session, old.endpoint.id, tenant_id=TENANT, sealer=KEYS, actor="test")
        world.publish()
        assert eventually(lambda: len(there.received) == 1)
        got = there.received[0]
        for secret in (old.secret, new.secret):
            verify(secret, got.headers, got.body, now=time.time())
        world.change("UPDATE webhook_secrets SET expires_at = now() WHERE endpoint_id = :e AND expires_at IS NOT NULL", e=old.endpoint.id)
        world.publish()
        assert eventually(lambda: len(there.received) == 2)
        assert there.received[1].headers["webhook-signature"].count("v1,") == 1
        verify(new.secret, there.received[1].headers, there.received[1].body, now=time.time())


def test_410_disables_the_endpoint_and_ends_what_waits_for_it(world: WebhookWorld) -> None:
    with receiver(410) as there, world.sending():
        made = world.endpoint(there.url)
        world.publish(700)
        assert eventually(lambda: world.value("SELECT state FROM webhook_endpoints WHERE id = :e", e=made.endpoint.id) == "disabled")
        assert eventually(lambda: world.value("SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'") == 0)
        world.publish()
        assert eventually(world.quiet)
    assert len(there.received) <= 2 * PER_ENDPOINT
    assert world.audited(made.endpoint.id) == ["webhook_endpoint.created", "webhook_endpoint.disabled"]


def test_an_endpoint_dead_for_days_is_paused_audited_and_goes_on_when_resumed(world: WebhookWorld) -> None:
    with receiver(500) as there:
        made = world.endpoint(there.url)
        world.publish(3)
        with world.sending(PATIENT):
            assert eventually(lambda: len(there.received) == 3)
        assert world.value("SELECT state FROM webhook_endpoints WHERE id = :e", e=made.endpoint.id) == "active"
        world.change(
            "UPDATE webhook_endpoints SET failing_since = now() - interval '73 hours', failures = 9 WHERE id = :e", e=made.endpoint.id
        )
        world.change("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending'")
        with world.sending(PATIENT):
            assert eventually(lambda: world.value("SELECT state FROM webhook_endpoints WHERE id = :e", e=made.endpoint.id) == "paused")
        assert "http_500" in world.value("SELECT state_reason FROM webhook_endpoints WHERE id = :e", e=made.endpoint.id)
        there.answers = [204]
        there.received.clear()
        world.change("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE state = 'pending'")
        with world.sending(PATIENT):
            world.publish()
            time.sleep(0.3)
            assert there.received == []
            with transaction(world.engine) as session:
                resume_endpoint(session, made.endpoint.id, tenant_id=TENANT, actor="test")
            assert eventually(lambda: len(there.received) == 4), "what waited, and what happened while it was paused"
    assert world.audited(made.endpoint.id) == ["webhook_endpoint.created", "webhook_endpoint.paused", "webhook_endpoint.resumed"]


def test_a_paused_endpoint_collects_and_a_removed_one_does_not(world: WebhookWorld) -> None:
    with receiver() as there:
        paused, removed = world.endpoint(there.url), world.endpoint(there.url)
        with transaction(world.engine) as session:
            pause_endpoint(session, paused.endpoint.id, tenant_id=TENANT, actor="test")
            remove_endpoint(session, removed.endpoint.id, tenant_id=TENANT, actor="test")
        (event,) = world.publish()
        with world.sending():
            assert eventually(world.quiet)
    assert there.received == []
    assert world.rows("SELECT endpoint_id, state FROM webhook_deliveries WHERE event_id = :v", v=event) == [(paused.endpoint.id, "pending")]


def test_a_slow_endpoint_does_not_delay_another(world: WebhookWorld) -> None:
    with receiver(seconds=8.0) as slow, receiver() as quick, world.sending():
        world.endpoint(slow.url, tenant="slow")
        world.endpoint(quick.url)
        world.publish(100, tenant="slow")
        assert eventually(lambda: len(slow.received) == PER_ENDPOINT)
        began = time.monotonic()
        world.publish(20)
        assert eventually(lambda: len(quick.received) == 20)
        took = time.monotonic() - began
        world.change("UPDATE webhook_endpoints SET state = 'paused' WHERE tenant_id = 'slow'")
    assert took < 6.0, "before the slow one has answered once"
    assert len(slow.received) <= PER_ENDPOINT


def test_an_endpoint_that_never_answers_is_cut_off(world: WebhookWorld) -> None:
    with receiver(seconds=2.0) as there, world.sending(PATIENT, total=0.3):
        made = world.endpoint(there.url)
        (event,) = world.publish()
        assert eventually(lambda: world.delivery(made.endpoint.id, event).last_error == "timeout")
        assert world.delivery(made.endpoint.id, event).last_seconds < 1.5


def test_an_endless_body_of_an_answer_is_not_read(world: WebhookWorld) -> None:
    with receiver() as there, world.sending():
        there.body = b"x" * 30_000_000
        made = world.endpoint(there.url)
        (event,) = world.publish()
        assert eventually(world.quiet)
    delivery = world.delivery(made.endpoint.id, event)
    assert (delivery.state, delivery.last_status) == ("delivered", 204)
    assert delivery.last_seconds < 2


def test_nobody_listening_is_an_error_with_a_code(world: WebhookWorld) -> None:
    with receiver() as there:
        url = there.url
    with world.sending(PATIENT):
        made = world.endpoint(url)
        (event,) = world.publish()
        assert eventually(lambda: world.delivery(made.endpoint.id, event).last_error == "connect_failed")


def test_a_sender_killed_between_sending_and_recording_sends_again_under_the_same_id(world: WebhookWorld, settings: Settings) -> None:
    assert settings.database_url
    with receiver() as there:
        made = world.endpoint(there.url)
        (event,) = world.publish()
        child = [sys.executable, "-m", "tests.integration.webhook_child", settings.database_url.get_secret_value()]
        died = subprocess.run(child, cwd=Path(__file__).parents[2], env=dict(os.environ), timeout=60, check=False)
        assert died.returncode == -signal.SIGKILL
        assert len(there.received) == 1
        left = world.delivery(made.endpoint.id, event)
        assert (left.state, left.attempts) == ("pending", 1), "the attempt was counted before it was made"
        with world.sending():
            time.sleep(0.3)
            assert len(there.received) == 1, "its lease has not run out"
            world.change("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE event_id = :v", v=event)
            assert eventually(world.quiet)
        assert [got.id for got in there.received] == [event_id(event)] * 2
        assert there.received[0].body == there.received[1].body
    assert world.delivery(made.endpoint.id, event).attempts == 2


def test_a_delivery_that_kills_its_sender_each_time_is_given_up(world: WebhookWorld) -> None:
    with receiver() as there:
        made = world.endpoint(there.url)
        (event,) = world.publish()
        world.change("UPDATE outbox SET delivered_at = now() WHERE event_id = :v", v=event)
        insert = "INSERT INTO webhook_deliveries (endpoint_id, event_id, attempts, lease_token) VALUES (:e, :v, 8, gen_random_uuid())"
        world.change(insert, e=made.endpoint.id, v=event)
        with world.sending():
            assert eventually(world.quiet)
        assert there.received == []
    assert world.delivery(made.endpoint.id, event).last_error == "sender_died"


def test_two_senders_do_not_send_twice(world: WebhookWorld) -> None:
    with receiver() as there, world.sending(), world.sending():
        world.endpoint(there.url)
        events = world.publish(60)
        assert eventually(world.quiet)
    assert sorted(got.id for got in there.received) == sorted(event_id(event) for event in events)


def test_a_sender_without_the_right_key_sends_nothing_and_charges_nobody(world: WebhookWorld) -> None:
    with receiver() as there:
        made = world.endpoint(there.url)
        (event,) = world.publish()
        world.change(
            "UPDATE webhook_secrets SET sealed = 'otherkey:' || split_part(sealed, ':', 2) WHERE endpoint_id = :e", e=made.endpoint.id
        )
        with world.sending():
            assert eventually(lambda: world.value("SELECT count(*) FROM outbox WHERE delivered_at IS NULL") == 0)
            time.sleep(0.3)
        assert there.received == []
    delivery = world.delivery(made.endpoint.id, event)
    assert (delivery.state, delivery.attempts, delivery.last_error) == ("pending", 0, None)


def test_the_sender_goes_on_after_its_connections_were_killed(world: WebhookWorld) -> None:
    with receiver() as there, world.sending():
        world.endpoint(there.url)
        world.publish()
        assert eventually(lambda: len(there.received) == 1)
        world.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND application_name = 'zoomin-test'"
        )
        world.publish()
        assert eventually(lambda: len(there.received) == 2)
        assert eventually(world.quiet)


def failed(item: ItemReference) -> Outcome:
    return Outcome(ordinal=item.ordinal, kind=OutcomeKind.FAILED, error_code="image_corrupt", error_message="broken")


def judged(world: World, engine: Engine, tenant: str) -> str:
    """A batch of three items, two judged and one failed, finished: its id."""
    world.retire()
    batch_id = world.batch(3, tenant=tenant)
    (chunk_id,) = world.announced()
    with transaction(engine) as session:
        lease = claim(session, chunk_id, "w", 60)
        assert lease is not None
        items = pending_items(session, lease)
        outcomes = [verdict(items[0]), verdict(items[1], 0.1), failed(items[2])]
        record_outcomes(session, lease, outcomes, Judgement(actor="w", release=judge().release, evidence_bucket="e"))
    world.rows("UPDATE chunks SET state = 'done', lease_token = NULL, lease_owner = NULL WHERE batch_id = :b", b=batch_id)
    with transaction(engine) as session:
        finish_batches(session, actor="test")
    return str(batch_id)


def test_item_events_are_published_only_where_an_active_endpoint_listens(world: WebhookWorld, engine: Engine) -> None:
    queue = World(engine)
    with receiver() as there:
        made = world.endpoint(there.url, "item.failed", "batch.completed", tenant="listens")
        paused = world.endpoint(there.url, "item.verdict.created", tenant="listens")
        with transaction(engine) as session:
            pause_endpoint(session, paused.endpoint.id, tenant_id="listens", actor="test")
        deaf = judged(queue, engine, "deaf")
        batch_id = judged(queue, engine, "listens")
        found = "SELECT type FROM outbox WHERE payload->>'batch_id' = :b ORDER BY id"
        assert [row.type for row in world.rows(found, b=deaf)] == ["batch.completed"]
        assert [row.type for row in world.rows(found, b=batch_id)] == ["item.failed", "batch.completed"]
        with world.sending(AT_ONCE):
            assert eventually(lambda: len(there.received) == 2)
        bodies = {body["type"]: body["data"] for body in (json.loads(got.body) for got in there.received)}
    item = next(row for row in world.rows("SELECT batch_id, ordinal FROM outcomes WHERE batch_id = :b AND kind = 'failed'", b=batch_id))
    assert bodies["item.failed"] == {
        "item_id": item_id(item.batch_id, item.ordinal),
        "batch_id": batch_id,
        "revision": 1,
        "outcome": "failed",
    }
    assert bodies["batch.completed"]["counts"]["verdicts"] == 2
    assert made.endpoint.tenant_id == "listens"
