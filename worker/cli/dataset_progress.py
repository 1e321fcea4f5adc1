"""Showing a build: a bar on a terminal, a line every few seconds elsewhere, both on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from worker.cli.terminal import console, people_watch, say
from worker.lab.dataset.build import BuildProgress

LINE_SECONDS = 10.0  # between lines where nobody draws


@contextmanager
def shown_build() -> Iterator[Callable[[BuildProgress], None]]:
    """Give what it yields to the build."""
    if not people_watch():
        yield _Lines().show
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("finding photographs", total=None)

        def show(seen: BuildProgress) -> None:
            if bar.tasks[0].description != seen.doing:
                bar.reset(task, description=seen.doing)  # each part has a pace of its own
            bar.update(task, completed=seen.done, total=seen.total)

        yield show


class _Lines:
    """A line every LINE_SECONDS, and one at each part's end."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_SECONDS

    def show(self, seen: BuildProgress) -> None:
        if seen.done == seen.total or time.monotonic() >= self._due:
            say(f"{seen.doing}: {seen.done:,} of {seen.total:,}")
            self._due = time.monotonic() + LINE_SECONDS
