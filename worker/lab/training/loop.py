"""One stage of training: a schedule, a stream of batches, a state that can be resumed at any step."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

from worker.lab.training.state import STATE, in_words, resume_state, save_state
from worker.lab.training.step_log import append_step, forget_after

Batch = TypeVar("Batch")

LOG = "losses.jsonl"
LOG_STEPS = 25
SAVE_STEPS = 100
FINAL_SHARE = 0.01  # of the learning rate, at the end: most is learnt while the rate anneals
BETAS = (0.9, 0.95)
CLIP_NORM = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Steps, and the learning rate over them: linear warm-up, then a cosine."""

    steps: int
    learning_rate: float
    warmup_steps: int = 100
    weight_decay: float = 0.05

    def rate(self, step: int) -> float:
        """The learning rate of a step."""
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return self.learning_rate * warm * (FINAL_SHARE + (1 - FINAL_SHARE) * (1 + math.cos(math.pi * step / self.steps)) / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a stage stands; losses are means since the last report."""

    step: int
    steps: int
    losses: Mapping[str, float]
    learning_rate: float
    seconds: float  # of this run


class StepBatches(IterableDataset[Any]):
    """Batches made by step number: the same step gives the same batch, in whatever process and after whatever interruption."""

    def __init__(self, make: Callable[[int], Any], start: int, end: int) -> None:
        self._make, self._start, self._end = make, start, end

    def __iter__(self) -> Iterator[Any]:
        torch.set_num_threads(1)  # in a worker process, beside the training itself
        for step in range(self._start, self._end):
            yield self._make(step)


@contextmanager
def bfloat16_products() -> Iterator[None]:
    """Matrix products of float32 round their factors to bfloat16 where the hardware multiplies those faster; sums stay float32.

    On two cores with AMX a step of the tower takes 0.6 of the time, one of the language part 0.75; autocast costs more than it saves.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


@bfloat16_products()
def run_stage(
    model: nn.Module,
    make_batch: Callable[[int], Batch],
    losses: Callable[[Batch], Mapping[str, Tensor]],
    schedule: Schedule,
    folder: Path,
    report: Callable[[Progress], None],
) -> None:
    """Trains `model`'s parameters that require gradients until the schedule's end, from where `folder` says it stopped.

    The sum of `losses` is minimised; it may differentiate parts of a large batch itself, and return them detached. Raises
    MisconfiguredError when the state in `folder` is of another model or schedule, or damaged; OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = _optimizer(trained, schedule)
    made_by = in_words(schedule)
    first = resume_state(folder / STATE, model.load_state_dict, optimizer, made_by)
    forget_after(folder / LOG, first)
    batches = DataLoader(StepBatches(make_batch, first, schedule.steps), batch_size=None, num_workers=1, prefetch_factor=4)
    sums: dict[str, float] = {}
    begin, since = time.monotonic(), 0
    model.train()
    for step, batch in enumerate(batches, start=first):
        rate = schedule.rate(step)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.zero_grad(set_to_none=True)  # before, since `losses` may have gradients of its own to add
        parts = losses(batch)
        torch.stack(list(parts.values())).sum().backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(trained, CLIP_NORM)
        optimizer.step()
        since += 1
        for name, part in parts.items():
            sums[name] = sums.get(name, 0.0) + float(part.detach())
        last = step + 1 == schedule.steps
        if last or (step + 1) % LOG_STEPS == 0:
            means = {name: total / since for name, total in sums.items()}
            progress = Progress(step=step + 1, steps=schedule.steps, losses=means, learning_rate=rate, seconds=time.monotonic() - begin)
            append_step(folder / LOG, {"step": step + 1, "learning_rate": rate, **means})
            report(progress)
            sums, since = {}, 0
        if last or (step + 1) % SAVE_STEPS == 0:
            save_state(folder / STATE, model.state_dict(), optimizer, made_by, step + 1)


def _optimizer(parameters: list[nn.Parameter], schedule: Schedule) -> torch.optim.Optimizer:
    matrices = [parameter for parameter in parameters if parameter.ndim > 1]
    others = [parameter for parameter in parameters if parameter.ndim <= 1]  # norms and biases are not pulled towards zero
    groups = [{"params": matrices, "weight_decay": schedule.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=schedule.learning_rate, betas=BETAS)
