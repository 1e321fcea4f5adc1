"""Showing a training by rewards: a bar with what the replies earn on a terminal, a line now and then elsewhere, both on stderr."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from worker.cli.lab import Lines
from worker.cli.terminal import console, people_watch, say
from worker.lab.training.grpo import SAVE_SECONDS, GrpoProgress

LINE_SECONDS = 30.0  # between lines where nobody draws
Show = Callable[[GrpoProgress], None]


@contextmanager
def shown_rewards(steps: int, device: str) -> Iterator[Show]:
    """Give what it yields to the training. An interruption is told with the step that had been reached."""
    say(f"{steps:,} steps on {device}.")
    reached = 0
    try:
        with _shown(steps) as show:

            def note(seen: GrpoProgress) -> None:
                nonlocal reached
                reached = seen.step
                show(seen)

            yield note
    except KeyboardInterrupt:
        say(
            f"Interrupted after step {reached:,} of {steps:,}. The same command goes on from what was saved, {SAVE_SECONDS:.0f} s of work "
            "and a step before at most."
        )
        raise


@contextmanager
def _shown(steps: int) -> Iterator[Show]:
    if not people_watch():
        lines = Lines(LINE_SECONDS)
        yield lambda seen: lines.show(f"step {seen.step:,} of {seen.steps:,}: {told(seen)}", last=seen.step == seen.steps)
        return
    columns = (SpinnerColumn(), BarColumn(16), MofNCompleteColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True)) as bar:
        task = bar.add_task("loading", total=steps)
        yield lambda seen: bar.update(task, completed=seen.step, description=told(seen))


def told(seen: GrpoProgress) -> str:
    """What a step's replies earned, part by part, and how far the policy has gone."""
    earned = ", ".join(f"{part.value} {reward:.2f}" for part, reward in seen.rewards.items())
    return f"{earned}; KL {seen.divergence:.4f}"
