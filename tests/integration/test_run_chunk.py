"""run_chunk with a scripted moderator on a real Postgres."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pytest
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy import event as hook
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.integration.queue_world import MAX_ATTEMPTS, RELEASE, World, answers, judge, reconciles, verdict
from worker.moderation.errors import EngineDiedError, MisconfiguredError, OutageError, TransientError
from worker.moderation.outcomes import ItemReference, Outcome
from worker.moderation.release import Release
from worker.moderation.settings import Settings
from worker.queue.checking import Wanted, nothing_wanted
from worker.queue.chunk_work import ChunkReport, Ending
from worker.queue.moderator import Moderator, Unfinished
from worker.queue.run_chunk import run_chunk
from worker.store.session import LOCK_TIMEOUT_MS, transaction
from worker.store.sweeps import expire_leases, split_or_fail


@dataclass
class Worker:
    """A scan worker without Celery."""

    world: World
    settings: Settings
    drain: threading.Event = field(default_factory=threading.Event)

    def run(self, chunk_id: int, moderator: Moderator) -> ChunkReport:
        return run_chunk(
            chunk_id, engine=self.world.engine, moderator=moderator, settings=self.settings, owner="worker-1", drain=self.drain
        )


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    world = World(engine)
    world.retire()
    yield world
    world.retire()


@pytest.fixture
def worker(world: World, settings: Settings) -> Worker:
    return Worker(world, settings.model_copy(update={"lease_seconds": 30, "heartbeat_seconds": 1}))


@dataclass
class Interrupted:
    """Judges like a scripted moderator and calls `interrupt` once, after `after` outcomes."""

    after: int
    interrupt: Callable[[], object]
    seconds: float = 0.0
    release: Release = RELEASE

    def judge(
        self, items: Sequence[ItemReference], *, stop: threading.Event, tick_seconds: float, wanted: Wanted = nothing_wanted
    ) -> Iterator[Outcome | Unfinished | None]:
        for number, event in enumerate(judge(seconds=self.seconds).judge(items, stop=stop, tick_seconds=tick_seconds, wanted=wanted)):
            if number == self.after:
                self.interrupt()
            yield event

    def close(self) -> None:
        pass


def test_chunk_is_judged_recorded_and_completed(worker: Worker, world: World) -> None:
    batch_id = world.batch(5)
    (chunk_id,) = world.announced()
    report = worker.run(chunk_id, judge())
    assert (report.ending, report.tally.verdicts, report.duplicates) == (Ending.COMPLETED, 5, 0)
    assert world.chunk(chunk_id).state == "done"
    assert reconciles(world, batch_id)


def test_repeated_messages_are_judged_once(worker: Worker, world: World) -> None:
    batch_id = world.batch(3)
    (chunk_id,) = world.announced()
    asked: list[int] = []

    def answer(item: ItemReference) -> Outcome:
        asked.append(item.ordinal)
        return verdict(item)

    endings: list[Ending] = []
    threads = [threading.Thread(target=lambda: endings.append(worker.run(chunk_id, judge(answer, 0.02)).ending)) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(endings) == sorted([Ending.COMPLETED, *[Ending.NOT_CLAIMED] * 9])
    assert sorted(asked) == [0, 1, 2]
    assert reconciles(world, batch_id)


def test_lease_lost_in_the_middle_discards_and_audits_the_rest(worker: Worker, world: World) -> None:
    batch_id = world.batch(6)
    (chunk_id,) = world.announced()

    def steal() -> None:
        world.rows("UPDATE chunks SET lease_expires_at = now() - interval '1 second' WHERE id = :id", id=chunk_id)
        with transaction(world.engine) as session:
            expire_leases(session, max_attempts=MAX_ATTEMPTS)

    report = worker.run(chunk_id, Interrupted(3, steal))
    assert (report.ending, report.discarded) == (Ending.FENCED, 5)
    assert sum(world.counts(batch_id).values()) == 1  # written before the lease was lost
    audited = world.rows("SELECT actor, detail FROM audit_events WHERE batch_id = :id AND action = 'write.fenced'", id=batch_id)
    assert audited == [("worker-1", {"chunk_id": chunk_id, "outcomes": 5})]
    (again,) = world.announced()
    assert worker.run(again, judge()).ending is Ending.COMPLETED
    assert reconciles(world, batch_id)


def test_draining_worker_writes_what_is_done_and_hands_the_rest_back_uncharged(worker: Worker, world: World) -> None:
    batch_id = world.batch(50)
    (chunk_id,) = world.announced()
    report = worker.run(chunk_id, Interrupted(5, worker.drain.set, seconds=0.01))
    assert report.ending is Ending.DRAINED
    assert 1 <= report.tally.verdicts < 50
    assert world.counts(batch_id) == {"verdict": report.tally.verdicts}
    chunk = world.chunk(chunk_id)
    assert (chunk.state, chunk.attempts, chunk.lease_token) == ("ready", 0, None)


def test_draining_worker_declines_new_chunks_which_are_ready_at_once(worker: Worker, world: World) -> None:
    world.batch(2)
    (chunk_id,) = world.announced()
    worker.drain.set()
    assert worker.run(chunk_id, judge()).ending is Ending.DRAINED
    assert world.chunk(chunk_id).state == "ready"


def test_batch_cancelled_while_running_is_settled(worker: Worker, world: World) -> None:
    batch_id = world.batch(200)
    (chunk_id,) = world.announced()
    cancel = Interrupted(3, lambda: world.rows("UPDATE batches SET state = 'cancelling' WHERE id = :id", id=batch_id), seconds=0.02)
    report = worker.run(chunk_id, cancel)
    assert report.ending is Ending.CANCELLED
    counts = world.counts(batch_id)
    assert counts["verdict"] + counts["cancelled"] == 200
    assert counts["cancelled"] > 0
    assert world.chunk(chunk_id).state == "done"
    assert reconciles(world, batch_id)


def test_misconfiguration_pauses_the_batch_with_its_reason(worker: Worker, world: World) -> None:
    batch_id = world.batch(5)
    (chunk_id,) = world.announced()
    denied = Unfinished(2, MisconfiguredError("bucket_denied", "Bucket b is denied: grant read access."))
    assert worker.run(chunk_id, judge(answers({2: denied}))).ending is Ending.PAUSED
    assert world.rows("SELECT state, pause_reason FROM batches WHERE id = :id", id=batch_id) == [
        ("paused", "Bucket b is denied: grant read access.")
    ]
    chunk = world.chunk(chunk_id)
    assert (chunk.state, chunk.attempts) == ("ready", 0)
    assert world.announced() == []
    world.rows("UPDATE batches SET state = 'running' WHERE id = :id", id=batch_id)
    assert worker.run(world.announced()[0], judge()).ending is Ending.COMPLETED
    assert reconciles(world, batch_id)


def test_outage_is_not_charged_and_backs_off(worker: Worker, world: World) -> None:
    world.batch(2)
    away = OutageError("object_store_unavailable", "S3 is away")
    delays = []
    for _ in range(4):
        (chunk_id,) = world.announced()
        assert worker.run(chunk_id, judge(answers({0: Unfinished(0, away), 1: Unfinished(1, away)}))).ending is Ending.RELEASED
        assert world.chunk(chunk_id).attempts == 0
        delays.append(world.value("SELECT extract(epoch FROM next_attempt_at - now()) FROM chunks WHERE id = :id", id=chunk_id))
        world.rows("UPDATE chunks SET next_attempt_at = now() WHERE id = :id", id=chunk_id)
    assert [round(float(delay)) for delay in delays] == [2, 4, 8, 16]


def test_a_table_locked_for_longer_than_the_lock_timeout_costs_no_outcome(worker: Worker, world: World) -> None:
    batch_id = world.batch(3)
    (chunk_id,) = world.announced()
    assert worker.settings.owner_url is not None
    owner = create_engine(worker.settings.owner_url.get_secret_value())
    other = owner.connect()
    other.execute(text("LOCK TABLE outcomes IN SHARE MODE"))  # what CREATE INDEX takes
    unlock = threading.Timer(LOCK_TIMEOUT_MS / 1000 + 1, other.rollback)
    unlock.start()
    report = worker.run(chunk_id, judge())
    unlock.join()
    other.close()
    owner.dispose()
    assert (report.ending, report.tally.total) == (Ending.COMPLETED, 3)
    assert reconciles(world, batch_id)


def test_transient_error_of_an_image_is_charged_until_it_fails_alone(worker: Worker, world: World) -> None:
    batch_id = world.batch(4)
    died = Unfinished(2, TransientError("decoder_died", "The decoder died."))
    for _ in range(20):
        for chunk_id in world.announced():
            worker.run(chunk_id, judge(answers({2: died})))
        world.rows("UPDATE chunks SET next_attempt_at = now() WHERE state = 'ready'")
        with transaction(world.engine) as session:
            split_or_fail(session, max_attempts=MAX_ATTEMPTS, actor="test")
        if sum(world.counts(batch_id).values()) == 4:
            break
    assert world.counts(batch_id) == {"verdict": 3, "failed": 1}
    assert world.value("SELECT error_code FROM outcomes WHERE batch_id = :id AND kind = 'failed'", id=batch_id) == "decoder_died"
    assert reconciles(world, batch_id)


def test_engine_death_saves_what_was_judged_and_makes_the_chunk_suspect(worker: Worker, world: World) -> None:
    batch_id = world.batch(8)
    (chunk_id,) = world.announced()
    with pytest.raises(EngineDiedError):
        worker.run(chunk_id, judge(answers({4: EngineDiedError("engine_died", "The engine is gone.")})))
    assert world.counts(batch_id) == {"verdict": 4}
    chunk = world.chunk(chunk_id)
    assert (chunk.state, chunk.suspect, chunk.attempts) == ("ready", True, 1)


def test_stuck_engine_loses_its_lease_instead_of_renewing_it_for_ever(worker: Worker, world: World, settings: Settings) -> None:
    world.batch(2)
    (chunk_id,) = world.announced()
    impatient = Worker(world, settings.model_copy(update={"lease_seconds": 2, "heartbeat_seconds": 1}))
    with pytest.raises(EngineDiedError, match="stuck"):
        impatient.run(chunk_id, judge(seconds=30))
    assert world.chunk(chunk_id).suspect


def test_heartbeat_keeps_a_slow_chunk_leased(worker: Worker, world: World) -> None:
    world.batch(1)
    (chunk_id,) = world.announced()
    expiries = []
    worker.settings = worker.settings.model_copy(update={"lease_seconds": 3, "heartbeat_seconds": 1})
    runner = threading.Thread(target=lambda: expiries.append(worker.run(chunk_id, judge(seconds=2.5)).ending))
    runner.start()
    seen = set()
    while runner.is_alive():
        seen.add(world.chunk(chunk_id).lease_expires_at)
        time.sleep(0.1)
    assert expiries == [Ending.COMPLETED]
    assert len(seen - {None}) >= 2


def test_bug_hands_the_chunk_back_at_once_and_is_raised(worker: Worker, world: World) -> None:
    world.batch(2)
    (chunk_id,) = world.announced()
    with pytest.raises(ZeroDivisionError):
        worker.run(chunk_id, judge(answers({0: ZeroDivisionError()})))
    chunk = world.chunk(chunk_id)
    assert (chunk.state, chunk.attempts, chunk.last_error) == ("ready", 1, "internal_error: ZeroDivisionError")


def test_backend_killed_at_commit_costs_no_outcome(worker: Worker, world: World) -> None:
    batch_id = world.batch(5)
    (chunk_id,) = world.announced()
    commits = 0

    def kill_at_second_commit(connection: Connection) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:  # the first is the claim's
            pid = connection.connection.driver_connection.info.backend_pid  # type: ignore[union-attr]
            world.rows("SELECT pg_terminate_backend(:pid, 1000)", pid=pid)

    hook.listen(world.engine, "commit", kill_at_second_commit)
    try:
        report = worker.run(chunk_id, judge())
    finally:
        hook.remove(world.engine, "commit", kill_at_second_commit)
    assert (report.ending, report.tally.total, report.duplicates) == (Ending.COMPLETED, 5, 0)
    assert commits > 2
    assert reconciles(world, batch_id)


def test_commit_whose_answer_was_lost_is_not_recorded_twice(worker: Worker, world: World) -> None:
    batch_id = world.batch(5)
    (chunk_id,) = world.announced()
    commits = 0

    def lose_second_answer(_session: Session) -> None:
        nonlocal commits
        commits += 1
        if commits == 2:
            raise OperationalError("COMMIT", None, Exception("server closed the connection"))

    hook.listen(Session, "after_commit", lose_second_answer)
    try:
        report = worker.run(chunk_id, judge())
    finally:
        hook.remove(Session, "after_commit", lose_second_answer)
    assert (report.ending, report.tally.total, report.duplicates) == (Ending.COMPLETED, 4, 1)  # the first outcome is written alone
    assert reconciles(world, batch_id)
