"""Showing how far a run of retention is: a line that is redrawn on a terminal, a line every few seconds elsewhere, both on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import Progress, SpinnerColumn, TextColumn

from worker.cli.terminal import console, people_watch, say

LINE_SECONDS = 5.0  # between lines where nobody draws


@contextmanager
def shown_run() -> Iterator[Callable[[str, int], None]]:
    """Give what it yields to the run. How much there is nobody knows before: it is counted, not measured against an end."""
    if not people_watch():
        yield _Lines().show
        return
    with Progress(SpinnerColumn(), TextColumn("{task.description}"), console=console(stderr=True), transient=True) as drawn:
        task = drawn.add_task("looking for what is due")
        yield lambda step, number: drawn.update(task, description=f"{step}: {number:,}")


class _Lines:
    """A line every LINE_SECONDS; a short run needs none."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_SECONDS

    def show(self, step: str, number: int) -> None:
        if time.monotonic() >= self._due:
            say(f"{step}: {number:,} so far")
            self._due = time.monotonic() + LINE_SECONDS
