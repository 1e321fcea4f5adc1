from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from worker.cli.app import app
from worker.cli.endings import ExitCode
from worker.cli.lab.training_progress import STEP_SECONDS, Forecast, shown_training
from worker.lab.training.loop import Progress, Schedule


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
