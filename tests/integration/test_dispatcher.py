"""The dispatcher on a real Postgres and a real Valkey, without workers."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import redis
from prometheus_client import REGISTRY
from pydantic import SecretStr
from sqlalchemy import Engine, text

from tests.integration.queue_world import World
from tests.integration.review_desk import GENERATED, Desk
from tests.integration.review_world import judged_batch
from worker.moderation.events import EventType
from worker.moderation.settings import Settings
from worker.queue.concluding import conclude_answers
from worker.queue.configuration import KEY_PREFIX, QUEUE
from worker.queue.dispatcher import Dispatcher, run_dispatcher
from worker.queue.doorbell import Doorbell
from worker.store import outbox
from worker.store.leadership import DISPATCHER_LOCK
from worker.store.session import transaction

DEADLINE_SECONDS = 20


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it becomes true before the deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.02)
    return holds()


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    world = World(engine)
    world.retire()
    yield world
    world.retire()


@pytest.fixture
def valkey(settings: Settings) -> Iterator["redis.Redis"]:
    assert settings.broker_url
    client = redis.Redis.from_url(settings.broker_url.get_secret_value())
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


@pytest.fixture
def dispatcher(world: World, settings: Settings) -> Iterator[Dispatcher]:
    doorbell = Doorbell(settings)
    yield Dispatcher(settings, world.engine, doorbell)
    doorbell.close()


def rung(valkey: "redis.Redis") -> int:
    return int(valkey.llen(KEY_PREFIX + QUEUE))


def test_announces_just_in_time_and_carries_only_ids(
    world: World, valkey: "redis.Redis", dispatcher: Dispatcher, settings: Settings
) -> None:
    world.batch(1000, chunk=10)
    dispatcher.turn()
    dispatcher.turn()
    assert rung(valkey) == settings.announce_ahead
    message = valkey.lindex(KEY_PREFIX + QUEUE, 0)
    assert isinstance(message, bytes)
    assert len(message) < 2000
    assert b"s3" not in message


def test_crash_between_commit_and_ring_is_repaired(world: World, valkey: "redis.Redis", dispatcher: Dispatcher) -> None:
    world.batch(2)
    (chunk_id,) = world.announced()  # committed, and the dispatcher dies before it rings
    dispatcher.turn()
    assert rung(valkey) == 0
    world.rows("UPDATE chunks SET announced_at = now() - interval '1 hour' WHERE id = :id", id=chunk_id)
    dispatcher.sweep()
    dispatcher.turn()
    assert rung(valkey) == 1


def test_flushed_redis_is_refilled(world: World, valkey: "redis.Redis", dispatcher: Dispatcher) -> None:
    world.batch(3, chunk=1)
    dispatcher.turn()
    valkey.flushdb()
    world.rows("UPDATE chunks SET announced_at = now() - interval '1 hour' WHERE state = 'announced'")
    dispatcher.sweep()
    dispatcher.turn()
    assert rung(valkey) == 3


def test_chunks_are_ready_again_when_redis_is_away(world: World, settings: Settings) -> None:
    world.batch(3, chunk=1)
    nobody = settings.model_copy(update={"broker_url": SecretStr("redis://127.0.0.1:1/0")})
    doorbell = Doorbell(nobody)
    began = time.monotonic()
    Dispatcher(nobody, world.engine, doorbell).turn()
    doorbell.close()
    assert time.monotonic() - began < 15
    assert world.rows("SELECT DISTINCT state, announcements FROM chunks WHERE state NOT IN ('done', 'split')") == [("ready", 0)]


def test_second_dispatcher_stands_by_until_the_first_is_gone(world: World, valkey: "redis.Redis", settings: Settings) -> None:
    quick = settings.model_copy(update={"sweep_seconds": 0.2})
    stops = [threading.Event(), threading.Event()]
    threads = [threading.Thread(target=run_dispatcher, args=(quick, stop)) for stop in stops]
    threads[0].start()
    try:
        world.batch(1)
        assert eventually(lambda: rung(valkey) == 1)
        threads[1].start()
        held = f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = {DISPATCHER_LOCK}"  # noqa: S608
        assert eventually(lambda: world.value("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'zoomin-dispatcher'") >= 2)
        assert world.value(held) == 1
        stops[0].set()
        threads[0].join(DEADLINE_SECONDS)
        world.batch(1)
        assert eventually(lambda: rung(valkey) == 2)
    finally:
        for stop in stops:
            stop.set()
        for thread in threads:
            thread.join(DEADLINE_SECONDS)


def test_leader_goes_on_after_its_connections_were_killed(world: World, valkey: "redis.Redis", settings: Settings) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=run_dispatcher, args=(settings, stop))
    thread.start()
    try:
        world.batch(1)
        assert eventually(lambda: rung(valkey) == 1)
        world.rows("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'zoomin-dispatcher'")
        world.batch(1)
        assert eventually(lambda: rung(valkey) == 2)
    finally:
        stop.set()
        thread.join(DEADLINE_SECONDS)
    assert not thread.is_alive()


def test_cancelled_batch_is_settled_and_ended_by_turns(world: World, dispatcher: Dispatcher, valkey: "redis.Redis") -> None:
    batch_id = world.batch(100, chunk=3)
    dispatcher.turn()
    world.rows("UPDATE batches SET state = 'cancelling' WHERE id = :id", id=batch_id)
    while dispatcher.turn():
        pass
    assert world.value("SELECT state FROM batches WHERE id = :id", id=batch_id) == "cancelled"
    assert world.counts(batch_id) == {"cancelled": 100}


def test_a_turn_lets_answers_take_effect_that_can_no_longer_be_taken_back(world: World, dispatcher: Dispatcher, engine: Engine) -> None:
    desk = Desk(engine)
    batch_id = desk.batch(0.6)
    done = desk.answer(desk.claim("ann"), GENERATED, undo=60)
    dispatcher.turn()
    assert desk.decisions(batch_id) == []
    desk.too_late(done)
    dispatcher.turn()
    assert [decision.decided_by for decision in desk.decisions(batch_id)] == ["ann"]


def test_answers_that_cannot_be_concluded_hold_up_no_others(world: World, dispatcher: Dispatcher, engine: Engine) -> None:
    desk = Desk(engine)
    batch_id = desk.batch(0.6, 0.6)
    done = [desk.answer(desk.claim("ann"), GENERATED, undo=60) for _ in range(2)]
    desk.too_late(*done)
    version = "UPDATE review_tasks SET version = :version WHERE batch_id = :id AND ordinal = 0"
    world.rows(version, version=2**31 - 1, id=batch_id)  # it cannot be raised any more
    dispatcher.turn()
    assert [decision.ordinal for decision in desk.decisions(batch_id)] == [1]
    world.rows(version, version=1, id=batch_id)
    dispatcher.turn()
    assert [decision.ordinal for decision in desk.decisions(batch_id)] == [1, 0]


def test_announcing_waits_for_no_answer_and_one_that_waits_for_a_lock_is_passed_over(
    world: World, valkey: "redis.Redis", dispatcher: Dispatcher, engine: Engine
) -> None:
    desk = Desk(engine)
    batch_id = desk.batch(0.6, 0.6)
    done = [desk.answer(desk.claim("ann"), GENERATED, undo=60) for _ in range(2)]
    desk.too_late(*done)
    world.batch(1)
    turn = threading.Thread(target=dispatcher.turn)
    with transaction(world.engine) as session:
        session.execute(text("SELECT FROM reviews WHERE task_id = :id FOR UPDATE"), {"id": desk.task(batch_id).id})
        turn.start()
        assert eventually(lambda: rung(valkey) > 0)
        assert desk.decisions(batch_id) == []
        assert eventually(lambda: [decision.ordinal for decision in desk.decisions(batch_id)] == [1])
    turn.join(DEADLINE_SECONDS)
    dispatcher.turn()
    assert [decision.ordinal for decision in desk.decisions(batch_id)] == [1, 0]


def test_answers_behind_those_that_cannot_be_concluded_have_their_turn(world: World, engine: Engine) -> None:
    desk = Desk(engine)
    batch_id = desk.batch(*[0.6] * 3)
    desk.too_late(*[desk.answer(desk.claim("ann"), GENERATED, undo=60) for _ in range(3)])
    world.rows("UPDATE review_tasks SET version = :version WHERE batch_id = :id AND ordinal < 2", version=2**31 - 1, id=batch_id)
    after = conclude_answers(engine, actor="test", most=1)
    while after:
        after = conclude_answers(engine, actor="test", after=after, most=1)
    assert [decision.ordinal for decision in desk.decisions(batch_id)] == [2]


def test_a_sweep_shows_what_waits_for_people_and_for_the_sender(world: World, dispatcher: Dispatcher) -> None:
    judged_batch(world, {0: 0.6, 1: 0.6}, tenant="waits")
    world.rows(
        "UPDATE review_tasks SET created_at = now() - interval '1 hour', due_at = now() - interval '1 minute' WHERE tenant_id = 'waits'"
    )
    with transaction(world.engine) as session:
        outbox.publish(session, "waits", EventType.BATCH_COMPLETED, {})
    dispatcher.sweep()
    queue = {"tenant": "waits", "queue": "default"}
    assert REGISTRY.get_sample_value("zoomin_review_tasks", {**queue, "state": "open"}) == 2
    assert REGISTRY.get_sample_value("zoomin_review_tasks", {**queue, "state": "overdue"}) == 2
    assert (REGISTRY.get_sample_value("zoomin_oldest_review_task_seconds", queue) or 0) >= 3_600
    assert (REGISTRY.get_sample_value("zoomin_oldest_unsent_event_seconds") or 0) > 0
