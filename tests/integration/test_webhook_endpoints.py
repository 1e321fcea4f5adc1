"""Endpoints, secrets and deliveries on a real Postgres."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from tests.integration.webhook_world import KEYS, TENANT, WebhookWorld, eventually, receiver
from worker.moderation.errors import RejectedError
from worker.moderation.events import EventType
from worker.moderation.identifiers import event_id
from worker.moderation.targets import checked_target
from worker.store import webhook_deliveries, webhook_endpoints
from worker.store.models.webhooks import DeliveryState, EndpointState
from worker.store.session import transaction

URL = "http://127.0.0.1:9/hook"
NOWHERE = UUID(int=7)


@pytest.fixture
def world(engine: Engine) -> Iterator[WebhookWorld]:
    world = WebhookWorld(engine)
    world.clear()
    yield world
    world.clear()


def refused(world: WebhookWorld, what: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(RejectedError) as caught, transaction(world.engine) as session:
        what(session, *arguments, **named)
    return caught.value.code


def test_an_endpoint_is_found_listed_and_nobody_elses(world: WebhookWorld) -> None:
    made = world.endpoint(URL, "item.failed", "batch.completed").endpoint
    assert (made.types, made.state) == ((EventType.BATCH_COMPLETED, EventType.ITEM_FAILED), EndpointState.ACTIVE)
    assert made.id.version == 7
    with transaction(world.engine) as session:
        assert webhook_endpoints.find_endpoint(session, made.id, tenant_id=TENANT) == made
        assert webhook_endpoints.list_endpoints(session, tenant_id=TENANT) == [made]
        assert webhook_endpoints.list_endpoints(session, tenant_id="other") == []


@pytest.mark.parametrize("tenant", ["other", TENANT])
def test_a_foreign_endpoint_and_one_that_does_not_exist_are_refused_alike(world: WebhookWorld, tenant: str) -> None:
    """Neither tells a stranger that it exists."""
    endpoint_id = world.endpoint(URL).endpoint.id if tenant == "other" else NOWHERE
    (event,) = world.publish()
    for what, named in (
        (webhook_endpoints.find_endpoint, {}),
        (webhook_endpoints.update_endpoint, {"actor": "t"}),
        (webhook_endpoints.pause_endpoint, {"actor": "t"}),
        (webhook_endpoints.resume_endpoint, {"actor": "t"}),
        (webhook_endpoints.remove_endpoint, {"actor": "t"}),
        (webhook_endpoints.rotate_secret, {"actor": "t", "sealer": KEYS}),
        (webhook_deliveries.list_deliveries, {}),
        (webhook_deliveries.send_test, {"actor": "t"}),
    ):
        assert refused(world, what, endpoint_id, tenant_id=tenant, **named) == "webhook_endpoint_missing", what
    assert refused(world, webhook_deliveries.list_attempts, endpoint_id, event, tenant_id=tenant) == "webhook_endpoint_missing"


def test_a_secret_is_sealed_at_rest_and_shown_once(world: WebhookWorld) -> None:
    made = world.endpoint(URL)
    stored = world.value("SELECT sealed FROM webhook_secrets WHERE endpoint_id = :e", e=made.endpoint.id)
    assert made.secret.startswith("whsec_")
    assert made.secret.removeprefix("whsec_")[:8] not in stored
    assert KEYS.open(stored, str(made.endpoint.id)) == made.secret
    assert made.secret not in repr(made)


def test_at_most_two_secrets_are_live(world: WebhookWorld) -> None:
    first = world.endpoint(URL)
    endpoint_id = first.endpoint.id
    tenant: dict[str, Any] = {"tenant_id": TENANT, "actor": "t", "sealer": KEYS}
    with transaction(world.engine) as session:
        second = webhook_endpoints.rotate_secret(session, endpoint_id, **tenant)
    with transaction(world.engine) as session:
        third = webhook_endpoints.rotate_secret(session, endpoint_id, **tenant)

    def live() -> list[str]:
        with transaction(world.engine) as session:
            return [KEYS.open(text, str(endpoint_id)) for text in webhook_endpoints.live_secrets(session, [endpoint_id])[endpoint_id]]

    assert live() == [third.secret, second.secret]
    with transaction(world.engine) as session:
        fourth = webhook_endpoints.rotate_secret(session, endpoint_id, overlap=timedelta(0), **tenant)
    assert live() == [fourth.secret]
    assert refused(world, webhook_endpoints.rotate_secret, endpoint_id, overlap=timedelta(days=8), **tenant) == "webhook_overlap_invalid"


def test_a_tenant_has_room_for_so_many_endpoints(world: WebhookWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_endpoints, "MOST_ENDPOINTS", 2)
    first = world.endpoint(URL)
    world.endpoint(URL)
    with pytest.raises(RejectedError, match="Remove one first"):
        world.endpoint(URL)
    world.endpoint(URL, tenant="other")
    with transaction(world.engine) as session:
        webhook_endpoints.remove_endpoint(session, first.endpoint.id, tenant_id=TENANT, actor="t")
    world.endpoint(URL)


def test_an_endpoint_can_be_changed_and_each_change_is_audited(world: WebhookWorld) -> None:
    made = world.endpoint(URL).endpoint
    target = checked_target("http://127.0.0.1:9/other", private_targets=True)
    with transaction(world.engine) as session:
        changed = webhook_endpoints.update_endpoint(
            session,
            made.id,
            tenant_id=TENANT,
            actor="t",
            target=target,
            types=["appeal.decided"],
            description="ours\x1b[2J <b>\u202e" + "x" * 500,
        )
    assert (changed.url, changed.types) == (target.url, (EventType.APPEAL_DECIDED,))
    assert changed.description.startswith("ours[2J <b>x")
    assert len(changed.description) <= 200
    with transaction(world.engine) as session:
        assert webhook_endpoints.update_endpoint(session, made.id, tenant_id=TENANT, actor="t") == changed
        webhook_endpoints.pause_endpoint(session, made.id, tenant_id=TENANT, actor="t")
        webhook_endpoints.pause_endpoint(session, made.id, tenant_id=TENANT, actor="t")
        webhook_endpoints.resume_endpoint(session, made.id, tenant_id=TENANT, actor="t")
        webhook_endpoints.remove_endpoint(session, made.id, tenant_id=TENANT, actor="t")
        webhook_endpoints.remove_endpoint(session, made.id, tenant_id=TENANT, actor="t")
    verbs = [action.removeprefix("webhook_endpoint.") for action in world.audited(made.id)]
    assert verbs == ["created", "updated", "paused", "resumed", "disabled"]
    details = [str(row.detail) for row in world.rows("SELECT detail FROM audit_events WHERE detail->>'endpoint' = :e", e=str(made.id))]
    assert not any("whsec_" in detail for detail in details)


def test_a_removed_endpoint_stays_removed(world: WebhookWorld) -> None:
    made = world.endpoint(URL).endpoint
    (event,) = world.publish()
    named = {"tenant_id": TENANT, "actor": "t"}
    with transaction(world.engine) as session:
        assert webhook_endpoints.remove_endpoint(session, made.id, **named).state is EndpointState.DISABLED
        assert webhook_endpoints.list_endpoints(session, tenant_id=TENANT) == []
    for what in (webhook_endpoints.resume_endpoint, webhook_endpoints.pause_endpoint, webhook_endpoints.update_endpoint):
        assert refused(world, what, made.id, **named) == "webhook_endpoint_disabled"
    assert refused(world, webhook_endpoints.rotate_secret, made.id, sealer=KEYS, **named) == "webhook_endpoint_disabled"
    assert refused(world, webhook_deliveries.send_test, made.id, **named) == "webhook_endpoint_disabled"
    assert refused(world, webhook_deliveries.redeliver, event, endpoint_id=made.id, **named) == "webhook_endpoint_disabled"


def test_deliveries_are_paged_newest_first_and_by_state(world: WebhookWorld) -> None:
    with receiver(500, 500, 204) as there:
        made = world.endpoint(there.url).endpoint
        events = world.publish(7)
        world.change("UPDATE webhook_endpoints SET state = 'paused' WHERE id = :e", e=made.id)
        with world.sending():
            assert eventually(world.quiet)
    with transaction(world.engine) as session:
        first = webhook_deliveries.list_deliveries(session, made.id, tenant_id=TENANT, limit=4)
        rest = webhook_deliveries.list_deliveries(session, made.id, tenant_id=TENANT, limit=4, before=first[-1].event_id)
        none = webhook_deliveries.list_deliveries(session, made.id, tenant_id=TENANT, state=DeliveryState.FAILED)
    assert [delivery.event_id for delivery in (*first, *rest)] == sorted(events, reverse=True)
    assert {(d.state, d.attempts, d.type) for d in first} == {(DeliveryState.PENDING, 0, EventType.BATCH_COMPLETED)}
    assert none == []


def test_redelivery_sends_the_same_id_again(world: WebhookWorld) -> None:
    named: dict[str, Any] = {"tenant_id": TENANT, "actor": "t"}
    with receiver() as there, world.sending():
        made = world.endpoint(there.url).endpoint
        (event,) = world.publish()
        assert eventually(world.quiet)
        with transaction(world.engine) as session:
            assert webhook_deliveries.redeliver(session, event, **named) == 1
        assert eventually(lambda: len(there.received) == 2)
        assert eventually(world.quiet)
        late = world.endpoint(there.url, "appeal.decided").endpoint
        with transaction(world.engine) as session:
            assert webhook_deliveries.redeliver(session, event, endpoint_id=late.id, **named) == 1
        assert eventually(lambda: len(there.received) == 3)
        assert eventually(world.quiet)
    assert {got.id for got in there.received} == {event_id(event)}
    assert len({got.body for got in there.received}) == 1
    with transaction(world.engine) as session:
        attempts = webhook_deliveries.list_attempts(session, made.id, event, tenant_id=TENANT)
    assert [a.status for a in attempts] == [204, 204]
    assert refused(world, webhook_deliveries.redeliver, NOWHERE, **named) == "event_missing"
    assert refused(world, webhook_deliveries.redeliver, event, tenant_id="other", actor="t") == "event_missing"


def test_of_many_attempts_the_newest_hundred_are_listed_in_order(world: WebhookWorld) -> None:
    made = world.endpoint(URL).endpoint
    (event,) = world.publish()
    sql = """
        INSERT INTO webhook_attempts (endpoint_id, event_id, attempt, status, seconds)
        SELECT :endpoint, :event, n, 500, 0 FROM generate_series(1, 103) AS n
    """
    world.change(sql, endpoint=made.id, event=event)
    with transaction(world.engine) as session:
        attempts = webhook_deliveries.list_attempts(session, made.id, event, tenant_id=TENANT)
    assert [a.attempt for a in attempts] == list(range(4, 104))


def test_redelivery_revives_what_was_given_up(world: WebhookWorld) -> None:
    with receiver(*[500] * 8, 204) as there, world.sending():
        made = world.endpoint(there.url).endpoint
        (event,) = world.publish()
        assert eventually(lambda: len(there.received) == 8 and world.delivery(made.id, event).state == "failed")
        with transaction(world.engine) as session:
            webhook_deliveries.redeliver(session, event, tenant_id=TENANT, actor="t")
        assert eventually(lambda: world.delivery(made.id, event).state == "delivered")
    assert world.delivery(made.id, event).attempts == 1


def test_a_test_event_goes_to_one_endpoint_whatever_it_subscribes_to(world: WebhookWorld) -> None:
    with receiver() as there, receiver() as other, world.sending():
        made = world.endpoint(there.url, "appeal.decided").endpoint
        world.endpoint(other.url)
        with transaction(world.engine) as session:
            event = webhook_deliveries.send_test(session, made.id, tenant_id=TENANT, actor="t")
        assert eventually(world.quiet)
    assert [got.id for got in there.received] == [event_id(event)]
    assert b'"webhook.test"' in there.received[0].body
    assert other.received == []


def test_the_application_can_neither_delete_nor_rewrite_history(world: WebhookWorld) -> None:
    for change in ("DELETE FROM webhook_deliveries", "DELETE FROM webhook_endpoints", "UPDATE webhook_attempts SET status = 204"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            world.change(change)
