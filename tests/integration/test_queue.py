"""The whole message path: dispatcher → Valkey → a real Celery worker process → run_chunk, with a scripted moderator."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import redis
from sqlalchemy import Engine

from tests.integration.queue_world import World, reconciles
from tests.integration.scripted_app import DEADLY
from tests.integration.worker_process import WorkerProcess
from worker.moderation.settings import Settings
from worker.queue.dispatcher import run_dispatcher
from worker.queue.doorbell import Doorbell

DEADLINE_SECONDS = 90


def eventually(holds: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> bool:
    """Whether it becomes true before the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if holds():
            return True
        time.sleep(0.05)
    return holds()


@pytest.fixture
def world(engine: Engine, settings: Settings) -> Iterator[World]:
    assert settings.broker_url
    with redis.Redis.from_url(settings.broker_url.get_secret_value()) as valkey:
        valkey.flushdb()
    world = World(engine)
    world.retire()
    yield world
    world.retire()


@pytest.fixture
def quick(settings: Settings) -> Settings:
    return settings.model_copy(
        update={"lease_seconds": 3, "heartbeat_seconds": 1, "sweep_seconds": 0.3, "announce_timeout_seconds": 2, "log_level": "INFO"}
    )


@pytest.fixture
def dispatcher(world: World, quick: Settings) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=run_dispatcher, args=(quick, stop))
    thread.start()
    yield
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def start(quick: Settings, tmp_path: Path) -> Iterator[Callable[[], WorkerProcess]]:
    workers: list[WorkerProcess] = []

    def start_one() -> WorkerProcess:
        workers.append(WorkerProcess(quick, tmp_path / f"worker{len(workers)}.log"))
        return workers[-1]

    yield start_one
    for worker in workers:
        worker.stop()


def state(world: World, batch_id: UUID) -> str:
    return str(world.value("SELECT state FROM batches WHERE id = :id", id=batch_id))


def written(world: World, batch_id: UUID) -> int:
    return sum(world.counts(batch_id).values())


@pytest.mark.usefixtures("dispatcher")
def test_small_batch_behind_a_huge_one_finishes_first_and_repeated_messages_are_judged_once(
    world: World, quick: Settings, start: Callable[[], WorkerProcess]
) -> None:
    worker = start().wait_ready()
    huge = world.batch(4000, chunk=25)
    assert eventually(lambda: written(world, huge) > 0)
    small = world.batch(10)
    assert eventually(lambda: state(world, small) == "finished")
    assert written(world, huge) < 2000
    assert reconciles(world, small)
    done = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=small)
    doorbell = Doorbell(quick)
    doorbell.ring([done] * 10)
    doorbell.close()
    assert eventually(lambda: sum(e.get("chunk_id") == done and e["event"] == "chunk_not_claimed" for e in worker.events()) == 10)
    assert reconciles(world, small)
    world.rows("UPDATE batches SET state = 'cancelling' WHERE id = :id", id=huge)
    assert eventually(lambda: state(world, huge) == "cancelled")
    assert reconciles(world, huge)


@pytest.mark.usefixtures("dispatcher")
def test_killed_worker_costs_no_image_and_doubles_none(world: World, start: Callable[[], WorkerProcess]) -> None:
    batch_id = world.batch(300, chunk=60)
    for _ in range(2):
        worker = start().wait_ready()
        before = written(world, batch_id)
        assert eventually(lambda before=before: written(world, batch_id) > before)  # type: ignore[misc]
        worker.signal(signal.SIGKILL)
        worker.wait()
    start().wait_ready()
    assert eventually(lambda: state(world, batch_id) == "finished")
    assert world.counts(batch_id) == {"verdict": 300}
    assert reconciles(world, batch_id)


@pytest.mark.usefixtures("dispatcher")
def test_sigterm_drains_and_exits_clean_even_when_repeated(world: World, start: Callable[[], WorkerProcess]) -> None:
    batch_id = world.batch(3000, chunk=250)
    worker = start().wait_ready()
    assert eventually(lambda: written(world, batch_id) > 0)
    worker.signal(signal.SIGTERM)
    time.sleep(0.1)  # between two signals, as an impatient supervisor sends them
    worker.signal(signal.SIGTERM)
    assert worker.wait(20) == 0
    assert world.value("SELECT count(*) FROM chunks WHERE batch_id = :id AND state = 'leased'", id=batch_id) == 0
    assert world.value("SELECT max(attempts) FROM chunks WHERE batch_id = :id", id=batch_id) == 0
    assert any(event.get("event") == "worker_left" for event in worker.events())


@pytest.mark.usefixtures("dispatcher")
def test_sigquit_leaves_at_once_and_the_leases_expire(world: World, start: Callable[[], WorkerProcess]) -> None:
    batch_id = world.batch(3000, chunk=250)
    worker = start().wait_ready()
    assert eventually(lambda: written(world, batch_id) > 0)
    worker.signal(signal.SIGQUIT)
    assert worker.wait(5) == 1
    assert eventually(lambda: world.value("SELECT count(*) FROM chunks WHERE batch_id = :id AND state = 'leased'", id=batch_id) == 0)


@pytest.mark.usefixtures("dispatcher")
def test_image_that_kills_the_engine_fails_alone_after_its_workers_left_with_an_error(
    world: World, start: Callable[[], WorkerProcess]
) -> None:
    batch_id = world.batch(4, names={1: DEADLY})
    exits: list[int] = []
    while len(exits) < 6 and state(world, batch_id) != "finished":
        worker = start().wait_ready()
        assert eventually(lambda worker=worker: worker.process.poll() is not None or state(world, batch_id) == "finished")  # type: ignore[misc]
        if worker.process.poll() is not None:
            exits.append(worker.process.returncode)
    assert set(exits) == {1}
    assert len(exits) <= 2 + 3  # ⌈log2 4⌉ + cap
    assert world.counts(batch_id) == {"verdict": 3, "failed": 1}
    assert reconciles(world, batch_id)


def test_worker_without_a_broker_says_so_in_one_line(quick: Settings, tmp_path: Path) -> None:
    worker = WorkerProcess(quick.model_copy(update={"broker_url": None}), tmp_path / "worker.log", app="worker")
    assert worker.wait() == 1
    assert "ZOOMIN_BROKER_URL" in worker.log.read_text()
    assert "Traceback" not in worker.log.read_text()
