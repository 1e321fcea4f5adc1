import json
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.unit.lab.training.layers import write_dataset
from tests.unit.lab.training.tiny_policy import write_pictures, write_tiny_checkpoint
from worker.cli.app import app
from worker.cli.endings import ExitCode
from worker.cli.lab import Lines, reward_progress, training_progress
from worker.cli.lab.training_progress import STEP_SECONDS, Forecast, shown_training
from worker.lab.training import grpo, nano_plan
from worker.lab.training.loop import Progress, Schedule
from worker.moderation.release import Training
from worker.vision.checkpoint import read_checkpoint, release_facts
from worker.vision.nano import CHECKPOINT as NANO


def seen(step: int, seconds: float, steps: int = 1000) -> Progress:
    return Progress(step=step, steps=steps, losses={"words": 0.5}, learning_rate=1e-3, seconds=seconds)


def test_a_data_set_that_is_not_there_ends_the_command_with_the_usage_code_and_a_way_out(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "sft", str(tmp_path / "none"), str(tmp_path / "out")])
    assert result.exit_code == ExitCode.USAGE
    assert "zoomin dataset build" in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()


def test_lora_wants_a_folder_of_weights(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["train", "sft", str(tmp_path), str(tmp_path / "out"), "--lora"])
    assert result.exit_code == ExitCode.USAGE
    assert "--checkpoint" in result.stderr


def interrupt_once(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, when: Callable[[Any], bool]) -> None:
    """Lets the process be terminated, once, as `module` words the progress that `when` picks."""
    in_words, waiting = getattr(module, name), [when]

    def told(seen: Any) -> str:
        if waiting and waiting[0](seen):
            waiting.clear()
            signal.raise_signal(signal.SIGTERM)
        return str(in_words(seen))

    monkeypatch.setattr(module, name, told)


@pytest.mark.timeout(900)  # half a minute of one core; more where others want it too
def test_nano_is_taught_to_the_end_by_the_command_that_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nano_plan, "INITIAL_CROPS", 16)
    interrupt_once(monkeypatch, training_progress, "_told", lambda seen: "words" in seen.losses)
    out = tmp_path / "first-try"
    command = ["train", "sft", str(write_dataset(tmp_path / "data")), str(out), "--effort", "0.0001", "--json"]
    interrupted = CliRunner().invoke(app, command)
    assert interrupted.exit_code == ExitCode.INTERRUPTED, interrupted.stderr
    assert "The same command goes on" in interrupted.stderr
    assert not (out / "checkpoint").exists()
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == ExitCode.DONE, ended.stderr
    assert json.loads(ended.stdout) == {"checkpoint": str(out / "checkpoint"), "losses": str(out / "losses.png")}
    assert "tower:" not in ended.stderr  # finished before
    checkpoint = read_checkpoint(out / "checkpoint")
    assert (checkpoint.name, checkpoint.training) == ("nano-first-try", Training.UNTRAINED)
    assert set(release_facts(checkpoint)["files"]) == set(release_facts(read_checkpoint(NANO))["files"])


@pytest.mark.timeout(900)
def test_rewards_train_a_checkpoint_to_the_end_by_the_command_that_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grpo, "SAVE_SECONDS", 0.0)
    interrupt_once(monkeypatch, reward_progress, "told", lambda seen: seen.step == 1)
    write_pictures(tmp_path / "data" / "train")
    checkpoint, out = write_tiny_checkpoint(tmp_path / "tiny"), tmp_path / "out"
    command = ["train", "grpo", str(checkpoint), str(tmp_path / "data"), str(out), "--steps", "2", "--pictures", "1", "--json"]
    interrupted = CliRunner().invoke(app, command)
    assert interrupted.exit_code == ExitCode.INTERRUPTED, interrupted.stderr
    assert "Interrupted after step 1 of 2" in interrupted.stderr
    ended = CliRunner().invoke(app, command)
    assert ended.exit_code == ExitCode.DONE, ended.stderr
    assert json.loads(ended.stdout) == {"checkpoint": str(out / "checkpoint"), "rewards": str(out / "rewards.png")}
    assert [json.loads(line)["step"] for line in (out / "rewards.jsonl").read_text().splitlines()] == [1, 2]
    assert read_checkpoint(out / "checkpoint").name == "tiny-grpo"
    other = CliRunner().invoke(app, ["train", "grpo", str(checkpoint), str(tmp_path / "data"), str(out), "--steps", "3", "--pictures", "1"])
    assert other.exit_code == ExitCode.USAGE
    assert "steps 2, now 3" in other.stderr


def test_the_forecast_follows_the_pace_that_is_seen() -> None:
    forecast = Forecast({"tower": 1000, "composed": 500})
    assert forecast.remaining() == ""
    forecast.note("tower", seen(500, 0))
    assert forecast.remaining() == ""  # one report tells no pace
    forecast.note("tower", seen(600, 100 * 2 * STEP_SECONDS["tower"]))  # twice as slow as foreseen
    minutes = round(2 * (400 * STEP_SECONDS["tower"] + 500 * STEP_SECONDS["composed"]) / 60)
    assert forecast.remaining() == f"about {minutes} min left"
    forecast.note("composed", seen(500, 0, 500))
    assert forecast.share_done == pytest.approx(1)


def test_an_interruption_says_where_the_same_command_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    def train() -> None:
        with shown_training({"tower": Schedule(steps=1000, learning_rate=1)}) as show:
            show("tower", seen(275, 300))
            show("sights", replace(seen(1000, 300), losses={}))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("Steps: 1,000 of tower. On two cores that takes about")
    assert lines[1] == "tower: 275 of 1,000, loss words 0.500"
    assert lines[2] == "sights: 1,000 of 1,000"
    assert lines[-1] == "Interrupted in tower, after step 275 of 1,000. The same command goes on from step 200."


def test_where_nobody_draws_a_line_is_told_now_and_then_and_at_each_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("worker.cli.lab.time.monotonic", lambda: clock[0])
    lines = Lines(10, first_after=5)
    for clock[0], line in ((104, "early"), (105, "first"), (114, "soon"), (114.5, "end"), (124.4, "soon again"), (124.5, "later")):
        lines.show(line, last=line == "end")
    monkeypatch.undo()
    assert capsys.readouterr().err.splitlines() == ["first", "end", "later"]
