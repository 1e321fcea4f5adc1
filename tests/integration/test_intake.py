"""Sources of every kind become batches, on the real Postgres and the real object store."""

import gzip
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from worker.intake import IntakeProgress, enqueue_batch, enqueue_references
from worker.intake.benchmark import measure_intake
from worker.intake.slicing import SLICE_ROWS
from worker.intake.storage import Storage
from worker.moderation.errors import RejectedError, TransientError
from worker.moderation.settings import Settings
from worker.store.batches import cancel_batch, find_batch
from worker.store.models.intake import BatchState
from worker.store.session import connect, transaction


@pytest.fixture
def bucket(settings: Settings) -> str:
    return settings.upload_bucket


@pytest.fixture
def place() -> str:
    """A key prefix of the test's own."""
    return uuid4().hex


def manifest(rows: range, bucket: str) -> bytes:
    return b"".join(f'{{"source-ref": "s3://{bucket}/{n}.jpg", "custom_id": "id-{n}"}}\n'.encode() for n in rows)


def items(engine: Engine, batch_id: UUID) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        query = text("SELECT ordinal, line, custom_id, bucket, key FROM items WHERE batch_id = :id ORDER BY ordinal")
        return [tuple(row) for row in connection.execute(query, {"id": batch_id})]


def errors(engine: Engine, batch_id: UUID) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        query = text("SELECT line, code FROM row_errors WHERE batch_id = :id ORDER BY line")
        return [tuple(row) for row in connection.execute(query, {"id": batch_id})]


def state(engine: Engine, batch_id: UUID) -> str:
    with transaction(engine) as session:
        return find_batch(session, batch_id).state


def test_a_manifest_in_s3_becomes_a_batch_and_bad_rows_harm_no_other(
    settings: Settings, engine: Engine, storage: Storage, bucket: str, place: str
) -> None:
    good = f'{{"source-ref": "s3://{bucket}/%s.jpg", "custom_id": "%s"}}'
    rows = [good % (1, "a"), "{", "", good % (2, "a"), '{"source-ref": "s3://elsewhere/x"}', f'{{"source-ref": "s3://{bucket}/3.jpg"}}']
    storage.put(bucket, f"{place}.jsonl.gz", gzip.compress("\r\n".join(rows).encode()), "application/gzip")
    receipt = enqueue_batch(f"s3://{bucket}/{place}.jsonl.gz", settings=settings, engine=engine, storage=storage)
    assert (receipt.created, receipt.accepted, receipt.rejected) == (True, 2, 3)
    assert items(engine, receipt.batch_id) == [(0, 1, "a", bucket, "1.jpg"), (1, 6, "line:6", bucket, "3.jpg")]
    assert errors(engine, receipt.batch_id) == [(2, "json_invalid"), (4, "duplicate_custom_id"), (5, "bucket_not_allowed")]
    assert state(engine, receipt.batch_id) == BatchState.RUNNING


def test_a_prefix_becomes_a_batch_under_relative_names(
    settings: Settings, engine: Engine, storage: Storage, bucket: str, place: str
) -> None:
    for key, body in {"a.jpg": b"x", "sub/": b"", "sub/b.txt": b"", "sub/ü.png": b"x"}.items():
        storage.put(bucket, f"{place}/{key}", body, "image/png")
    receipt = enqueue_batch(f"s3://{bucket}/{place}/", settings=settings, engine=engine, storage=storage)
    assert [(row[1], row[2], row[4]) for row in items(engine, receipt.batch_id)] == [
        (1, "a.jpg", f"{place}/a.jpg"),
        (2, "sub/b.txt", f"{place}/sub/b.txt"),
        (3, "sub/ü.png", f"{place}/sub/ü.png"),
    ]


def test_a_folder_is_uploaded_and_becomes_a_batch(settings: Settings, engine: Engine, storage: Storage, tmp_path: Path) -> None:
    for name in ("b/two.png", "one.jpg", "bad\nname.jpg", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(f"bytes of {name}".encode())
    seen: list[IntakeProgress] = []
    receipt = enqueue_batch(str(tmp_path), settings=settings, engine=engine, storage=storage, progress=seen.append)
    prefix = f"folders/{receipt.batch_id}/"
    assert items(engine, receipt.batch_id) == [
        (0, 1, "b/two.png", settings.upload_bucket, f"{prefix}b/two.png"),
        (1, 3, "one.jpg", settings.upload_bucket, f"{prefix}one.jpg"),
    ]
    assert errors(engine, receipt.batch_id) == [(2, "key_invalid")]
    assert storage.get(settings.upload_bucket, f"{prefix}b/two.png", max_bytes=100, timeout_seconds=5).body == b"bytes of b/two.png"
    assert seen == [IntakeProgress(receipt.batch_id, 2, 1, 3)]


def test_references_from_code_become_a_batch(settings: Settings, engine: Engine, bucket: str) -> None:
    rows: list[str | dict[str, object]] = [
        "s3://" + bucket + "/1.jpg",
        {"source-ref": f"s3://{bucket}/2.jpg", "custom_id": "two", "metadata": {"a": 1}},
        {"custom_id": "x"},
        "x",
    ]
    receipt = enqueue_references(rows, settings=settings, engine=engine)
    assert [row[2] for row in items(engine, receipt.batch_id)] == ["line:1", "two"]
    assert errors(engine, receipt.batch_id) == [(3, "source_ref_missing"), (4, "scheme_refused")]


def test_a_key_never_stands_for_other_references(settings: Settings, engine: Engine, bucket: str) -> None:
    first, other = [f"s3://{bucket}/a.jpg"], [f"s3://{bucket}/b.jpg", f"s3://{bucket}/c.jpg"]
    receipt = enqueue_references(first, settings=settings, engine=engine, idempotency_key="references")
    assert enqueue_references(first, settings=settings, engine=engine, idempotency_key="references").batch_id == receipt.batch_id
    with pytest.raises(RejectedError) as refused:
        enqueue_references(other, settings=settings, engine=engine, idempotency_key="references")
    assert refused.value.code == "idempotency_conflict"


def test_a_key_never_stands_for_a_manifest_that_changed(settings: Settings, engine: Engine, tmp_path: Path, bucket: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(manifest(range(3), bucket))
    enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="edited")
    path.write_bytes(manifest(range(5), bucket))
    with pytest.raises(RejectedError) as refused:
        enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="edited")
    assert refused.value.code == "idempotency_conflict"


def test_the_same_key_submits_once(settings: Settings, engine: Engine, tmp_path: Path, bucket: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(manifest(range(3), bucket))
    first = enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="once")
    again = enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="once")
    assert (first.created, again.created) == (True, False)
    assert (again.batch_id, again.accepted) == (first.batch_id, 3)
    with pytest.raises(RejectedError) as refused:
        enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="once", priority=5)
    assert refused.value.code == "idempotency_conflict"


def interrupted(settings: Settings, engine: Engine, path: Path, key: str) -> UUID:
    """The batch of an intake that was killed by SIGKILL after its first slice and before its last."""
    assert settings.database_url is not None
    argv = [sys.executable, str(Path(__file__).with_name("intake_child.py")), settings.database_url.get_secret_value(), str(path), key]
    with subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}) as child:
        deadline = time.monotonic() + 60
        query = text("SELECT id FROM batches WHERE idempotency_key = :key AND items_accepted > 0")
        batch_id = None
        while batch_id is None and time.monotonic() < deadline:
            with engine.connect() as connection:
                batch_id = connection.execute(query, {"key": key}).scalar()
        child.send_signal(signal.SIGKILL)
    assert batch_id is not None
    assert state(engine, batch_id) == BatchState.RECEIVING
    return UUID(str(batch_id))


def test_a_killed_intake_goes_on_where_it_stopped(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    rows = 4 * SLICE_ROWS
    path = tmp_path / "m.csv"
    lines = "".join(f"s3://photos/{n}.jpg,id-{n % (rows - 5)}\n" for n in range(rows))
    path.write_text("source-ref,custom_id\n" + lines)
    settings = settings.model_copy(update={"buckets": ("photos",)})
    batch_id = interrupted(settings, engine, path, "killed")
    receipt = enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="killed")
    assert (receipt.batch_id, receipt.created) == (batch_id, False)
    assert (receipt.accepted, receipt.rejected) == (rows - 5, 5)
    found = items(engine, batch_id)
    assert [row[0] for row in found] == list(range(rows - 5))
    assert [row[2] for row in found] == [f"id-{n}" for n in range(rows - 5)]
    assert Counter(code for _, code in errors(engine, batch_id)) == {"duplicate_custom_id": 5}
    with engine.connect() as connection:
        query = text("SELECT lo, hi FROM chunks WHERE batch_id = :id ORDER BY lo")
        ranges = list(connection.execute(query, {"id": batch_id}))
    assert [low for low, _ in ranges] == [0, *(high for _, high in ranges[:-1])]
    assert ranges[-1][1] == rows - 5


def test_a_manifest_that_changed_is_not_resumed(settings: Settings, engine: Engine, tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(manifest(range(4 * SLICE_ROWS), "photos"))
    settings = settings.model_copy(update={"buckets": ("photos",)})
    batch_id = interrupted(settings, engine, path, "changed")
    path.write_bytes(manifest(range(4 * SLICE_ROWS + 1), "photos"))
    with pytest.raises(RejectedError) as refused:
        enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="changed")
    assert refused.value.code == "manifest_changed"
    assert str(batch_id) in refused.value.message


def test_an_interrupted_prefix_goes_on_behind_its_last_key(
    settings: Settings, engine: Engine, storage: Storage, bucket: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.intake.slicing.SLICE_ROWS", 2)
    for number in range(5):
        storage.put(bucket, f"{place}/{number}", b"x", "image/png")

    def interrupt(_: IntakeProgress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enqueue_batch(
            f"s3://{bucket}/{place}/", settings=settings, engine=engine, storage=storage, idempotency_key=place, progress=interrupt
        )
    receipt = enqueue_batch(f"s3://{bucket}/{place}/", settings=settings, engine=engine, storage=storage, idempotency_key=place)
    assert [(row[1], row[2]) for row in items(engine, receipt.batch_id)] == [(number + 1, str(number)) for number in range(5)]


def test_a_manifest_damaged_half_way_keeps_its_good_rows_and_says_so(
    settings: Settings, engine: Engine, tmp_path: Path, bucket: str
) -> None:
    path = tmp_path / "m.jsonl.gz"
    path.write_bytes(gzip.compress(manifest(range(30_000), bucket))[:-2000])
    with pytest.raises(RejectedError) as refused:
        enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="damaged")
    assert refused.value.code == "manifest_damaged"
    receipt = enqueue_batch(str(path), settings=settings, engine=engine, idempotency_key="damaged")
    assert str(receipt.batch_id) in refused.value.message
    assert receipt.accepted > 1000
    assert errors(engine, receipt.batch_id) == [(receipt.accepted + 1, "manifest_damaged")]
    assert state(engine, receipt.batch_id) == BatchState.RUNNING


@pytest.mark.parametrize(
    ("name", "content", "code"),
    [
        ("m.jsonl", '{"source-ref": "s3://b/1.jpg"}'.encode("utf-16"), "manifest_encoding"),
        ("m.csv", b"s3://b/1.jpg\n", "column_missing"),
    ],
)
def test_an_unreadable_manifest_is_a_rejected_batch(
    settings: Settings, engine: Engine, tmp_path: Path, name: str, content: bytes, code: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RejectedError) as refused:
        enqueue_batch(str(tmp_path / name), settings=settings, engine=engine, idempotency_key=code)
    assert refused.value.code == code
    receipt = enqueue_batch(str(tmp_path / name), settings=settings, engine=engine, idempotency_key=code)
    assert (receipt.accepted, receipt.rejected) == (0, 1)
    assert state(engine, receipt.batch_id) == BatchState.REJECTED


def test_a_batch_cancelled_while_it_is_read_takes_no_more(settings: Settings, engine: Engine, tmp_path: Path, bucket: str) -> None:
    path = tmp_path / "m.jsonl"
    path.write_bytes(manifest(range(5 * SLICE_ROWS), bucket))

    def cancel(standing: IntakeProgress) -> None:
        with transaction(engine) as session:
            cancel_batch(session, standing.batch_id, actor="test")

    with pytest.raises(RejectedError) as refused:
        enqueue_batch(str(path), settings=settings, engine=engine, progress=cancel)
    assert refused.value.code == "batch_closed"


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("nowhere", "source_missing"),
        (__file__, "source_unknown"),
        ("s3://elsewhere/photos/", "bucket_not_allowed"),
        ("s3://{bucket}/nothing-here/", "source_empty"),
        ("s3://{bucket}/nothing.jsonl", "object_missing"),
        ("s3://{bucket}/photos", "source_unknown"),
        ("ftp://host/m.jsonl", "scheme_refused"),
        ("http://169.254.169.254/m.jsonl", "host_not_allowed"),
    ],
)
def test_a_source_that_is_not_there_opens_no_batch(
    settings: Settings, engine: Engine, storage: Storage, bucket: str, source: str, code: str
) -> None:
    with pytest.raises(RejectedError) as refused:
        enqueue_batch(source.format(bucket=bucket), settings=settings, engine=engine, storage=storage, idempotency_key=source)
    assert refused.value.code == code
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM batches WHERE idempotency_key = :key"), {"key": source}).scalar() == 0


def test_an_outage_of_postgres_says_how_to_go_on(settings: Settings, tmp_path: Path, bucket: str) -> None:
    (tmp_path / "m.jsonl").write_bytes(manifest(range(1), bucket))
    assert settings.database_url is not None
    nowhere = settings.database_url.get_secret_value().partition("?")[0] + "?host=/nowhere"
    engine = connect(settings.model_copy(update={"database_url": type(settings.database_url)(nowhere)}), application="zoomin-test")
    with pytest.raises(TransientError) as refused:
        enqueue_batch(str(tmp_path / "m.jsonl"), settings=settings, engine=engine)
    assert refused.value.code == "database_unavailable"
    assert "idempotency key" in refused.value.message
    engine.dispose()


def test_intake_is_measured_against_a_raw_copy_and_stays_small(settings: Settings) -> None:
    measured = measure_intake(60_000, settings)
    assert measured.rows == 60_000
    assert measured.peak_rss_mb < 300
    assert measured.ratio > 0.1  # the bar, 0.4, is for a million rows on a quiet machine: `make bench`
