"""Leases of deliveries: fair among endpoints and tenants, fenced, and never above their limits."""

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.integration.webhook_world import TENANT, WebhookWorld
from worker.store.session import transaction
from worker.store.webhook_queue import Attempted, Leased, Limits, abandon, fan_out, lease, record_delivered, record_failure

URL = "http://127.0.0.1:9/hook"
ACCEPTED = Attempted(status=204, error_code=None, seconds=0.1)
WIDE = Limits(room=100, per_endpoint=4, per_tenant=100)


@pytest.fixture
def world(engine: Engine) -> Iterator[WebhookWorld]:
    world = WebhookWorld(engine)
    world.clear()
    yield world
    world.clear()


def leased(world: WebhookWorld, limits: Limits = WIDE) -> list[Leased]:
    with transaction(world.engine) as session:
        fan_out(session, page=1000)
    with transaction(world.engine) as session:
        return lease(session, limits, seconds=60)


def test_a_tenant_with_many_endpoints_leaves_room_for_one_with_few(world: WebhookWorld) -> None:
    for _ in range(6):
        world.endpoint(URL, tenant="many")
    few = world.endpoint(URL, tenant="few").endpoint
    world.publish(10, tenant="many")
    world.publish(10, tenant="few")
    first = leased(world, Limits(room=8, per_endpoint=4, per_tenant=6))
    by_endpoint = Counter(delivery.endpoint_id for delivery in first)
    assert by_endpoint.pop(few.id) == 4
    assert list(by_endpoint.values()) == [1, 1, 1, 1], "a tenant's share goes round its endpoints"
    second = leased(world, Limits(room=100, per_endpoint=4, per_tenant=6))
    assert few.id not in {delivery.endpoint_id for delivery in second}
    assert len(second) == 2, "six of a tenant at once"


def test_an_endpoints_oldest_deliveries_go_first(world: WebhookWorld) -> None:
    world.endpoint(URL)
    events = world.publish(6)
    assert [delivery.event_id for delivery in sorted(leased(world), key=lambda d: d.event_id)] == sorted(events)[:4]


def test_what_is_leased_is_not_leased_again_until_the_lease_runs_out(world: WebhookWorld) -> None:
    world.endpoint(URL)
    world.publish(1)
    (first,) = leased(world)
    assert leased(world) == []
    world.change("UPDATE webhook_deliveries SET next_attempt_at = now() WHERE event_id = :v", v=first.event_id)
    (second,) = leased(world)
    assert (second.attempt, second.token == first.token) == (2, False)
    with transaction(world.engine) as session:
        assert not record_failure(session, first, Attempted(status=500, error_code="http_500", seconds=0.1), retry_seconds=None)
    assert world.delivery(first.endpoint_id, first.event_id).state == "pending", "the first was fenced: its failure does not count"
    with transaction(world.engine) as session:
        assert record_delivered(session, second, ACCEPTED)
    assert world.delivery(first.endpoint_id, first.event_id).state == "delivered"
    found = world.rows("SELECT attempt, status FROM webhook_attempts WHERE event_id = :v ORDER BY id", v=first.event_id)
    assert found == [(1, 500), (2, 204)], "both were sent, and both are on record"


def test_what_waits_for_a_disabled_endpoint_is_abandoned_by_pages(world: WebhookWorld) -> None:
    made = world.endpoint(URL).endpoint
    world.publish(5)
    leased(world)
    world.change("UPDATE webhook_endpoints SET state = 'disabled' WHERE id = :e", e=made.id)
    with transaction(world.engine) as session:
        assert [abandon(session, page=3), abandon(session, page=3), abandon(session, page=3)] == [3, 2, 0]
    found = world.rows("SELECT DISTINCT state, last_error, lease_token FROM webhook_deliveries WHERE endpoint_id = :e", e=made.id)
    assert found == [("failed", "endpoint_disabled", None)]


def test_a_second_fan_out_adds_nothing(world: WebhookWorld) -> None:
    made = world.endpoint(URL).endpoint
    (event,) = world.publish(1, tenant=TENANT)
    with transaction(world.engine) as session:
        assert fan_out(session, page=10) == 1
        assert fan_out(session, page=10) == 0
    world.change("UPDATE outbox SET delivered_at = NULL WHERE event_id = :v", v=event)
    with transaction(world.engine) as session:
        assert fan_out(session, page=10) == 1
    assert world.value("SELECT count(*) FROM webhook_deliveries WHERE endpoint_id = :e", e=made.id) == 1
