"""The background intake: claimed once, resumed after a death, ended whatever the source is like."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from worker.intake.background import BackgroundIntake, submit_source
from worker.intake.slicing import SLICE_ROWS
from worker.intake.storage import Storage
from worker.intake.submission import Submission
from worker.local.addresses import environment
from worker.moderation.settings import Settings
from worker.queue.intake_worker import run_intake
from worker.store.batches import cancel_batch, resume_batch
from worker.store.intakes import claim_intake, end_closed_intakes
from worker.store.session import transaction

WAIT_SECONDS = 60


@pytest.fixture
def intake(settings: Settings, engine: Engine, storage: Storage) -> BackgroundIntake:
    return BackgroundIntake(settings, engine, storage, "test")


@pytest.fixture(autouse=True)
def _alone(engine: Engine) -> None:
    """Earlier tests' batches wait for nobody."""
    with transaction(engine) as session:
        session.execute(text("UPDATE intakes SET ended_at = now() WHERE ended_at IS NULL"))


def put(storage: Storage, bucket: str, rows: int, *, name: str | None = None) -> str:
    key = name or f"{uuid4().hex}.jsonl"
    body = b"".join(f'{{"source-ref": "s3://{bucket}/{n}.jpg", "custom_id": "id-{n}"}}\n'.encode() for n in range(rows))
    storage.put(bucket, key, body, "application/jsonl")
    return f"s3://{bucket}/{key}"


def submit(source: str, settings: Settings, engine: Engine, storage: Storage, *, priority: int = 0) -> UUID:
    wanted = Submission(tenant="t", idempotency_key=uuid4().hex, digest="", priority=priority, actor="test")
    return submit_source(source, wanted, settings, engine, storage).batch.id


def standing(engine: Engine, batch_id: UUID) -> tuple[object, ...]:
    with engine.connect() as connection:
        query = text("SELECT state, items_accepted, rows_rejected FROM batches WHERE id = :id")
        return tuple(connection.execute(query, {"id": batch_id}).one())


def errors(engine: Engine, batch_id: UUID) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT code FROM row_errors WHERE batch_id = :id"), {"id": batch_id}).scalars())


def test_the_most_urgent_source_is_read_first(settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake) -> None:
    source = put(storage, settings.upload_bucket, 2)
    batches = [submit(source, settings, engine, storage, priority=priority) for priority in (0, 5, -5)]
    assert [intake.receive_next() for _ in range(4)] == [batches[1], batches[0], batches[2], None]
    assert {standing(engine, batch) for batch in batches} == {("running", 2, 0)}


def test_a_source_is_claimed_by_one_reader_until_its_lease_ends(settings: Settings, engine: Engine, storage: Storage) -> None:
    batch = submit(put(storage, settings.upload_bucket, 1), settings, engine, storage)
    with transaction(engine) as session, transaction(engine) as other:
        first = claim_intake(session, "a", 60)
        assert first is not None
        assert first.batch_id == batch
        assert claim_intake(other, "b", 60) is None
    with transaction(engine) as session:
        assert claim_intake(session, "b", 60) is None
        session.execute(text("UPDATE intakes SET lease_expires_at = now() - interval '1 second' WHERE batch_id = :id"), {"id": batch})
        again = claim_intake(session, "b", 60)
    assert again is not None
    assert again.attempts == 2


def test_a_killed_reader_is_followed_by_another_that_goes_on_where_it_stopped(settings: Settings, engine: Engine, storage: Storage) -> None:
    rows = 12 * SLICE_ROWS
    batch = submit(put(storage, settings.upload_bucket, rows), settings, engine, storage)
    variables = {**os.environ, **environment(settings), "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-m", "worker.cli", "intake"]
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as reader:
        deadline = time.monotonic() + WAIT_SECONDS
        while not standing(engine, batch)[1] and time.monotonic() < deadline:
            time.sleep(0.005)
        reader.send_signal(signal.SIGKILL)
    state, accepted, _ = standing(engine, batch)
    assert (state, 0 < int(str(accepted)) < rows) == ("receiving", True)
    with subprocess.Popen(command, env=variables, stderr=subprocess.DEVNULL) as reader:
        deadline = time.monotonic() + WAIT_SECONDS  # far below the lease's end: the dead reader is known to be dead
        while standing(engine, batch)[0] == "receiving" and time.monotonic() < deadline:
            time.sleep(0.05)
        reader.send_signal(signal.SIGTERM)
    assert reader.returncode == 0
    assert standing(engine, batch) == ("running", rows, 0)
    with engine.connect() as connection:
        query = text("SELECT count(DISTINCT custom_id), min(ordinal), max(ordinal) FROM items WHERE batch_id = :id")
        assert tuple(connection.execute(query, {"id": batch}).one()) == (rows, 0, rows - 1)


def test_a_stopped_reader_leaves_the_rest_to_the_next(
    settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake
) -> None:
    batch = submit(put(storage, settings.upload_bucket, 3 * SLICE_ROWS), settings, engine, storage)
    intake.stop.set()
    assert intake.receive_next() == batch
    assert standing(engine, batch)[0] == "receiving"
    with transaction(engine) as session:
        session.execute(text("UPDATE intakes SET next_attempt_at = now()"))
    intake.stop.clear()
    assert intake.receive_next() == batch
    assert standing(engine, batch) == ("running", 3 * SLICE_ROWS, 0)


def test_a_manifest_that_changed_since_it_was_accepted_ends_the_batch_with_the_reason(
    settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake
) -> None:
    source = put(storage, settings.upload_bucket, 2, name=f"{uuid4().hex}.jsonl")
    batch = submit(source, settings, engine, storage)
    put(storage, settings.upload_bucket, 3, name=source.rsplit("/", 1)[1])
    assert intake.receive_next() == batch
    assert (standing(engine, batch), errors(engine, batch)) == (("rejected", 0, 1), ["manifest_changed"])
    assert intake.receive_next() is None


def test_a_bucket_that_is_no_longer_allowed_ends_the_batch_with_the_reason(
    settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake
) -> None:
    batch = submit(put(storage, settings.upload_bucket, 2), settings, engine, storage)
    narrowed = BackgroundIntake(settings.model_copy(update={"upload_bucket": "other"}), engine, storage, "test")
    assert narrowed.receive_next() == batch
    assert errors(engine, batch) == ["bucket_not_allowed"]


def test_an_object_store_that_is_away_is_waited_for(settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake) -> None:
    batch = submit(put(storage, settings.upload_bucket, 2), settings, engine, storage)
    away = settings.model_copy(update={"s3_endpoint": "http://127.0.0.1:1"})
    assert BackgroundIntake(away, engine, Storage(away), "test").receive_next() == batch
    assert standing(engine, batch) == ("receiving", 0, 0)
    assert intake.receive_next() is None  # not at once
    with transaction(engine) as session:
        assert "object_store_unavailable" in str(
            session.execute(text("SELECT last_error FROM intakes WHERE ended_at IS NULL")).scalar_one()
        )
        session.execute(text("UPDATE intakes SET next_attempt_at = now()"))
    assert intake.receive_next() == batch
    assert standing(engine, batch) == ("running", 2, 0)


def test_refused_credentials_pause_the_batch_until_it_is_resumed(
    settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake
) -> None:
    batch = submit(put(storage, settings.upload_bucket, 2), settings, engine, storage)
    assert settings.s3_secret_key is not None
    denied = settings.model_copy(update={"s3_secret_key": type(settings.s3_secret_key)("wrong")})
    assert BackgroundIntake(denied, engine, Storage(denied), "test").receive_next() == batch
    assert standing(engine, batch)[0] == "paused"
    assert intake.receive_next() is None
    with transaction(engine) as session:
        resume_batch(session, batch, actor="test")
        session.execute(text("UPDATE intakes SET next_attempt_at = now()"))
    assert intake.receive_next() == batch
    assert standing(engine, batch) == ("running", 2, 0)


def test_a_source_that_kills_every_reader_ends_its_batch(
    settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake
) -> None:
    batch = submit(put(storage, settings.upload_bucket, 2), settings, engine, storage)
    with transaction(engine) as session:
        session.execute(text("UPDATE intakes SET attempts = :most WHERE batch_id = :id"), {"most": settings.max_attempts, "id": batch})
    assert intake.receive_next() == batch
    assert errors(engine, batch) == ["intake_keeps_dying"]


def test_the_intake_of_a_cancelled_batch_ends(settings: Settings, engine: Engine, storage: Storage, intake: BackgroundIntake) -> None:
    batch = submit(put(storage, settings.upload_bucket, 2), settings, engine, storage)
    with transaction(engine) as session:
        cancel_batch(session, batch, actor="test")
    assert intake.receive_next() is None
    with transaction(engine) as session:
        assert end_closed_intakes(session) == 1
    assert standing(engine, batch) == ("cancelling", 0, 0)


def test_an_intake_worker_reads_what_comes_while_it_runs(settings: Settings, engine: Engine, storage: Storage) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=run_intake, args=(settings, stop), kwargs={"pid": os.getpid()})
    thread.start()
    try:
        batch = submit(put(storage, settings.upload_bucket, 2), settings, engine, storage)
        deadline = time.monotonic() + WAIT_SECONDS
        while standing(engine, batch)[0] == "receiving" and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        stop.set()
        thread.join()
    assert standing(engine, batch) == ("running", 2, 0)
