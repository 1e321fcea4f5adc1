import hashlib
import json
import shutil
from pathlib import Path

import pytest

from tests.unit.lab.training.layers import labelled
from worker.lab.labels import write_labels
from worker.lab.taught_on import TAUGHT_ON, Overlap, Past, Seen, digest_of, overlap, read_past, seen_in, write_taught_on
from worker.moderation.errors import MisconfiguredError
from worker.vision.checkpoint import read_checkpoint, release_facts
from worker.vision.nano import CHECKPOINT

LABELS = [labelled(f"{name}-{kind}.jpg", f"photos/{name}.jpg") for name in ("ape", "bee", "cat") for kind in ("clean", "again")]
OTHER = "00" * 32


def seen(*names: str, labels_sha256: str = "11" * 32) -> Seen:
    return Seen(labels_sha256=labels_sha256, photographs=frozenset(digest_of(f"photos/{name}.jpg") for name in names))


def test_sources_that_a_checkpoint_knows_are_named_once_each() -> None:
    past = Past(taught=(seen("cat", "dog"), seen("ape")), calibrated=(seen("bee"),))
    found = overlap(past, LABELS, OTHER)
    assert found == Overlap(taught=("photos/ape.jpg", "photos/cat.jpg"), calibrated=("photos/bee.jpg",))
    assert found


def test_the_very_labels_are_known_even_where_no_photograph_was_noted() -> None:
    past = Past(calibrated=(seen(labels_sha256=OTHER),))
    assert overlap(past, LABELS, OTHER).calibrated == ("photos/ape.jpg", "photos/bee.jpg", "photos/cat.jpg")
    assert not overlap(past, LABELS, "22" * 32)


def test_a_checkpoint_s_past_is_read_as_it_was_noted_and_changes_no_release(tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint"
    shutil.copytree(CHECKPOINT, checkpoint)
    before = release_facts(read_checkpoint(checkpoint))
    write_labels(tmp_path / "labels.jsonl", LABELS)
    taught = [seen_in(tmp_path / "labels.jsonl"), seen("dog")]
    assert taught[0].labels_sha256 == hashlib.sha256((tmp_path / "labels.jsonl").read_bytes()).hexdigest()
    assert taught[0].photographs == seen("ape", "bee", "cat").photographs
    write_taught_on(checkpoint, taught)
    assert read_past(checkpoint).taught == tuple(taught)
    assert release_facts(read_checkpoint(checkpoint)) == before
    fitted_on = json.loads((checkpoint / "zoomin.json").read_text())["calibration"]["fitted_on"]
    assert [each.labels_sha256 for each in read_past(checkpoint).calibrated] == [fitted_on["labels_sha256"]]


def test_a_folder_without_notes_has_no_past_and_a_damaged_note_is_told(tmp_path: Path) -> None:
    assert read_past(tmp_path) == Past()
    (tmp_path / TAUGHT_ON).write_text('{"labels_sha256": "00", "photogr')
    with pytest.raises(MisconfiguredError, match=TAUGHT_ON):
        read_past(tmp_path)


def test_the_shipped_nano_knows_its_519_photographs() -> None:
    [known] = read_past(CHECKPOINT).taught
    assert len(known.photographs) == 519
    assert (CHECKPOINT / TAUGHT_ON).stat().st_size < 10_000
