"""Waiting for a batch: a bar on a terminal, a line every few seconds elsewhere, both on stderr."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from worker.cli.installation.asking import Batches
from worker.cli.summaries import TERMINAL, in_words
from worker.cli.terminal import console, people_watch, say
from worker.moderation.errors import TransientError
from worker.store.models.intake import BatchState
from worker.store.progress import BatchProgress

QUICK_POLL_SECONDS, POLL_SECONDS = 0.2, 1.0  # until the first verdict, and then
LINE_SECONDS = 5.0  # between lines where nobody draws
PATIENCE_SECONDS = 60.0  # for a database or an API that is away; a restart takes less
SILENCE_SECONDS = 20.0  # without any outcome, before the user is told where to look
SILENCE_HINT = "Nothing judged yet. A worker may still be loading its model (its log tells), or none is running (`zoomin up` starts one)."

Show = Callable[[BatchProgress], None]


@dataclass(frozen=True, slots=True)
class Followed:
    """Where the wait ended: with the batch, or at a pause. `first_verdict_seconds` counts from `started`; None without a verdict."""

    batch: BatchProgress
    first_verdict_seconds: float | None


def follow(batches: Batches, batch_id: UUID, *, started: float) -> Followed:
    """Waits until the batch ends or pauses. `started` is a time.monotonic(). Raises TransientError when it cannot be asked for long."""
    first: float | None = None
    hint_at: float | None = time.monotonic() + SILENCE_SECONDS
    with _shown() as show:
        while True:
            batch = _patiently(batches, batch_id)
            show(batch)
            if first is None and batch.verdicts:
                first = time.monotonic() - started
                say(f"First verdict after {first:.1f} s.")
            if batch.state in TERMINAL or batch.state is BatchState.PAUSED:
                return Followed(batch, first)
            if hint_at is not None and (batch.pending < batch.scope or time.monotonic() > hint_at):
                if batch.pending == batch.scope:
                    say(SILENCE_HINT)
                hint_at = None
            time.sleep(QUICK_POLL_SECONDS if first is None else POLL_SECONDS)


def _patiently(batches: Batches, batch_id: UUID) -> BatchProgress:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return batches.progress(batch_id)
        except TransientError:
            if time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


@contextmanager
def _shown() -> Iterator[Show]:
    if people_watch():
        with _bar() as show:
            yield show
    else:
        yield _Lines().show


@contextmanager
def _bar() -> Iterator[Show]:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[counts]}"),
    )
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("waiting for the first verdict", total=None, counts="")

        def show(batch: BatchProgress) -> None:
            done = batch.scope - batch.pending
            description = "judging" if done else "waiting for the first verdict"
            bar.update(task, description=description, total=batch.scope or None, completed=done, counts=in_words(batch))

        yield show


class _Lines:
    """A line every LINE_SECONDS, and one at the end."""

    def __init__(self) -> None:
        self._due = 0.0

    def show(self, batch: BatchProgress) -> None:
        ended = batch.state in TERMINAL or batch.state is BatchState.PAUSED
        if ended or time.monotonic() >= self._due:
            say(f"{batch.state}: {batch.scope - batch.pending:,} of {batch.scope:,} done: {in_words(batch)}")
            self._due = time.monotonic() + LINE_SECONDS
