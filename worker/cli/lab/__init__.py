"""What the commands of the lab share: the extra they need, and how they show their progress."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Protocol

from worker.cli.terminal import console, people_watch, say
from worker.moderation.errors import MisconfiguredError

LINE_SECONDS = 10.0  # between lines where nobody draws


class PartProgress(Protocol):
    """How far one part of a longer work is."""

    @property
    def doing(self) -> str:
        """The part, in words."""
        ...

    @property
    def done(self) -> int:
        """How many are done."""
        ...

    @property
    def total(self) -> int:
        """Of how many."""
        ...


def require_lab(*modules: str) -> None:
    """Returns when the modules are there. Raises MisconfiguredError naming those that are not, and how to get them."""
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise MisconfiguredError("lab_missing", f"This needs {', '.join(missing)}: pip install '.[lab]'.")


@contextmanager
def shown_parts(first: str) -> Iterator[Callable[[PartProgress], None]]:
    """Give what it yields to the work: a bar on a terminal, a line every few seconds elsewhere, both on stderr."""
    if not people_watch():
        lines = Lines(LINE_SECONDS, first_after=LINE_SECONDS)
        yield lambda seen: lines.show(f"{seen.doing}: {seen.done:,} of {seen.total:,}", last=seen.done == seen.total)
        return
    from rich.progress import (  # noqa: PLC0415  `--help` does without
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(first, total=None)

        def show(seen: PartProgress) -> None:
            if bar.tasks[0].description != seen.doing:
                bar.reset(task, description=seen.doing)  # each part has a pace of its own
            bar.update(task, completed=seen.done, total=seen.total)

        yield show


class Lines:
    """Progress where nobody draws: a line every `seconds`, and one at each part's end. The first at once, unless told otherwise."""

    def __init__(self, seconds: float, first_after: float = 0.0) -> None:
        self._seconds = seconds
        self._due = time.monotonic() + first_after

    def show(self, line: str, *, last: bool) -> None:
        """Says `line` if it is time, or the `last`."""
        if last or time.monotonic() >= self._due:
            say(line)
            self._due = time.monotonic() + self._seconds
