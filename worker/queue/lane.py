"""One job at a time of a sort, without holding up those who bring more: whoever is at work does theirs too."""

import threading
from collections.abc import Callable
from uuid import UUID


class Lane:
    """Threads bring jobs; the first one stays until none is left. What waits here stays announced, so little more is rung meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[UUID, None] = {}  # in order, each once: a job may be rung again
        self._busy = False

    def enter(self, job_id: UUID, work: Callable[[UUID], None]) -> None:
        """Works on the job, and on what others bring meanwhile; while somebody else is at it, leaves the job to them at once."""
        with self._lock:
            self._waiting[job_id] = None
            if self._busy:
                return
            self._busy = True
        while (following := self._take()) is not None:
            try:
                work(following)
            except BaseException:
                with self._lock:
                    self._busy = False  # the next to come goes on with what is left
                raise

    def _take(self) -> UUID | None:
        with self._lock:
            following = next(iter(self._waiting), None)
            if following is None:
                self._busy = False
            else:
                del self._waiting[following]
            return following
