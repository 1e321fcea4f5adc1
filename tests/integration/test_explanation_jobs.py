"""Explanation jobs on real Postgres and Valkey: asked once, rung fairly, done under a lease, and never an outcome's business."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import redis
from prometheus_client import REGISTRY
from sqlalchemy import Engine, TextClause, text

from tests.integration.api_world import calling, new_key, problem
from tests.integration.queue_world import World
from tests.integration.retention_world import ERASING, RetentionWorld, pixels
from tests.integration.review_world import judged_batch
from tests.integration.scripted_app import HANGING, REFUSED
from tests.integration.worker_process import WorkerProcess
from worker.intake.storage import Storage
from worker.moderation.errors import EngineDiedError, MisconfiguredError, OutageError, RejectedError, TransientError
from worker.moderation.explanation_jobs import MOST_ANNOUNCEMENTS, AskedJob, Job, JobKind
from worker.moderation.settings import Settings
from worker.queue.configuration import KEY_PREFIX
from worker.queue.dispatcher import run_dispatcher
from worker.queue.doorbell import Doorbell
from worker.queue.explaining import Bench, Ending, Explainers, Runner, explain
from worker.queue.job_dispatcher import JobDispatcher
from worker.retention.run import remove_let_go
from worker.store.erasures import erase_item
from worker.store.explanation_jobs import ask_for, claim_job
from worker.store.explanation_queue import ANNOUNCE, DEMAND, EXPIRE, FLIGHT, RERING, announce_jobs
from worker.store.look_asking import WAITING
from worker.store.session import transaction

DEADLINE_SECONDS = 60
ONE = "SELECT * FROM explanation_jobs WHERE id = :id"


@pytest.fixture
def world(engine: Engine) -> Iterator[World]:
    world = World(engine)
    world.retire()
    yield world
    world.retire()
    ended = "UPDATE explanation_jobs SET state = 'done', finished_at = now(), lease_token = NULL"
    world.rows(f"{ended} WHERE state IN ('waiting', 'announced', 'running')")


@pytest.fixture
def valkey(settings: Settings) -> Iterator["redis.Redis"]:
    assert settings.broker_url
    with redis.Redis.from_url(settings.broker_url.get_secret_value()) as client:
        client.flushdb()
        yield client


@pytest.fixture
def dispatcher(settings: Settings, engine: Engine) -> Iterator[JobDispatcher]:
    doorbell = Doorbell(settings)
    yield JobDispatcher(settings, engine, doorbell, actor="dispatcher")
    doorbell.close()


@pytest.fixture
def bench(settings: Settings, engine: Engine) -> Bench:
    return Bench(settings=settings, engine=engine, owner="host:1:1:1")


def ask(
    engine: Engine,
    batch_id: UUID,
    *,
    kind: JobKind = JobKind.ATTENTION,
    key: str = "verdict",
    tenant: str = "t",
    sampled: bool = False,
    ordinal: int = 0,
) -> UUID:
    asked = AskedJob(tenant_id=tenant, kind=kind, batch_id=batch_id, ordinal=ordinal, revision=1, key=key, asked_by="test", sampled=sampled)
    with transaction(engine) as session:
        return ask_for(session, asked).job.id


def announced(engine: Engine, limit: int = 100) -> list[UUID]:
    with transaction(engine) as session:
        return announce_jobs(session, JobKind.ATTENTION, limit)


def row(world: World, job_id: UUID) -> Any:
    return world.rows(ONE, id=job_id)[0]


def rung(valkey: "redis.Redis", queue: str) -> int:
    return int(valkey.llen(KEY_PREFIX + queue))


def raising(error: Exception) -> Runner:
    def run(job: Job) -> Any:
        raise error

    return run


def done_by(bench: Bench, job_id: UUID, runner: Runner) -> Ending:
    announced(bench.engine)
    return explain(job_id, Explainers(bench, {JobKind.ATTENTION: runner}), drained=False)


def outcome(world: World, batch_id: UUID) -> Any:
    return world.rows("SELECT to_jsonb(o) FROM outcomes AS o WHERE batch_id = :id", id=batch_id)


def test_asked_twice_it_is_one_job_and_a_failed_one_begins_anew(world: World, bench: Bench) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    before = outcome(world, batch_id)
    job_id = ask(world.engine, batch_id, sampled=True)
    assert ask(world.engine, batch_id) == job_id
    assert row(world, job_id).lane == 0  # somebody waits for it now
    assert ask(world.engine, batch_id, key="scan") != job_id
    assert done_by(bench, job_id, raising(RejectedError("trace_missing", "Its trace was purged."))) is Ending.FAILED
    failed = row(world, job_id)
    assert (failed.state, failed.error_code, failed.error_message) == ("failed", "trace_missing", "Its trace was purged.")
    assert ask(world.engine, batch_id) == job_id
    assert (row(world, job_id).state, row(world, job_id).error_code, row(world, job_id).attempts) == ("waiting", None, 0)
    assert outcome(world, batch_id) == before
    actions = "SELECT action FROM audit_events WHERE batch_id = :id AND action LIKE 'explanation.%' ORDER BY id"
    asked = ["explanation.asked"] * 2
    assert [event.action for event in world.rows(actions, id=batch_id)] == [*asked, "explanation.failed", "explanation.asked"]


def test_what_somebody_waits_for_is_rung_before_samples_and_tenants_take_turns(world: World) -> None:
    busy, other = judged_batch(world, {0: 0.9}), judged_batch(world, {0: 0.9}, tenant="u")
    sampled = [ask(world.engine, busy, key=str(number), sampled=True) for number in range(3)]
    theirs = ask(world.engine, other, key="a", tenant="u", sampled=True)
    waited_for = ask(world.engine, busy, key="wanted")
    assert announced(world.engine, 3) == [waited_for, theirs, sampled[0]]  # the busy tenant has one in flight by then


@pytest.mark.parametrize(
    ("statement", "parameters"),
    [
        (FLIGHT, {"kinds": [kind.value for kind in JobKind]}),
        (DEMAND, {}),
        (ANNOUNCE, {"kind": "look", "limit": 3}),
        (RERING, {"timeout": 60, "patience": 16, "most": 400}),
        (EXPIRE, {"max_attempts": 3}),
        (WAITING, {"tenant": "t", "author": "a"}),
    ],
)
def test_looking_for_work_reads_no_job_that_has_ended(world: World, statement: TextClause, parameters: dict[str, Any]) -> None:
    with transaction(world.engine) as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))  # so that a small table is read as a large one would be
        plan = "\n".join(session.execute(text(f"EXPLAIN {statement.text}"), parameters).scalars())
    read = set(re.findall(r"(?:using|Bitmap Index Scan on) (\w+_explanation_jobs\w*)", plan))
    assert "Seq Scan on explanation_jobs" not in plan, plan
    assert read, plan
    assert read <= {"ix_explanation_jobs_waiting", "ix_explanation_jobs_in_flight", "pk_explanation_jobs"}, plan


def test_metrics_show_what_waits(world: World, dispatcher: JobDispatcher) -> None:
    for number in range(5):
        ask(world.engine, judged_batch(world, {0: 0.9}), key=str(number))
    dispatcher.sweep()
    assert REGISTRY.get_sample_value("zoomin_explanation_jobs", {"kind": "attention", "state": "waiting"}) == 5


def test_jobs_are_rung_on_the_queue_of_their_kind_and_again_when_redis_forgot(
    world: World, valkey: "redis.Redis", dispatcher: JobDispatcher, settings: Settings
) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    for number in range(settings.announce_ahead + 2):
        ask(world.engine, batch_id, key=str(number))
    dispatcher.turn()
    dispatcher.turn()
    assert (rung(valkey, "attention"), rung(valkey, "scan")) == (settings.announce_ahead, 0)
    valkey.flushdb()
    world.rows("UPDATE explanation_jobs SET announced_at = now() - interval '1 hour' WHERE state = 'announced'")
    dispatcher.sweep()
    dispatcher.turn()
    assert rung(valkey, "attention") == settings.announce_ahead


def test_result_and_end_are_one_transaction(world: World, bench: Bench) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    job_id = ask(world.engine, batch_id)
    note = text("UPDATE batches SET pause_reason = :said WHERE id = :id")

    def half(job: Job) -> Any:
        def write(session: Any) -> None:
            session.execute(note, {"said": "written", "id": job.batch_id})
            raise RuntimeError("a bug behind the first row")

        return write

    assert done_by(bench, job_id, half) is Ending.PUT_BACK
    assert world.value("SELECT pause_reason FROM batches WHERE id = :id", id=batch_id) is None
    world.rows("UPDATE explanation_jobs SET next_attempt_at = now() WHERE id = :id", id=job_id)

    def whole(job: Job) -> Any:
        return lambda session: session.execute(note, {"said": "whole", "id": job.batch_id})

    assert done_by(bench, job_id, whole) is Ending.DONE
    assert world.value("SELECT pause_reason FROM batches WHERE id = :id", id=batch_id) == "whole"
    assert (row(world, job_id).state, row(world, job_id).error_message) == ("done", None)


def test_whoever_lost_the_lease_writes_nothing(world: World, bench: Bench, dispatcher: JobDispatcher) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    job_id = ask(world.engine, batch_id)
    written: list[Job] = []

    def slow(job: Job) -> Any:
        world.rows("UPDATE explanation_jobs SET lease_expires_at = now() - interval '1 s' WHERE id = :id", id=job_id)
        dispatcher.sweep()
        announced(world.engine)
        with transaction(world.engine) as session:
            assert claim_job(session, job_id, "another", 60) is not None
        return lambda _: written.append(job)

    assert done_by(bench, job_id, slow) is Ending.FENCED
    assert (written, row(world, job_id).lease_owner, row(world, job_id).attempts) == ([], "another", 2)


def test_lease_is_renewed_for_as_long_as_the_runner_works(world: World, settings: Settings, dispatcher: JobDispatcher) -> None:
    short = Bench(settings=settings.model_copy(update={"lease_seconds": 1}), engine=world.engine, owner="host:1:1:1")
    job_id = ask(world.engine, judged_batch(world, {0: 0.9}))

    def work(job: Job) -> Any:
        claimed = row(world, job_id).lease_expires_at
        until = time.monotonic() + DEADLINE_SECONDS
        while (row(world, job_id).lease_expires_at - claimed).total_seconds() < 1.2:  # the lease that was claimed is over by then
            assert time.monotonic() < until
            time.sleep(0.05)
        dispatcher.sweep()
        return lambda _: None

    assert done_by(short, job_id, work) is Ending.DONE
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lease ")]


@pytest.mark.parametrize(
    ("error", "ending", "attempts"),
    [
        (TransientError("endpoint_busy", "Later."), Ending.PUT_BACK, 1),
        (OutageError("object_store_unavailable", "S3 is away."), Ending.PUT_BACK, 0),  # no job's fault: not counted
        (MisconfiguredError("release_differs", "Another release."), Ending.FAILED, 1),
        (ValueError("a bug"), Ending.PUT_BACK, 1),
    ],
)
def test_what_may_pass_is_tried_again(world: World, bench: Bench, error: Exception, ending: Ending, attempts: int) -> None:
    job_id = ask(world.engine, judged_batch(world, {0: 0.9}))
    assert done_by(bench, job_id, raising(error)) is ending
    assert row(world, job_id).attempts == attempts
    assert announced(world.engine) == []  # not at once, and not what has failed


def test_attempts_run_out(world: World, bench: Bench, settings: Settings, dispatcher: JobDispatcher) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    busy, silent = ask(world.engine, batch_id), ask(world.engine, batch_id, key="silent")
    for _ in range(settings.max_attempts):
        world.rows("UPDATE explanation_jobs SET next_attempt_at = now() WHERE state = 'waiting'")
        done_by(bench, busy, raising(TransientError("endpoint_busy", "Later.")))
        with transaction(world.engine) as session:
            assert claim_job(session, silent, "dead", 0) is not None
        dispatcher.sweep()
    assert (row(world, busy).state, row(world, busy).error_code) == ("failed", "endpoint_busy")
    assert (row(world, silent).state, row(world, silent).error_code) == ("failed", "worker_died")


def test_outages_and_absent_workers_do_not_keep_a_job_for_ever(world: World, bench: Bench, dispatcher: JobDispatcher) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    out, alone = ask(world.engine, batch_id), ask(world.engine, batch_id, key="alone")
    away = raising(OutageError("object_store_unavailable", "S3 is away."))
    for before, state in ((MOST_ANNOUNCEMENTS - 2, "waiting"), (MOST_ANNOUNCEMENTS - 1, "failed")):
        world.rows("UPDATE explanation_jobs SET announcements = :before, next_attempt_at = now() WHERE state = 'waiting'", before=before)
        done_by(bench, out, away)
        world.rows("UPDATE explanation_jobs SET announced_at = now() - interval '1 day' WHERE id = :id", id=alone)
        dispatcher.sweep()
        assert (row(world, out).state, row(world, alone).state) == (state, state)
    assert (row(world, out).error_code, row(world, alone).error_code) == ("object_store_unavailable", "nobody_came")
    told = "SELECT detail ->> 'code' FROM audit_events WHERE batch_id = :id AND action = 'explanation.failed' ORDER BY id"
    assert world.rows(told, id=batch_id) == [("object_store_unavailable",), ("nobody_came",)]
    assert ask(world.engine, batch_id, key="alone") == alone
    assert (row(world, alone).state, row(world, alone).announcements) == ("waiting", 0)


def test_engines_death_puts_the_job_back_and_is_the_workers_to_meet(world: World, bench: Bench) -> None:
    job_id = ask(world.engine, judged_batch(world, {0: 0.9}))
    with pytest.raises(EngineDiedError):
        done_by(bench, job_id, raising(EngineDiedError("engine_died", "Gone.")))
    assert row(world, job_id).state == "waiting"


def test_kind_without_a_runner_fails_and_says_so(world: World, bench: Bench) -> None:
    job_id = ask(world.engine, judged_batch(world, {0: 0.9}))
    announced(world.engine)
    assert explain(job_id, Explainers(bench), drained=False) is Ending.FAILED
    assert row(world, job_id).error_code == "explainer_missing"


def test_worker_that_leaves_hands_the_message_back(world: World, bench: Bench) -> None:
    job_id = ask(world.engine, judged_batch(world, {0: 0.9}))
    announced(world.engine)
    assert explain(job_id, Explainers(bench), drained=True) is Ending.DRAINED
    assert announced(world.engine) == [job_id]


def test_erasing_the_image_ends_its_jobs_and_what_they_tell(world: World, engine: Engine, bench: Bench) -> None:
    batch_id = judged_batch(world, {0: 0.9})
    failed, waiting = ask(engine, batch_id), ask(engine, batch_id, key="other")
    done_by(bench, failed, raising(RejectedError("object_missing", "s3://b/a-name has gone.")))

    def erased_meanwhile(job: Job) -> Any:
        with transaction(engine) as session:
            erase_item(session, "t", batch_id, 0, ERASING)
        return lambda _: None

    assert done_by(bench, waiting, erased_meanwhile) is Ending.FENCED
    said = world.rows("SELECT DISTINCT state, error_message FROM explanation_jobs WHERE batch_id = :id", id=batch_id)
    assert said == [("failed", "The image was erased.")]
    assert row(world, waiting).error_code == "item_erased"
    with pytest.raises(RejectedError, match="erased"):
        ask(engine, batch_id, key="new")


@pytest.mark.parametrize(
    ("error", "ending"), [(RejectedError("refused", "No."), Ending.FAILED), (TransientError("endpoint_busy", "Later."), Ending.PUT_BACK)]
)
def test_what_a_job_stored_for_nothing_is_removed_at_once(
    world: World, bench: Bench, storage: Storage, error: Exception, ending: Ending
) -> None:
    own = RetentionWorld.apart(world.engine, storage, bench.settings)
    bench = replace(bench, settings=own.settings)
    world.rows("UPDATE evidence SET due_at = 'infinity', removed_at = NULL, gone_at = NULL")  # other tests' is in no bucket
    shared, body = pixels(), pixels()
    own.judged({0: shared})
    facts = [own.facts(shared), own.facts(body)]

    def run(job: Job) -> Any:
        bench.storing(job, facts)
        own.stored(body)
        raise error

    for _ in range(2):  # also of pixels that were gone before
        assert done_by(bench, ask(world.engine, judged_batch(world, {0: 0.9})), run) is ending
        assert own.there(facts[1])
        remove_let_go(world.engine, storage, actor="test")
        assert [own.there(one) for one in facts] == [True, False]


async def test_a_job_is_its_tenants_alone(world: World, engine: Engine, settings: Settings) -> None:
    job_id = ask(engine, judged_batch(world, {0: 0.9}))
    announced(engine)
    path = f"/v1/explanation-jobs/{job_id}"
    async with calling(settings, new_key(engine, tenant="t").text) as client:
        answer = (await client.get(path)).json()
    assert (answer["state"], answer["kind"], answer["error"], answer["attempts"]) == ("waiting", "attention", None, 0)
    async with calling(settings, new_key(engine, tenant="u").text) as client:
        assert problem(await client.get(path)) == (404, "not_found")
        assert problem(await client.get("/v1/explanation-jobs/nonsense"))[0] in {404, 422}


def test_attention_worker_has_no_engine_does_its_jobs_and_drains(
    world: World, valkey: "redis.Redis", settings: Settings, tmp_path: Path
) -> None:
    with working(settings, tmp_path, queues="attention") as worker:
        batch_id = judged_batch(world, {0: 0.9})
        jobs = [ask(world.engine, batch_id, key=key) for key in ("verdict", REFUSED)]
        assert eventually(lambda: {row(world, job).state for job in jobs} == {"done", "failed"})
        assert row(world, jobs[1]).error_code == "refused"
        worker.process.terminate()
        assert worker.wait() == 0
        loaded = next(event for event in worker.events() if event["event"] == "worker_loaded")
        assert loaded["explains"] == ["attention"]
        assert "release" not in loaded  # no model was loaded


def test_what_asks_the_model_is_done_beside_chunks_that_fill_the_worker(
    world: World, valkey: "redis.Redis", settings: Settings, tmp_path: Path
) -> None:
    with working(settings, tmp_path, queues="scan,looks,translations") as worker:
        judged = judged_batch(world, {0: 0.9})
        batch_id = world.batch(4 * 6_000, chunk=6_000)  # as many chunks as Celery has threads, and one more; two minutes each
        leased = "SELECT count(*) FROM chunks WHERE batch_id = :id AND state = 'leased'"
        assert eventually(lambda: world.value(leased, id=batch_id) == 3)
        valkey.client_kill_filter(_type="normal", skipme=True)  # whoever listens is cut off, and listens again
        jobs = [ask(world.engine, judged, kind=kind, key=f"beside {kind}") for kind in (JobKind.LOOK, JobKind.TRANSLATION)]
        assert eventually(lambda: {row(world, job).state for job in jobs} == {"done"})
        assert world.value(leased, id=batch_id) == 3
        worker.process.terminate()
        assert worker.wait() == 0


def test_translations_that_hang_keep_one_thread_and_images_are_judged(
    world: World, valkey: "redis.Redis", settings: Settings, tmp_path: Path
) -> None:
    with working(settings, tmp_path, queues="scan,translations"):
        judged = judged_batch(world, {0: 0.9})
        jobs = [ask(world.engine, judged, kind=JobKind.TRANSLATION, key=f"{HANGING}{number}") for number in range(5)]
        assert eventually(lambda: [row(world, job).state for job in jobs].count("running") == 1)
        batch_id = world.batch(20)
        assert eventually(lambda: world.value("SELECT state FROM batches WHERE id = :id", id=batch_id) == "finished")
        assert [row(world, job).state for job in jobs].count("running") == 1


@contextmanager
def working(settings: Settings, folder: Path, *, queues: str) -> Iterator[WorkerProcess]:
    """A worker of these queues, and a dispatcher that sweeps often."""
    stop = threading.Event()
    quick = settings.model_copy(update={"sweep_seconds": 0.3})
    dispatching = threading.Thread(target=run_dispatcher, args=(quick, stop))
    worker = WorkerProcess(quick, folder / "worker.log", queues=queues)
    dispatching.start()
    try:
        yield worker
    finally:
        worker.stop()
        stop.set()
        dispatching.join(DEADLINE_SECONDS)


def eventually(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline and not holds():
        time.sleep(0.05)
    return holds()
