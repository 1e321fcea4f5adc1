import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.unit.lab.training.tiny_policy import load_tiny, teach_to_guess, write_pictures, write_tiny_checkpoint
from worker.lab.labels import Label, write_labels
from worker.lab.taught_on import read_past, seen_in
from worker.lab.training import grpo
from worker.lab.training.export import export_checkpoint
from worker.lab.training.grpo import GrpoPlan, GrpoProgress, draw_groups, read_log, train_policy
from worker.lab.training.improve import improve
from worker.lab.training.loop import Schedule
from worker.lab.training.policy import Adapters, Policy
from worker.lab.training.rewards import Part
from worker.lab.training.rollouts import Examiner, drawn_boxes, grade_of, reference_explanation
from worker.lab.training.state import STATE
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict
from worker.vision.checkpoint import read_checkpoint
from worker.vision.nano.wording import Grade
from worker.zoomin.prompts import load_prompts

CPU = torch.device("cpu")
SHORT = GrpoPlan(schedule=Schedule(steps=3, learning_rate=1e-3, warmup_steps=1, weight_decay=0.0), pictures=1, replies=2)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_pictures(folder / "train")
    return folder


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "checkpoint")


def examiner(policy: Policy, dataset: Path, replies: int) -> Examiner:
    return Examiner(policy=policy, prompts=load_prompts(), folder=dataset / "train", replies=replies)


def ignore(_progress: GrpoProgress) -> None:
    """For tests that look at what is left behind."""


@pytest.mark.timeout(900)  # a minute of one core; several where others want it too
def test_replies_earn_clearly_more_after_training(checkpoint: Path, tmp_path: Path) -> None:
    # Pictures whose answers can be learnt by rote: telling a control apart would take a trained tower, and this one has random weights.
    labels = [label for label in write_pictures(tmp_path / "data/train") if label.label is Verdict.GENERATED]
    guessing = load_tiny(checkpoint)
    teach_to_guess(guessing, tmp_path / "data/train", steps=150)
    export_checkpoint(guessing.model, checkpoint, tmp_path / "guessing", dtype=torch.float32)
    asked = examiner(load_tiny(tmp_path / "guessing"), tmp_path / "data", replies=8)
    plan = replace(SHORT, schedule=replace(SHORT.schedule, steps=16), pictures=2, replies=8)
    before = earned(asked, labels, plan)
    train_policy(asked, labels, plan, tmp_path / "out", "guessing", ignore)
    after = earned(asked, labels, plan)
    assert deviations(before, after) > 4, (statistics.mean(before), statistics.mean(after))


def earned(asked: Examiner, labels: Sequence[Label], plan: GrpoPlan) -> list[float]:
    """What replies earn that no training sees: 192 of them, since single ones differ widely."""
    return [reward for step in range(1001, 1007) for group in draw_groups(asked, labels, plan, step) for reward in group.earned]


def deviations(before: Sequence[float], after: Sequence[float]) -> float:
    """By how many of its standard deviations the difference of the means is above 0 (Welch)."""
    spread = math.sqrt(statistics.variance(before) / len(before) + statistics.variance(after) / len(after))
    return (statistics.mean(after) - statistics.mean(before)) / spread


def test_an_interrupted_training_ends_where_an_uninterrupted_one_does(
    checkpoint: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = write_pictures(tmp_path / "same/train")
    whole = load_tiny(checkpoint)
    train_policy(examiner(whole, dataset, 2), labels, SHORT, tmp_path / "whole", "here", ignore)

    def interrupt(seen: GrpoProgress) -> None:
        if seen.step == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(grpo, "SAVE_SECONDS", 0.0)
        with pytest.raises(KeyboardInterrupt):
            train_policy(examiner(load_tiny(checkpoint), dataset, 2), labels, SHORT, tmp_path / "pieces", "here", interrupt)
    with (tmp_path / "pieces" / grpo.LOG).open("a") as log:  # a step after the state was saved, and one cut off in writing
        log.write((tmp_path / "whole" / grpo.LOG).read_text().splitlines(keepends=True)[2] + '{"step": 4')
    resumed = load_tiny(checkpoint)
    seen: list[int] = []
    train_policy(examiner(resumed, dataset, 2), labels, SHORT, tmp_path / "pieces", "here", lambda progress: seen.append(progress.step))
    assert seen == [3]
    assert all(torch.equal(one, other) for one, other in zip(whole.trained.values(), resumed.trained.values(), strict=True))
    assert [step.step for step in read_log(tmp_path / "pieces" / grpo.LOG)] == [1, 2, 3]


def test_a_folder_of_other_training_is_refused(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    labels = write_pictures(tmp_path / "same/train")
    once = replace(SHORT, schedule=replace(SHORT.schedule, steps=1))
    asked = examiner(load_tiny(checkpoint), dataset, 2)
    train_policy(asked, labels, once, tmp_path / "out", "here", ignore)
    state = (tmp_path / "out" / STATE).read_bytes()
    for plan, origin, what in ((SHORT, "here", "steps 1, now 3"), (once, "elsewhere", "begun with here, now elsewhere")):
        with pytest.raises(MisconfiguredError, match=rf"\({what}\)") as refused:
            train_policy(asked, labels, plan, tmp_path / "out", origin, ignore)
        assert refused.value.code == "training_other_schedule"
    assert (tmp_path / "out" / STATE).read_bytes() == state


def test_a_damaged_state_is_told(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(b"PK cut short")
    with pytest.raises(MisconfiguredError, match="Remove it"):
        train_policy(examiner(load_tiny(checkpoint), dataset, 2), [], SHORT, tmp_path, "here", ignore)


@pytest.mark.parametrize("adapters", [None, Adapters(rank=4, alpha=8)], ids=["whole", "lora"])
def test_a_training_leaves_a_checkpoint_a_log_and_a_plot(
    checkpoint: Path, dataset: Path, tmp_path: Path, adapters: Adapters | None
) -> None:
    once = replace(SHORT, schedule=replace(SHORT.schedule, steps=1), adapters=adapters)
    seen: list[GrpoProgress] = []
    improved = improve(checkpoint, dataset, tmp_path / "out", once, CPU, seen.append)
    assert improved.checkpoint.name == "tiny-grpo"
    assert read_past(improved.checkpoint.path).taught == (*read_past(checkpoint).taught, seen_in(dataset / "train/labels.jsonl"))
    assert load_tiny(improved.checkpoint.path).trained
    assert improved.plot.read_bytes().startswith(b"\x89PNG")
    assert set(seen[0].rewards) <= set(Part)
    assert [json.loads(line)["step"] for line in (tmp_path / "out" / grpo.LOG).read_text().splitlines()] == [1]
    assert (tmp_path / "out/adapter/adapter_model.safetensors").is_file() == (adapters is not None)
    improve(checkpoint, dataset, tmp_path / "out", once, CPU, seen.append)  # finished: nothing is trained again
    assert len(seen) == 1


def test_an_untrained_checkpoint_is_sent_to_be_taught_first(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    card = json.loads((checkpoint / "zoomin.json").read_text()) | {"training": "untrained"}
    untrained = tmp_path / "untrained"
    untrained.mkdir()
    for path in checkpoint.iterdir():
        (untrained / path.name).write_bytes(path.read_bytes())
    (untrained / "zoomin.json").write_text(json.dumps(card))
    with pytest.raises(MisconfiguredError, match="zoomin train sft"):
        improve(untrained, dataset, tmp_path / "out", SHORT, CPU, ignore)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_without_weights_is_refused(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    for path in checkpoint.iterdir():
        if path.suffix != ".safetensors":
            (empty / path.name).write_bytes(path.read_bytes())
    with pytest.raises(MisconfiguredError, match=r"lacks \*\.safetensors"):
        improve(empty, dataset, tmp_path / "out", SHORT, CPU, ignore)


def test_weights_that_lack_tensors_are_refused(checkpoint: Path) -> None:
    deeper = json.loads((checkpoint / "config.json").read_text())
    deeper["text_config"]["num_hidden_layers"] = 3
    other = checkpoint.parent / "deeper"
    other.mkdir()
    for path in checkpoint.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    (other / "config.json").write_text(json.dumps(deeper))
    with pytest.raises(MisconfiguredError) as refused:
        Policy(read_checkpoint(other), None, CPU)
    assert refused.value.code == "model_weights"


def test_data_sets_that_cannot_be_learnt_from_are_told(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    cases = {"missing": "dataset_missing", "empty": "labels_empty", "lost": "labels_miss_files"}
    for name in ("empty", "lost"):
        (tmp_path / name / "train").mkdir(parents=True)
    (tmp_path / "empty/train/labels.jsonl").touch()
    write_labels(tmp_path / "lost/train/labels.jsonl", write_pictures(tmp_path / "elsewhere"))
    for name, code in cases.items():
        with pytest.raises(RejectedError) as refused:
            improve(checkpoint, tmp_path / name, tmp_path / "out", SHORT, CPU, ignore)
        assert refused.value.code == code


def test_a_damaged_picture_is_named(checkpoint: Path, tmp_path: Path) -> None:
    labels = write_pictures(tmp_path / "train")
    (tmp_path / "train/images/0.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    asked = examiner(load_tiny(checkpoint), tmp_path, 2)
    with pytest.raises(RejectedError, match=r"images/0\.png"):
        asked.examine(labels[0], torch.Generator().manual_seed(0))


def test_a_folder_with_anything_else_in_it_is_left_alone(checkpoint: Path, dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").touch()
    with pytest.raises(MisconfiguredError, match=r"thesis\.odt"):
        improve(checkpoint, dataset, tmp_path, SHORT, CPU, ignore)


def test_what_was_drawn_of_a_picture_grades_its_crops() -> None:
    size = Size(400, 300)
    doctored = Label(file="a", label=Verdict.GENERATED, regions=(Box(0, 0, 100, 100),), source="a", generator="x4plus", control=False)
    control = replace(doctored, label=Verdict.REAL, generator=None, control=True)
    entire = replace(doctored, regions=())
    crops = [Box(0, 0, 100, 100), Box(0, 0, 200, 100), Box(200, 200, 300, 300)]
    assert [grade_of(crop, drawn_boxes(doctored, size)) for crop in crops] == [Grade.STRONG, Grade.SOME, Grade.NO]
    assert {grade_of(crop, drawn_boxes(control, size)) for crop in crops} == {Grade.NO}
    assert {grade_of(crop, drawn_boxes(entire, size)) for crop in crops} == {Grade.STRONG}


def test_the_reference_is_the_sentence_that_was_taught() -> None:
    assert reference_explanation([Grade.NO, Grade.CLEAR], Verdict.GENERATED) == "Region 2 shows clear traces of redrawing."
    assert reference_explanation([], Verdict.REAL) == "No region was looked at closely."
