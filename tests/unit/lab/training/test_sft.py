import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from worker.lab.taught_on import read_past, seen_in
from worker.lab.training import loop, nano_plan
from worker.lab.training.loop import Progress, Schedule
from worker.lab.training.lora import LoraPlan
from worker.lab.training.nano_plan import LAYERS, SIGHTS, Plan
from worker.lab.training.plots import plot_losses, read_losses
from worker.lab.training.policy import Adapters
from worker.lab.training.sft import earned_by, scaled, stages, train_sft
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.release import Training
from worker.vision.nano import CHECKPOINT as NANO_CHECKPOINT

PLAN = Plan(
    tower_windows=4,
    tower=Schedule(steps=2, learning_rate=1e-3),
    degradations=1,
    lessons=1,
    composed=Schedule(steps=2, learning_rate=1e-3),
    pictures=Schedule(steps=1, learning_rate=1e-3),
)


@pytest.fixture(autouse=True)
def _few_crops_to_scale_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano_plan, "INITIAL_CROPS", 16)


def quiet(_stage: str, _seen: Progress) -> None:
    pass


def test_nano_is_taught_in_three_stages_and_goes_on_after_an_interrupt(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    seen: list[tuple[str, int]] = []

    def interrupt_once(stage: str, progress: Progress) -> None:
        if stage in {LAYERS, SIGHTS}:
            return
        seen.append((stage, progress.step))
        if seen == [("tower", 1), ("tower", 2), ("composed", 1)]:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_sft(dataset, out, NANO_CHECKPOINT, PLAN, interrupt_once)
    assert not (out / "checkpoint").exists()
    trained = train_sft(dataset, out, NANO_CHECKPOINT, PLAN, interrupt_once)
    assert seen[3:] == [("composed", 1), ("composed", 2), ("pictures", 1)]
    assert trained.checkpoint.training is Training.UNTRAINED  # five steps
    assert trained.checkpoint.name == "nano-out"
    assert trained.checkpoint.path == out / "checkpoint"
    assert read_past(out / "checkpoint").taught == (seen_in(dataset / "train/labels.jsonl"),)
    with Image.open(trained.plot) as plot:
        assert plot.format == "PNG"
    weights = (out / "checkpoint" / "model.safetensors").read_bytes()
    train_sft(dataset, out, NANO_CHECKPOINT, PLAN, interrupt_once)
    assert len(seen) == 6
    assert (out / "checkpoint" / "model.safetensors").read_bytes() == weights


def test_a_checkpoint_s_own_weights_are_adapted_and_exported_merged_and_apart(dataset: Path, nano_folder: Path, tmp_path: Path) -> None:
    plan = LoraPlan(lessons=1, adapters=Adapters(rank=2, alpha=4), schedule=Schedule(steps=1, learning_rate=1e-3))
    trained = train_sft(dataset, tmp_path / "out", nano_folder, plan, quiet)
    assert (trained.checkpoint.name, trained.checkpoint.training) == ("nano-zoomin", Training.UNTRAINED)
    assert read_past(trained.checkpoint.path).taught == (seen_in(dataset / "train/labels.jsonl"),)
    assert (tmp_path / "out" / "adapter" / "adapter_model.safetensors").is_file()
    assert (trained.checkpoint.path / "model.safetensors").is_file()


def test_a_folder_of_other_training_is_refused_and_says_what_differs(dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    source = tmp_path / "source"
    shutil.copytree(NANO_CHECKPOINT, source)
    with pytest.raises(KeyboardInterrupt):
        train_sft(dataset, out, source, PLAN, _interrupt)
    with pytest.raises(MisconfiguredError, match="begun with another plan or effort\\.") as refusal:
        train_sft(dataset, out, source, scaled(PLAN, 2), quiet)
    assert refusal.value.code == "training_other"
    fewer = tmp_path / "dataset"
    shutil.copytree(dataset, fewer)
    shutil.rmtree(fewer / "layers/train/second")
    with pytest.raises(MisconfiguredError, match="begun with other photographs"):
        train_sft(fewer, out, source, PLAN, quiet)
    card = json.loads((source / "zoomin.json").read_text())
    card["limits"]["scan_max_pixels"] //= 2
    (source / "zoomin.json").write_text(json.dumps(card))
    with pytest.raises(MisconfiguredError, match=r"begun with other limits in its zoomin\.json\."):
        train_sft(dataset, out, source, PLAN, quiet)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda record: record | {"prompts": "of yesterday"}, "begun with other prompts"),
        (lambda record: {name: record[name] for name in ("checkpoint", "photographs", "plan")}, "by an earlier version"),
        (list, "training.json cannot be read"),
    ],
)
def test_a_record_of_other_prompts_or_too_little_is_refused(
    dataset: Path, tmp_path: Path, change: Callable[[dict[str, str]], object], told: str
) -> None:
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_sft(dataset, out, NANO_CHECKPOINT, PLAN, _interrupt)
    record = json.loads((out / "training.json").read_text())
    (out / "training.json").write_text(json.dumps(change(record)))
    with pytest.raises(MisconfiguredError, match=told):
        train_sft(dataset, out, NANO_CHECKPOINT, PLAN, quiet)


def test_a_folder_with_something_else_in_it_is_refused(dataset: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(MisconfiguredError, match="Name a new or empty folder"):
        train_sft(dataset, tmp_path, NANO_CHECKPOINT, PLAN, quiet)


def test_a_checkpoint_of_another_architecture_or_shape_is_refused(dataset: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(NANO_CHECKPOINT, source)
    config = json.loads((source / "config.json").read_text())
    config["vision_config"]["window_size"] = 56
    (source / "config.json").write_text(json.dumps(config))
    with pytest.raises(MisconfiguredError, match="other patches or windows") as refusal:
        train_sft(dataset, tmp_path / "out", source, PLAN, quiet)
    assert refusal.value.code == "training_architecture"
    (source / "config.json").write_text(json.dumps({**config, "architectures": ["LlamaForCausalLM"]}))
    with pytest.raises(MisconfiguredError, match="LlamaForCausalLM"):
        train_sft(dataset, tmp_path / "out", source, PLAN, quiet)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (shutil.rmtree, "dataset_missing"),
        (lambda folder: shutil.rmtree(folder / "layers"), "dataset_empty"),
        (lambda folder: (folder / "train/labels.jsonl").unlink(), "dataset_missing"),
        (lambda folder: (folder / "layers/train/first/interpolated.png").unlink(), "layers_missing"),
        (lambda folder: _cut_short(folder / "layers/train/first/interpolated.png"), "layers_damaged"),
        (lambda folder: Image.new("RGB", (9, 9)).save(folder / "layers/train/first/photograph.png"), "layers_damaged"),
    ],
)
def test_a_data_set_that_cannot_be_trained_on_is_refused_by_name(
    dataset: Path, tmp_path: Path, damage: Callable[[Path], None], code: str
) -> None:
    broken = tmp_path / "dataset"
    shutil.copytree(dataset, broken)
    damage(broken)
    with pytest.raises(RejectedError, match=str(broken)) as refusal:
        train_sft(broken, tmp_path / "out", NANO_CHECKPOINT, PLAN, quiet)
    assert refusal.value.code == code


def test_effort_multiplies_the_steps_of_every_stage_and_nothing_else() -> None:
    tenth = scaled(Plan(), 0.1)
    assert [stage.steps for stage in stages(tenth).values()] == [round(stage.steps / 10) for stage in stages(Plan()).values()]
    assert replace(tenth, tower=Plan().tower, composed=Plan().composed, pictures=Plan().pictures) == Plan()
    assert stages(scaled(LoraPlan(), 0.0001)).popitem()[1].steps == 1


def test_less_than_the_whole_training_counts_as_untrained() -> None:
    assert earned_by(Plan()) is earned_by(scaled(LoraPlan(), 2)) is Training.TRAINED
    assert earned_by(scaled(Plan(), 0.99)) is earned_by(scaled(LoraPlan(), 0.01)) is Training.UNTRAINED


def test_a_step_repeated_after_an_interruption_is_plotted_as_it_went_last(tmp_path: Path) -> None:
    log = tmp_path / "losses.jsonl"
    lines = [{"step": step, "learning_rate": 0.1, "words": words, "auxiliary": 0.5} for step, words in ((25, 3.0), (50, 2.0), (50, 1.5))]
    log.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"step": 75, "wor')  # cut off by a crash
    assert read_losses(log) == {"words": [(25, 3.0), (50, 1.5)], "auxiliary": [(25, 0.5), (50, 0.5)]}
    plot_losses({"composed": log}, tmp_path / "losses.png")
    with Image.open(tmp_path / "losses.png") as plot:
        assert plot.width > plot.height > 200


def _interrupt(_stage: str, _seen: Progress) -> None:
    raise KeyboardInterrupt


def _cut_short(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-200])
