"""Showing how far a check of the audit trail is: a bar on a terminal, a line every few seconds elsewhere, both on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from worker.cli.terminal import console, people_watch, say

LINE_SECONDS = 5.0  # between lines where nobody draws


@contextmanager
def shown_check(total: int) -> Iterator[Callable[[int], None]]:
    """Give what it yields to the check. `total` is the number of events to expect."""
    if not people_watch():
        yield _Lines(total).show
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("checking events", total=total)
        yield lambda checked: bar.update(task, completed=checked)


class _Lines:
    """A line every LINE_SECONDS; a short check needs none."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._due = time.monotonic() + LINE_SECONDS

    def show(self, checked: int) -> None:
        if time.monotonic() >= self._due:
            say(f"checked {checked:,} of {self._total:,} events")
            self._due = time.monotonic() + LINE_SECONDS
