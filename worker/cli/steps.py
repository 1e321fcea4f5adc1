"""Steps of a longer command: what goes on now, and how long it took, on stderr."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from worker.cli.terminal import console, people_watch, say


@contextmanager
def step(description: str) -> Iterator[None]:
    """Shows the description while the block runs, and its time at the end."""
    started = time.monotonic()
    if not people_watch():
        say(f"{description} …")
    with console(stderr=True).status(f"{description} …") if people_watch() else nullcontext():
        yield
    say(f"{description}: {time.monotonic() - started:.1f} s")
