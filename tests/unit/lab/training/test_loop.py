import json
import resource
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from worker.lab.training import loop
from worker.lab.training.loop import LOG, Progress, Schedule, run_stage
from worker.lab.training.plots import read_losses
from worker.lab.training.state import STATE
from worker.moderation.errors import MisconfiguredError

SCHEDULE = Schedule(steps=12, learning_rate=0.05, warmup_steps=3)


def model(width: int = 3) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, 4), nn.Tanh(), nn.Linear(4, 1))


def batch(step: int) -> Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(step))


def train(net: nn.Module, folder: Path, report: Callable[[Progress], None] = lambda _: None, schedule: Schedule = SCHEDULE) -> None:
    def losses(x: Tensor) -> dict[str, Tensor]:
        return {"square": (net(x) - x.sum(dim=1, keepdim=True)).square().mean()}

    run_stage(net, batch, losses, schedule, folder, report)


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    monkeypatch.setattr(loop, "SAVE_STEPS", 5)


def interrupt_at(step: int) -> Callable[[Progress], None]:
    def report(seen: Progress) -> None:
        if seen.step == step:
            raise KeyboardInterrupt

    return report


@pytest.mark.usefixtures("every_step")
def test_an_interrupted_stage_ends_with_the_weights_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole, resumed = model(), model()
    train(whole, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train(resumed, tmp_path / "resumed", interrupt_at(8))
    resumed = model()
    steps: list[int] = []
    train(resumed, tmp_path / "resumed", lambda seen: steps.append(seen.step))
    assert steps[0] == 6  # what was done after the last save is done again
    for expected, found in zip(whole.parameters(), resumed.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_finished_stage_is_loaded_and_not_trained_on(tmp_path: Path) -> None:
    first = model()
    train(first, tmp_path)
    other = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
    reports: list[Progress] = []
    train(other, tmp_path, reports.append)
    assert reports == []
    torch.testing.assert_close(other[0].weight, first[0].weight, rtol=0, atol=0)


def test_another_schedule_or_architecture_is_refused(tmp_path: Path) -> None:
    train(model(), tmp_path)
    with pytest.raises(MisconfiguredError, match=r"\(steps 12, now 13\)") as other_schedule:
        train(model(), tmp_path, schedule=Schedule(steps=13, learning_rate=0.05, warmup_steps=3))
    assert other_schedule.value.code == "training_other_schedule"
    with pytest.raises(MisconfiguredError, match="another architecture") as other_model:
        train(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 1)), tmp_path)
    assert other_model.value.code == "training_other_model"


def test_a_batch_that_is_differentiated_in_parts_teaches_the_same(tmp_path: Path) -> None:
    whole, parted = model(), model()
    train(whole, tmp_path / "whole")

    def losses(x: Tensor) -> dict[str, Tensor]:
        first, second = ((parted(half) - half.sum(dim=1, keepdim=True)).square().mean() / 2 for half in x.chunk(2))
        first.backward()
        return {"square": second + first.detach()}

    run_stage(parted, batch, losses, SCHEDULE, tmp_path / "parted", lambda _: None)
    for expected, found in zip(whole.parameters(), parted.parameters(), strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.usefixtures("every_step")
def test_a_full_disk_leaves_the_state_before_and_names_the_file(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(seen: Progress) -> None:
        if seen.step == 9:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))

    try:
        with pytest.raises(OSError, match=STATE):
            train(model(), tmp_path, fill_up)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [LOG, STATE]


@pytest.mark.usefixtures("every_step")
@pytest.mark.parametrize("cut", ['{"step": 9, "squ', '{"step": 9, "squ{"step": 10, "square": 0.5}\n'])
def test_a_line_that_a_full_disk_cut_off_is_forgotten_when_the_stage_goes_on(tmp_path: Path, cut: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(model(), tmp_path, interrupt_at(8))
    with (tmp_path / LOG).open("a") as log:
        log.write(cut)
    train(model(), tmp_path)
    steps = [json.loads(line)["step"] for line in (tmp_path / LOG).read_text().splitlines()]
    assert steps == list(range(1, SCHEDULE.steps + 1))
    assert [step for step, _ in read_losses(tmp_path / LOG)["square"]] == steps


@pytest.mark.parametrize("damage", [lambda _: b"", lambda whole: whole[: len(whole) // 2], lambda _: b"\x80\x04K\x01."])
def test_a_damaged_state_is_told_by_name_and_the_stage_can_begin_anew(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    train(model(), tmp_path)
    (tmp_path / STATE).write_bytes(damage((tmp_path / STATE).read_bytes()))
    with pytest.raises(MisconfiguredError, match=f"{STATE} cannot be read") as refusal:
        train(model(), tmp_path)
    assert refusal.value.code == "training_state_damaged"
    (tmp_path / STATE).unlink()
    train(model(), tmp_path)
    assert torch.load(tmp_path / STATE, weights_only=True)["step"] == SCHEDULE.steps


def test_losses_are_logged_as_means_with_the_learning_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "LOG_STEPS", 4)
    train(model(), tmp_path)
    lines = [json.loads(line) for line in (tmp_path / LOG).read_text().splitlines()]
    assert [line["step"] for line in lines] == [4, 8, 12]
    assert lines[-1]["square"] < lines[0]["square"]
    assert lines[-1]["learning_rate"] == pytest.approx(SCHEDULE.rate(11))


def test_the_learning_rate_warms_up_and_ends_near_nothing() -> None:
    rates = [SCHEDULE.rate(step) for step in range(SCHEDULE.steps)]
    assert rates[0] == pytest.approx(0.05 / 3, rel=0.01)
    assert max(rates) == rates[2]
    assert rates[-1] < 0.1 * max(rates)
