"""Results and the commands around them, on a real Postgres."""

import csv
import hashlib
import json
from collections.abc import Callable
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import Engine, insert

from tests.unit.cli.invoke import Ended, room_for, zoomin
from worker.intake.storage import Storage
from worker.local.addresses import environment
from worker.moderation.identifiers import new_uuid7
from worker.moderation.outcomes import OutcomeKind
from worker.moderation.release import HONESTY, Training
from worker.moderation.settings import Settings
from worker.store import results as store_results
from worker.store.models import BatchRow, ChunkRow, ItemRow, OutcomeRow, RegionRow, ReleaseRow, RowErrorRow
from worker.store.releases import read_facts
from worker.store.results import read_results, stream_results, stream_row_errors
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

RELEASE = "nano-0123456789ab"
SHA = "00" * 32
Run = Callable[..., Ended]


@pytest.fixture(scope="module")
def tenant(engine: Engine) -> str:
    with transaction(engine) as session:
        ensure_tenant(session, "readers")
        session.add(ReleaseRow(id=RELEASE, name="nano", training=Training.UNTRAINED, facts={}))
    return "readers"


@pytest.fixture
def batch(engine: Engine, tenant: str) -> UUID:
    """Four items: judged twice (1 region, then 2), failed, judged without regions, pending; and two refused rows."""
    batch_id = new_uuid7()
    counts = {"verdicts": 2, "failed": 1}
    with transaction(engine) as session:
        session.execute(insert(BatchRow), [_batch(batch_id, tenant, state="running", items_accepted=4, rows_rejected=2)])
        session.execute(insert(ItemRow), [_item(batch_id, ordinal) for ordinal in range(4)])
        session.execute(insert(ChunkRow), [{"batch_id": batch_id, "lo": 0, "hi": 4, **counts}])
        session.execute(insert(OutcomeRow), [_verdict(batch_id, 0, 1, p=0.25), _verdict(batch_id, 0, 2, p=0.75), _verdict(batch_id, 2, 1)])
        failure = {"kind": "failed", "error_code": "image_corrupt", "error_message": "The image is damaged."}
        session.execute(insert(OutcomeRow), [{"batch_id": batch_id, "ordinal": 1, "revision": 1, "chunk_id": 1, **failure}])
        session.execute(insert(RegionRow), [_region(batch_id, 0, 1, 1), _region(batch_id, 0, 2, 1), _region(batch_id, 0, 2, 2)])
        errors = [(3, "source_ref_missing", "No source-ref."), (9, "key_invalid", "=cmd() is no key.")]
        session.execute(insert(RowErrorRow), [{"batch_id": batch_id, "line": n, "code": c, "message": m} for n, c, m in errors])
    return batch_id


@pytest.mark.usefixtures("tenant")
def test_facts_are_read_of_the_releases_that_are_known(engine: Engine) -> None:
    with transaction(engine) as session:
        assert read_facts(session, [RELEASE, "nano-ba9876543210"]) == {RELEASE: {}}


@pytest.fixture
def run(settings: Settings, tmp_path: Path) -> Run:
    """Commands with the module's services."""
    variables = environment(settings)
    del variables["ZOOMIN_HOME"]
    return lambda *arguments: zoomin(*arguments, home=tmp_path, settings=variables)


def _batch(batch_id: UUID, tenant: str, **changes: Any) -> dict[str, Any]:
    facts = {"id": batch_id, "tenant_id": tenant, "idempotency_key": str(batch_id), "request_digest": "", "source": "s3://photos/all/"}
    return facts | changes


def _item(batch_id: UUID, ordinal: int) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "ordinal": ordinal,
        "custom_id": f"image-{ordinal}.jpg",
        "bucket": "photos",
        "key": f"all/{ordinal}.jpg",
        "line": ordinal + 1,
    }


def _verdict(batch_id: UUID, ordinal: int, revision: int, p: float = 0.5, sha256: str = SHA) -> dict[str, Any]:
    return {
        "batch_id": batch_id,
        "ordinal": ordinal,
        "revision": revision,
        "chunk_id": 1,
        "kind": "verdict",
        "verdict": "generated" if p >= 0.5 else "real",
        "p_generated": p,
        "explanation": "Melted letters.",
        "path": "zoomed",
        "release_id": RELEASE,
        "image_sha256": sha256,
        "width": 320,
        "height": 240,
    }


def _region(batch_id: UUID, ordinal: int, revision: int, position: int) -> dict[str, Any]:
    place = {"batch_id": batch_id, "ordinal": ordinal, "revision": revision, "position": position}
    box = {"x0": 10 * position, "y0": 10, "x1": 100, "y1": 90, "crop_x0": 0, "crop_y0": 0, "crop_x1": 110, "crop_y1": 100}
    return {**place, **box, "reason": f"reason {revision}.{position}", "finding": None, "crop_sha256": SHA, "scale": 1.0}


def test_each_item_comes_once_with_its_newest_outcome_and_that_ones_regions(engine: Engine, batch: UUID) -> None:
    found = list(stream_results(engine, batch))
    assert [item.custom_id for item in found] == [f"image-{n}.jpg" for n in range(4)]
    assert [item.outcome for item in found] == [OutcomeKind.VERDICT, OutcomeKind.FAILED, OutcomeKind.VERDICT, None]
    assert (found[0].revision, found[0].p_generated) == (2, 0.75)
    assert [region.reason for region in found[0].regions] == ["reason 2.1", "reason 2.2"]
    assert found[0].training is Training.UNTRAINED
    assert found[1].error is not None
    assert found[1].error.code == "image_corrupt"
    assert found[2].regions == ()


def test_an_earlier_revision_can_be_read(engine: Engine, batch: UUID) -> None:
    found = list(stream_results(engine, batch, revision=1))
    assert (found[0].revision, found[0].p_generated, len(found[0].regions)) == (1, 0.25, 1)
    second = list(stream_results(engine, batch, revision=2))
    assert [item.outcome for item in second] == [OutcomeKind.VERDICT, None, None, None]


def test_pages_join_without_gap_or_repetition(engine: Engine, tenant: str) -> None:
    batch_id, count = new_uuid7(), 2 * store_results.PAGE + 7
    with transaction(engine) as session:
        session.execute(insert(BatchRow), [_batch(batch_id, tenant, state="finished", items_accepted=count)])
        session.execute(insert(ItemRow), [_item(batch_id, ordinal) for ordinal in range(count)])
        session.execute(insert(OutcomeRow), [_verdict(batch_id, ordinal, 1) for ordinal in range(count)])
    assert [item.ordinal for item in stream_results(engine, batch_id)] == list(range(count))


def test_a_page_begins_behind_its_ordinal_and_is_no_longer_than_asked(engine: Engine, batch: UUID) -> None:
    with transaction(engine) as session:
        assert [item.ordinal for item in read_results(session, batch, after=1, page=1)] == [2]
        assert read_results(session, batch, after=3) == []


def test_row_errors_come_by_line(engine: Engine, batch: UUID) -> None:
    assert [(error.line, error.code) for error in stream_row_errors(engine, batch)] == [(3, "source_ref_missing"), (9, "key_invalid")]


def test_jsonl_has_one_object_per_item(run: Run, batch: UUID) -> None:
    ended = run("results", str(batch), "--format", "jsonl")
    assert ended.code == 0
    objects = [json.loads(line) for line in ended.out.splitlines()]
    assert [found["outcome"] for found in objects] == ["verdict", "failed", "verdict", None]
    assert objects[0]["regions"][1]["box"] == [20, 10, 100, 90]
    assert objects[0]["source"] == "s3://photos/all/0.jpg"


def test_csv_and_coco_are_readable_by_their_own_kind(run: Run, batch: UUID, tmp_path: Path) -> None:
    rows = list(csv.DictReader(StringIO(run("results", str(batch), "--format", "csv").out)))
    assert [row["verdict"] for row in rows] == ["generated", "", "generated", ""]
    path = tmp_path / "boxes.json"
    assert run("results", str(batch), "--format", "coco", "--output", str(path)).code == 0
    document = json.loads(path.read_text())
    assert [image["id"] for image in document["images"]] == [1, 3]
    assert len(document["annotations"]) == 2


def test_the_table_says_what_the_model_is(run: Run, batch: UUID) -> None:
    shown = run("results", str(batch)).out
    assert HONESTY[Training.UNTRAINED] in shown
    assert "Melted letters." in shown
    assert "The image is damaged." in shown


def test_a_limited_table_says_how_to_see_the_rest(run: Run, batch: UUID) -> None:
    ended = run("results", str(batch), "--limit", "2")
    assert "image-2.jpg" not in ended.out
    assert "The first 2 of 4." in ended.err


def test_an_output_that_cannot_be_written_is_one_line(run: Run, batch: UUID, tmp_path: Path) -> None:
    for target in (tmp_path / "no" / "x.csv", Path("/dev/full")):
        ended = run("results", str(batch), "--format", "csv", "--output", str(target))
        assert ended.code == 2
        assert len(ended.err.strip().splitlines()) == 1


def test_row_errors_are_listed(run: Run, batch: UUID) -> None:
    assert "line 9: =cmd() is no key. [key_invalid]" in run("errors", str(batch)).out
    objects = [json.loads(line) for line in run("errors", str(batch), "--json").out.splitlines()]
    assert objects[0] == {"line": 3, "code": "source_ref_missing", "message": "No source-ref."}


def test_batches_are_listed_with_their_counts(run: Run, batch: UUID) -> None:
    assert str(batch) in run("batches").out
    listed = [json.loads(line) for line in run("batches", "--json").out.splitlines()]
    found = next(entry for entry in listed if entry["batch"] == str(batch))
    assert (found["verdict"], found["failed"], found["pending"], found["rejected"]) == (2, 1, 1, 2)


@pytest.mark.parametrize("command", ["results", "errors", "cancel", "resume", "rescan"])
def test_a_batch_that_is_not_there_is_exit_2(run: Run, command: str) -> None:
    ended = run(command, "0199a000-0000-7000-8000-000000000000")
    assert ended.code == 2
    assert "There is no batch" in ended.err


def test_a_malformed_batch_id_is_told_as_such(run: Run) -> None:
    ended = run("results", "nonsense")
    assert ended.code == 2
    assert "'nonsense' is not a batch id" in ended.err


def test_only_known_kinds_can_be_rescanned(run: Run, batch: UUID) -> None:
    ended = run("rescan", str(batch), "--only", "failed,broken")
    assert ended.code == 2
    assert "unreadable" in ended.err


def test_a_batch_can_be_cancelled_once_it_runs(run: Run, batch: UUID) -> None:
    assert "is cancelling" in run("cancel", str(batch)).out
    assert "batch_unfinished" in run("rescan", str(batch)).err


def test_the_schema_says_where_it_stands(run: Run) -> None:
    assert "the newest" in run("db", "upgrade").out
    assert "zoomin db upgrade" not in run("db", "current").out


def test_pictures_are_drawn_only_of_the_bytes_that_were_judged(
    run: Run, engine: Engine, storage: Storage, settings: Settings, tenant: str, tmp_path: Path
) -> None:
    batch_id, body = new_uuid7(), BytesIO()
    Image.new("RGB", (320, 240), "teal").save(body, "JPEG")
    bucket = settings.upload_bucket
    for ordinal in range(2):
        storage.put(bucket, f"{batch_id}/{ordinal}.jpg", body.getvalue(), "image/jpeg")
    same = hashlib.sha256(body.getvalue()).hexdigest()
    with transaction(engine) as session:
        session.execute(insert(BatchRow), [_batch(batch_id, tenant, state="finished", items_accepted=2)])
        items = [_item(batch_id, ordinal) | {"bucket": bucket, "key": f"{batch_id}/{ordinal}.jpg"} for ordinal in range(2)]
        session.execute(insert(ItemRow), items)
        session.execute(insert(OutcomeRow), [_verdict(batch_id, 0, 1, sha256=same), _verdict(batch_id, 1, 1)])
        session.execute(insert(RegionRow), [_region(batch_id, 0, 1, 1)])
    ended = run("results", str(batch_id), "--pictures", str(tmp_path / "drawn"))
    assert ended.code == 0
    assert "image-1.jpg: s3://" in ended.err
    assert [path.name for path in (tmp_path / "drawn").iterdir()] == ["0000-image-0.jpg"]
    with Image.open(tmp_path / "drawn" / "0000-image-0.jpg") as drawn:
        assert drawn.width > 320


def test_pictures_on_a_full_disk_are_an_error_and_no_half_pictures(
    run: Run, engine: Engine, storage: Storage, settings: Settings, tenant: str, tmp_path: Path
) -> None:
    batch_id, body = new_uuid7(), BytesIO()
    Image.effect_noise((640, 480), 90).convert("RGB").save(body, "JPEG")
    storage.put(settings.upload_bucket, f"{batch_id}/0.jpg", body.getvalue(), "image/jpeg")
    with transaction(engine) as session:
        session.execute(insert(BatchRow), [_batch(batch_id, tenant, state="finished", items_accepted=1)])
        session.execute(insert(ItemRow), [_item(batch_id, 0) | {"bucket": settings.upload_bucket, "key": f"{batch_id}/0.jpg"}])
        session.execute(insert(OutcomeRow), [_verdict(batch_id, 0, 1, sha256=hashlib.sha256(body.getvalue()).hexdigest())])
    with room_for(20_000):
        ended = run("results", str(batch_id), "--pictures", str(tmp_path / "drawn"))
    assert ended.code == 2
    assert "0000-image-0.jpg" in ended.err
    assert list((tmp_path / "drawn").iterdir()) == []
