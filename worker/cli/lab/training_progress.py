"""Showing a training: a bar a stage with its losses on a terminal, a line now and then elsewhere, both on stderr."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn
from rich.progress import Progress as Bars

from worker.cli.lab import Lines
from worker.cli.terminal import console, people_watch, say
from worker.lab.training.loop import SAVE_STEPS, Progress, Schedule

LINE_SECONDS = 60.0  # between lines where nobody draws
BAR_WIDTH = 16
REFRESHES = 2  # a second: the cores are for the training
STEP_SECONDS = {"tower": 0.9, "composed": 1.6, "pictures": 3.2}  # of nano on two cores; once it runs, only their ratios matter
Show = Callable[[str, Progress], None]


@contextmanager
def shown_training(stages: Mapping[str, Schedule]) -> Iterator[Show]:
    """Give what it yields to the training of `stages`. An interruption is told with the step that the same command goes on from."""
    forecast = Forecast({name: schedule.steps for name, schedule in stages.items()})
    say(forecast.opening())
    try:
        if not people_watch():
            yield _in_lines(forecast)
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(BAR_WIDTH), TextColumn("{task.fields[told]}"))
        shared = {"console": console(stderr=True), "refresh_per_second": REFRESHES, "redirect_stdout": False, "redirect_stderr": False}
        with Bars(*columns, **shared) as bars:  # type: ignore[arg-type]
            yield _Drawn(bars, forecast).show
    except KeyboardInterrupt:
        say(forecast.interruption())
        raise


class Forecast:
    """How long the whole takes: at first as long as it took elsewhere, then at the pace that is seen."""

    def __init__(self, steps: Mapping[str, int]) -> None:
        self.steps = steps
        self._at: tuple[str, Progress] | None = None
        self._slower: float | None = None  # than STEP_SECONDS

    def opening(self) -> str:
        """What lies ahead, from nothing."""
        ahead = ", then ".join(f"{steps:,} of {name}" for name, steps in self.steps.items())
        known = all(name in STEP_SECONDS for name in self.steps)
        return f"Steps: {ahead}." + (f" On two cores that takes {_duration(self._work(self.steps))} in all." if known else "")

    def note(self, stage: str, seen: Progress) -> None:
        """A report. What is done between two stages is not in the forecast: it is short."""
        if stage not in self.steps:
            return
        if self._at is not None and self._at[0] == stage and seen.step > self._at[1].step:
            before = self._at[1]
            self._slower = (seen.seconds - before.seconds) / self._work({stage: seen.step - before.step})
        self._at = (stage, seen)

    @property
    def share_done(self) -> float:
        """0 to 1, of the time."""
        whole = self._work(self.steps)
        return 1 - self._work(self._ahead()) / whole

    def remaining(self) -> str:
        """In words, once a pace has been seen."""
        return "" if self._slower is None else f"{_duration(self._slower * self._work(self._ahead()))} left"

    def interruption(self) -> str:
        """Where it stopped, and from where it goes on."""
        if self._at is None:
            return "Interrupted before the first steps were counted. The same command goes on from what is saved."
        stage, seen = self._at
        saved = seen.step if seen.step == seen.steps else seen.step - seen.step % SAVE_STEPS
        return f"Interrupted in {stage}, after step {seen.step:,} of {seen.steps:,}. The same command goes on from step {saved:,}."

    def _ahead(self) -> dict[str, int]:
        if self._at is None:
            return dict(self.steps)
        names = list(self.steps)
        later = names[names.index(self._at[0]) + 1 :]
        return {self._at[0]: self._at[1].steps - self._at[1].step, **{name: self.steps[name] for name in later}}

    @staticmethod
    def _work(steps: Mapping[str, int]) -> float:
        return sum(STEP_SECONDS.get(name, 1.0) * count for name, count in steps.items())


class _Drawn:
    """A bar for each stage, and one for the whole."""

    def __init__(self, bars: Bars, forecast: Forecast) -> None:
        self._bars, self._forecast = bars, forecast
        self._tasks: dict[str, TaskID] = {name: bars.add_task(name, total=steps, told="") for name, steps in forecast.steps.items()}
        self._whole = bars.add_task("in all", total=1.0, told="")

    def show(self, stage: str, seen: Progress) -> None:
        self._forecast.note(stage, seen)
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=seen.steps, told="")
        elif stage in self._forecast.steps:
            for earlier in itertools.takewhile(lambda name: name != stage, self._forecast.steps):  # those of an earlier run report nothing
                self._bars.update(self._tasks[earlier], completed=self._forecast.steps[earlier])
        self._bars.update(self._tasks[stage], completed=seen.step, told=_told(seen))
        self._bars.update(self._whole, completed=self._forecast.share_done, told=self._forecast.remaining())


def _in_lines(forecast: Forecast) -> Show:
    lines = Lines(LINE_SECONDS)

    def show(stage: str, seen: Progress) -> None:
        forecast.note(stage, seen)
        line = "; ".join(part for part in (f"{stage}: {_told(seen)}", forecast.remaining()) if part)
        lines.show(line, last=seen.step == seen.steps)

    return show


def _told(seen: Progress) -> str:
    losses = ", ".join(f"{name} {loss:.3f}" for name, loss in seen.losses.items())
    return f"{seen.step:,} of {seen.steps:,}" + (f", loss {losses}" if losses else "")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute"
    hours, minutes = divmod(minutes, 60)
    return f"about {hours} h {minutes} min" if hours else f"about {minutes} min"
