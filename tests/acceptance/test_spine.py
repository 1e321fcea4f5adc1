"""The whole path as a user meets it: command line, S3, Postgres, Valkey, Celery, vLLM. Nothing is faked."""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import zlib
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from PIL import Image
from sqlalchemy import func, select, text

from tests.acceptance.conftest import SAMPLES, ZOOMIN, RunningStack, wait_for
from worker.moderation.release import HONESTY, Training
from worker.store.models import AuditEventRow, ChunkRow, EvidenceRow, OutcomeRow, TraceRow

pytestmark = pytest.mark.timeout(600)
KILLED_BATCH_IMAGES = 48  # enough to be in the middle of when the worker is killed


@pytest.fixture(scope="module")
def scanned(stack: RunningStack) -> dict[str, object]:
    """The sample photographs, judged."""
    return stack.scan(SAMPLES)


def test_every_sample_gets_a_verdict_and_the_summary_reconciles(scanned: dict[str, object]) -> None:
    assert (scanned["accepted"], scanned["verdict"]) == (12, 12)
    assert (scanned["unreadable"], scanned["failed"], scanned["cancelled"], scanned["rejected"]) == (0, 0, 0, 0)
    assert scanned["state"] == "finished"
    assert scanned["training"] == "trained"


def test_the_zoom_reuses_the_scans_prefix(scanned: dict[str, object]) -> None:
    assert float(str(scanned["cached_attainable_share"])) >= 0.95
    assert 0 < float(str(scanned["cached_prompt_share"])) <= 1


def test_results_hold_what_is_promised(stack: RunningStack, scanned: dict[str, object]) -> None:
    items = stack.results(str(scanned["batch"]))
    assert set(items) == {path.name for path in SAMPLES.glob("*.jpg")}
    for name, item in items.items():
        with Image.open(SAMPLES / name) as image:
            width, height = image.size
        assert item["outcome"] == "verdict"
        assert item["verdict"] in ("real", "generated")
        assert 0 <= item["p_generated"] <= 1
        assert item["path"] in ("zoomed", "second_look")
        assert item["release"].startswith("nano-")
        assert item["source"].endswith(name)
        for region in item["regions"]:
            x0, y0, x1, y1 = region["box"]
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            assert set(region) >= {"box", "reason", "finding", "crop_sha256"}


def test_the_table_says_what_the_model_is(stack: RunningStack, scanned: dict[str, object]) -> None:
    result = stack.cli("results", str(scanned["batch"]))
    assert result.returncode == 0
    assert HONESTY[Training.TRAINED] in " ".join((result.stdout + result.stderr).split())
    assert "bridge.jpg" in result.stdout


def test_every_picture_the_model_saw_is_kept_under_its_hash(stack: RunningStack, scanned: dict[str, object]) -> None:
    with stack.engine.connect() as connection:
        kept = connection.execute(select(EvidenceRow.sha256, EvidenceRow.bucket, EvidenceRow.key)).all()
        sent = connection.scalars(select(OutcomeRow.sent_sha256).where(OutcomeRow.batch_id == UUID(str(scanned["batch"])))).all()
    cropped = {region["crop_sha256"] for item in stack.results(str(scanned["batch"])).values() for region in item["regions"]}
    assert {*sent, *cropped} <= {row.sha256 for row in kept}
    for row in kept:
        body = stack.storage.get(row.bucket, row.key, max_bytes=20_000_000, timeout_seconds=10).body
        assert hashlib.sha256(body).hexdigest() == row.sha256


def test_every_request_and_reply_is_traced(stack: RunningStack, scanned: dict[str, object]) -> None:
    with stack.engine.connect() as connection:
        stages = connection.execute(
            select(TraceRow.stage, func.count(TraceRow.ordinal.distinct()))
            .where(TraceRow.batch_id == UUID(str(scanned["batch"])))
            .group_by(TraceRow.stage)
        ).all()
    assert {stage: count for stage, count in stages} == {"scan": 12, "zoom": 12}  # noqa: C416  rows, not tuples


def test_bad_images_fail_alone_with_a_code_each(stack: RunningStack, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    good = (SAMPLES / "bridge.jpg").read_bytes()
    bad = {
        "empty.jpg": (b"", "object_empty"),
        "text.jpg": (b"I am a text file, whatever my name says.\n" * 20, "image_unrecognised"),
        "page.png": (b"<html><script>alert(1)</script></html>", "image_unrecognised"),
        "cut.jpg": (good[: len(good) // 2], "image_corrupt"),
        "huge.png": (_header_only_png(30_000), "image_too_large"),
    }
    for name, (body, _) in bad.items():
        (folder / name).write_bytes(body)
    (folder / "good.jpg").write_bytes(good)
    summary = stack.scan(folder)
    items = stack.results(str(summary["batch"]))
    assert {name: items[name]["error"]["code"] for name in bad} == {name: code for name, (_, code) in bad.items()}
    assert all(items[name]["verdict"] is None for name in bad)
    assert items["good.jpg"]["outcome"] == "verdict"
    assert (summary["verdict"], summary["failed"]) == (1, len(bad))


def test_a_manifest_with_bad_rows_keeps_the_good_ones(stack: RunningStack, tmp_path: Path) -> None:
    bucket = stack.settings.upload_bucket
    stack.storage.put(bucket, "manifest/bridge.jpg", (SAMPLES / "bridge.jpg").read_bytes(), "image/jpeg")
    rows = [
        json.dumps({"source-ref": f"s3://{bucket}/manifest/bridge.jpg", "custom_id": "good"}),
        json.dumps({"source-ref": f"s3://{bucket}/manifest/bridge.jpg", "custom_id": "good"}),
        json.dumps({"source-ref": f"s3://{bucket}/manifest/nowhere.jpg"}),
        json.dumps({"source-ref": "s3://somebody-elses/x.jpg"}),
        json.dumps({"source-ref": "file:///etc/passwd"}),
        "{not json",
    ]
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text("\n".join(rows) + "\n")
    summary = stack.scan(manifest)
    assert (summary["accepted"], summary["rejected"], summary["verdict"], summary["failed"]) == (2, 4, 1, 1)
    items = stack.results(str(summary["batch"]))
    assert items["good"]["outcome"] == "verdict"
    assert items["line:3"]["error"]["code"] == "object_missing"
    errors = stack.cli("errors", str(summary["batch"])).stdout
    assert "duplicate_custom_id" in errors


def test_the_same_key_is_the_same_batch(stack: RunningStack, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "bridge.jpg", tmp_path)
    first = stack.scan(tmp_path, "--key", "once")
    second = stack.scan(tmp_path, "--key", "once")
    assert first["batch"] == second["batch"]
    assert second["accepted"] == 1


def test_a_rescan_adds_a_revision_and_keeps_the_first(stack: RunningStack, tmp_path: Path) -> None:
    shutil.copy(SAMPLES / "coffee.jpg", tmp_path)
    batch = str(stack.scan(tmp_path)["batch"])
    assert stack.cli("rescan", batch).returncode == 0
    wait_for(lambda: _revisions(stack, batch) == [1, 2], seconds=120, what="the second revision")


def test_a_cancelled_batch_settles_every_item(stack: RunningStack, tmp_path: Path) -> None:
    _copies(tmp_path, 24)
    submitted = stack.cli("scan", str(tmp_path), "--json")
    batch = json.loads(submitted.stdout.strip().splitlines()[-1])["batch"]
    assert stack.cli("cancel", batch).returncode == 0
    wait_for(lambda: _outcomes(stack, batch) == 24, seconds=120, what="all items to be settled")
    assert {item["outcome"] for item in stack.results(batch).values()} <= {"cancelled", "verdict"}


def test_a_killed_worker_costs_nothing_and_repeats_nothing(stack: RunningStack, tmp_path: Path) -> None:
    _copies(tmp_path, KILLED_BATCH_IMAGES)
    submitted = stack.cli("scan", str(tmp_path), "--json")
    batch = json.loads(submitted.stdout.strip().splitlines()[-1])["batch"]
    wait_for(lambda: _outcomes(stack, batch) > 0, seconds=120, what="the first outcomes")
    victim = stack.worker()
    assert _outcomes(stack, batch) < KILLED_BATCH_IMAGES
    engine = victim.children(recursive=True)
    os.kill(victim.pid, signal.SIGKILL)
    assert psutil.wait_procs(engine, timeout=10)[1] == []  # an engine without its worker would keep the memory the next one needs
    wait_for(lambda: _outcomes(stack, batch) == KILLED_BATCH_IMAGES, seconds=300, what=f"the batch to finish\n{stack.log()}")
    with stack.engine.connect() as connection:
        audited = connection.execute(
            select(AuditEventRow.ordinal, func.count())
            .where(AuditEventRow.batch_id == UUID(batch), AuditEventRow.action == "outcome.recorded")
            .group_by(AuditEventRow.ordinal)
        ).all()
        verdicts = connection.scalar(select(func.sum(ChunkRow.verdicts)).where(ChunkRow.batch_id == UUID(batch)))
    assert [count for _, count in audited] == [1] * KILLED_BATCH_IMAGES
    assert verdicts == KILLED_BATCH_IMAGES
    assert {item["outcome"] for item in stack.results(batch).values()} == {"verdict"}


def test_the_application_cannot_change_what_was_recorded(stack: RunningStack) -> None:
    for statement in ("UPDATE outcomes SET verdict = 'real'", "DELETE FROM audit_events", "TRUNCATE audit_events", "DROP TABLE items"):
        with stack.engine.connect() as connection, pytest.raises(Exception, match=r"permission denied|must be owner"):
            connection.execute(text(statement))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("results", "not-a-batch"), "not-a-batch"),
        (("results", "0193e95a-0000-7000-8000-000000000000"), "0193e95a"),
        (("scan", "/nowhere/at/all"), "/nowhere/at/all"),
        (("scan", "s3://somebody-elses/prefix/"), "somebody-elses"),
        (("results", "x", "--format", "xml"), "xml"),
        (("scan", "--quick", "x"), "--quick"),
    ],
)
def test_a_mistake_gets_one_clear_answer_and_no_traceback(stack: RunningStack, arguments: tuple[str, ...], words: str) -> None:
    result = stack.cli(*arguments)
    assert result.returncode == 2
    assert words in result.stderr
    assert "Traceback" not in result.stdout + result.stderr


def test_without_a_stack_the_command_says_how_to_start_one(tmp_path: Path) -> None:
    environment = {**os.environ, "ZOOMIN_HOME": str(tmp_path / "none")}
    result = subprocess.run([*ZOOMIN, "batches"], env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "zoomin up" in result.stderr


def _copies(folder: Path, count: int) -> None:
    """Different pictures, so that nothing can be answered twice from one."""
    samples = sorted(SAMPLES.glob("*.jpg"))
    for number in range(count):
        with Image.open(samples[number % len(samples)]) as image:
            image.crop((number // len(samples) * 8, 0, image.width, image.height)).save(folder / f"{number:03}.jpg", quality=95)


def _header_only_png(side: int) -> bytes:
    """A PNG that claims to be `side` pixels square."""
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16)).save(buffer, "PNG")
    body = bytearray(buffer.getvalue())
    body[16:24] = side.to_bytes(4, "big") * 2
    body[29:33] = zlib.crc32(body[12:29]).to_bytes(4, "big")
    return bytes(body)


def _outcomes(stack: RunningStack, batch: str) -> int:
    with stack.engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(OutcomeRow).where(OutcomeRow.batch_id == UUID(batch))) or 0


def _revisions(stack: RunningStack, batch: str) -> list[int]:
    with stack.engine.connect() as connection:
        query = select(OutcomeRow.revision).where(OutcomeRow.batch_id == UUID(batch)).order_by(OutcomeRow.revision)
        return list(connection.scalars(query))
