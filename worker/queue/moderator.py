"""Who judges a chunk's images: the protocol between the queue and the method, and a scripted stand-in."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from worker.moderation.errors import ZoomInError
from worker.moderation.outcomes import ItemReference, Outcome
from worker.moderation.release import Release
from worker.queue.checking import Wanted, nothing_wanted


@dataclass(frozen=True, slots=True)
class Unfinished:
    """The item has no outcome yet; `error` says why, its siblings go on. TransientError: later; MisconfiguredError: pause."""

    ordinal: int
    error: ZoomInError


class Moderator(Protocol):
    """Judges images. Safe to call from several threads at once, one call per chunk."""

    @property
    def release(self) -> Release:
        """What judges."""
        ...

    def judge(
        self, items: Sequence[ItemReference], *, stop: threading.Event, tick_seconds: float, wanted: Wanted = nothing_wanted
    ) -> Iterator[Outcome | Unfinished | None]:
        """Outcomes in order of completion, those that are `wanted` with their explanation tested; None about every tick without any.

        After `stop` is set no new item is begun, tests are left, with no event for their items, and the iterator ends when the other items
        that were begun are done. Raises EngineDiedError.
        """
        ...

    def close(self) -> None:
        """Frees the engine. Idempotent."""
        ...


@dataclass(slots=True)
class ScriptedModerator:
    """Answers from a function of the item, one item at a time, `seconds` each. The function may raise EngineDiedError."""

    release: Release
    answer: Callable[[ItemReference], Outcome | Unfinished]
    seconds: float = 0.0

    def judge(
        self,
        items: Sequence[ItemReference],
        *,
        stop: threading.Event,
        tick_seconds: float,
        wanted: Wanted = nothing_wanted,  # noqa: ARG002  nothing here can be judged anew
    ) -> Iterator[Outcome | Unfinished | None]:
        """See Moderator."""
        for item in items:
            if stop.is_set():
                return
            ready_at = time.monotonic() + self.seconds
            while (left := ready_at - time.monotonic()) > 0:
                time.sleep(min(left, tick_seconds))
                yield None
            yield self.answer(item)

    def close(self) -> None:
        """Nothing to free."""
