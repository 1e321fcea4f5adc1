"""Showing an intake: a bar on a terminal, a line every few seconds elsewhere, both on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from worker.cli.terminal import console, people_watch, say, untrusted
from worker.intake.enqueue import IntakeProgress

LINE_SECONDS = 5.0  # between lines where nobody draws
LONGEST_SOURCE = 50  # characters


@contextmanager
def shown_intake(source: str) -> Iterator[Callable[[IntakeProgress], None]]:
    """Give what it yields to the intake."""
    if not people_watch():
        yield _Lines().show
        return
    description = untrusted(source, limit=LONGEST_SOURCE).plain
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"taking in {description}", total=None)
        yield lambda seen: bar.update(task, completed=seen.accepted + seen.rejected, total=seen.total)


class _Lines:
    """A line every LINE_SECONDS; a short intake needs none."""

    def __init__(self) -> None:
        self._due = time.monotonic() + LINE_SECONDS

    def show(self, seen: IntakeProgress) -> None:
        if time.monotonic() >= self._due:
            of = f" of {seen.total:,}" if seen.total is not None else ""
            say(f"taking in: {seen.accepted + seen.rejected:,}{of} rows, {seen.rejected:,} of them rejected")
            self._due = time.monotonic() + LINE_SECONDS
