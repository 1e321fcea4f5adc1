"""`zoomin evaluate` as a user runs it: through the real vLLM, and on a batch in the real Postgres."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.integration.queue_world import RELEASE, World, verdict
from tests.unit.cli.invoke import zoomin
from worker.cli.evaluate import unmeasured_in_words
from worker.lab.labels import Label, read_labels, write_labels
from worker.local.addresses import environment
from worker.moderation.boxes import Size
from worker.moderation.degradation import DegradationBand
from worker.moderation.outcomes import ItemReference, OutcomeKind, SourceFacts
from worker.moderation.settings import Settings
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.session import transaction

SAMPLES = Path(__file__).parents[2] / "worker" / "local" / "samples"
ENGINE_SECONDS = 420  # loading it, and PyTorch five times, twice as slow as on two idle cores
WITH_INTERVALS = (
    "balanced_accuracy",
    "auroc",
    "average_precision",
    "tpr_at_1_fpr",
    "ece",
    "brier",
    "iou_mean_best",
    "f1_at_50",
    "scan_accuracy",
    "random_crop_accuracy",
    "no_crop_accuracy",
    "unreadable_rate",
)

EXPLAINED = ("attention_ratio", "pointing_game", "faithfulness_drop", "faithfulness_control")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two of the samples' pairs, one picture of which is in a folder below."""
    folder = tmp_path / "pictures"
    (folder / "below").mkdir(parents=True)
    labels = list(read_labels(SAMPLES / "labels.jsonl")[:4])
    for label in labels:
        shutil.copy(SAMPLES / label.file, folder)
    (folder / labels[0].file).rename(folder / "below" / labels[0].file)
    labels[0] = replace(labels[0], file=f"below/{labels[0].file}")
    write_labels(folder / "labels.jsonl", labels)
    return folder


def evaluated_in(engine: Engine, folder: Path, labels: tuple[Label, ...], *, leave_out: int = 0) -> str:
    """A batch that has judged the pictures rightly but for the last, which it could not read."""
    world = World(engine)
    digests = [hashlib.sha256((folder / label.file).read_bytes()).hexdigest() for label in labels]
    names = {ordinal: label.file for ordinal, label in enumerate(labels)}
    batch_id = world.batch(len(labels), names=names)
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
    outcomes = [
        verdict(ItemReference(batch_id, ordinal, label.file, "b", f"k{ordinal}"), 0.9 if label.generator else 0.2)
        for ordinal, label in enumerate(labels)
    ]
    outcomes = [replace(one, source=SourceFacts(sha256=digest, size=Size(64, 64))) for one, digest in zip(outcomes, digests, strict=True)]
    outcomes[-1] = replace(outcomes[-1], kind=OutcomeKind.UNREADABLE, verdict=None, p_generated=None)
    place = Place(batch_id=batch_id, revision=1, chunk_id=chunk_id)
    with transaction(engine) as session:
        insert_outcomes(session, place, outcomes[leave_out:], Judgement(actor="test", release=RELEASE))
    return str(batch_id)


@pytest.mark.timeout(ENGINE_SECONDS + 30)
def test_pictures_are_judged_through_vllm_and_told_in_json_and_in_one_page(folder: Path, tmp_path: Path) -> None:
    arguments = [str(folder), "--labels", str(folder / "labels.jsonl"), "--json", "--no-robustness", "--output", str(tmp_path / "out")]
    arguments += ["--attention", "--attention-pictures", "2", "--faithfulness", "--faithfulness-pictures", "1"]
    command = [sys.executable, "-m", "worker.cli", "evaluate", *arguments]
    variables = {**os.environ, "ZOOMIN_HOME": str(tmp_path / "home")}
    ended = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=ENGINE_SECONDS, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told == json.loads((tmp_path / "out" / "report.json").read_text())
    assert told["n"] == 4
    assert told["release"].startswith("nano-")
    for name in WITH_INTERVALS:
        assert told[name].keys() == {"value", "low", "high"}
        assert 0 <= told[name]["value"] <= 1, name
    assert told["throughput"]["completion_tokens"] > 0
    assert {row["name"] for row in told["tables"]["stages"]} >= {"scan alone", "no crop", "random crops", "largest 3"}
    for name in EXPLAINED:
        assert told[name].keys() == {"value", "low", "high"}, name
    as_drawn = next(row for row in told["tables"]["attention_agreement"] if row["name"] == "as maps are drawn")
    assert as_drawn["n"] == 2
    assert as_drawn["logprobs_agree"]["value"] == 1.0  # within 0.05 nats, float32 on both sides
    assert as_drawn["logprob_gap"]["value"] < 0.05
    page = (tmp_path / "out" / "report.html").read_text()
    assert told["honesty"] in page
    assert page.count("data:image/jpeg;base64,") >= 4
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert "<script" not in page
    assert len((tmp_path / "out" / "outcomes.jsonl").read_text().splitlines()) == 1 + 4 * 4 + 2  # tested: one photograph's two pictures


def test_a_finished_batch_is_scored_without_judging_again(folder: Path, engine: Engine, settings: Settings, tmp_path: Path) -> None:
    labels = read_labels(folder / "labels.jsonl")
    batch_id = evaluated_in(engine, folder, labels)
    variables = {name: value for name, value in environment(settings).items() if name != "ZOOMIN_HOME"}
    arguments = ["evaluate", str(folder), "--labels", str(folder / "labels.jsonl"), "--json", "--batch"]
    ended = zoomin(*arguments, batch_id, "--faithfulness", home=tmp_path, settings=variables)
    assert ended.code == 0, ended.err
    assert "no checks of explanations" in ended.err
    told = json.loads(ended.out)
    assert told["faithfulness_drop"] == told["faithfulness_control"] == {"value": None, "low": None, "high": None}
    assert told["release"] == RELEASE.id
    assert told["judged_by"] == f"batch {batch_id}"
    assert told["balanced_accuracy"]["value"] == 0.75
    assert told["unreadable_rate"]["value"] == 0.25
    assert told["throughput"]["prompt_tokens"] == 250
    assert told["no_crop_accuracy"] == {"value": None, "low": None, "high": None}
    unfinished = zoomin(*arguments, evaluated_in(engine, folder, labels, leave_out=1), home=tmp_path, settings=variables)
    assert unfinished.code == 2
    assert f"has not come to 1 of the pictures (pending or cancelled): {labels[0].file}" in unfinished.err


def test_a_batch_of_another_split_is_not_taken_for_this_one(folder: Path, engine: Engine, settings: Settings, tmp_path: Path) -> None:
    labels = read_labels(folder / "labels.jsonl")
    batch_id = evaluated_in(engine, folder, labels)
    with (folder / labels[1].file).open("ab") as file:
        file.write(b" ")
    variables = {name: value for name, value in environment(settings).items() if name != "ZOOMIN_HOME"}
    arguments = ["evaluate", str(folder), "--labels", str(folder / "labels.jsonl"), "--batch", batch_id]
    ended = zoomin(*arguments, home=tmp_path, settings=variables)
    assert ended.code == 2
    assert f"not the bytes that the batch judged under their names: {labels[1].file}" in ended.err


def test_two_labels_do_not_share_an_item_of_a_batch(folder: Path, engine: Engine, settings: Settings, tmp_path: Path) -> None:
    labels = read_labels(folder / "labels.jsonl")
    batch_id = evaluated_in(engine, folder, labels)
    twins = [replace(labels[1], file=file) for file in ("k1", "below/k1")]  # k1 is an item's key
    for twin in twins:
        shutil.copy(folder / labels[1].file, folder / twin.file)
    write_labels(folder / "labels.jsonl", twins)
    variables = {name: value for name, value in environment(settings).items() if name != "ZOOMIN_HOME"}
    arguments = ["evaluate", str(folder), "--labels", str(folder / "labels.jsonl"), "--batch", batch_id]
    ended = zoomin(*arguments, home=tmp_path, settings=variables)
    assert ended.code == 2
    assert "2 labels share an item of the batch" in ended.err


def test_what_is_missing_is_named_before_a_model_is_loaded(folder: Path, tmp_path: Path) -> None:
    (folder / "bridge.jpg").unlink()
    ended = zoomin("evaluate", str(folder), "--labels", str(folder / "labels.jsonl"), home=tmp_path)
    assert ended.code == 2
    assert ended.err.strip() == f"zoomin: {folder} lacks 1 of 4 labelled pictures: bridge.jpg. [labels_miss_files]"
    ended = zoomin("evaluate", str(folder), "--labels", str(folder / "none.jsonl"), home=tmp_path)
    assert ended.code == 2
    assert "none.jsonl: No such file or directory" in ended.err


def test_calibrating_on_the_test_split_is_refused(folder: Path, tmp_path: Path) -> None:
    split = folder.rename(tmp_path / "test")
    ended = zoomin("calibrate", str(split), "--labels", str(split / "labels.jsonl"), "--checkpoint", str(tmp_path), home=tmp_path)
    assert ended.code == 2
    assert "Calibrate on the validation split only" in ended.err


def test_who_calibrates_is_told_which_bands_stay_unmeasured() -> None:
    assert unmeasured_in_words(set(DegradationBand)) is None
    told = unmeasured_in_words({DegradationBand.CLEAN, DegradationBand.COMPRESSED, DegradationBand.BLURRED})
    assert told is not None
    assert told.startswith("rescaled, framed: too few pictures")
