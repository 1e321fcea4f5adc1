"""Keeps children running: one that ends is started again, with growing pauses; stopping goes in reverse order of starting."""

import logging
import threading
import time
from collections.abc import Callable

from worker.local.child import Child, Command
from worker.local.layout import Layout, writing
from worker.moderation.errors import MisconfiguredError

log = logging.getLogger(__name__)

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
SETTLED_SECONDS = 60.0  # a child that ran that long starts again at the first pause
WATCH_SECONDS = 0.2
POLL_SECONDS = 0.02


class Watched:
    """A child with its count of early ends and the moment of its next start."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.ends = 0  # since it last settled
        self.started_at = time.monotonic()
        self.start_at: float | None = None  # set while it waits for its next start

    def notice_end(self, now: float) -> float:
        """Counts an end and returns the pause before the next start, seconds."""
        self.ends = 1 if now - self.started_at > SETTLED_SECONDS else self.ends + 1
        pause = min(FIRST_PAUSE_SECONDS * 2.0 ** (self.ends - 1), LONGEST_PAUSE_SECONDS)
        self.start_at = now + pause
        return pause

    def start_again(self, now: float) -> None:
        """Starts it."""
        self.start_at = None
        self.started_at = now
        self.child.start()


class Supervisor:
    """Children in the order they were started. Watching begins with `watch`, and lasts until `stop`."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._watched: list[Watched] = []
        self._lock = threading.Lock()
        self._stopping = False
        # Children that this thread starts are told of its death, not of the process's: it must outlive them all.
        self._release = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, command: Command) -> Child:
        """Starts a child. Raises MisconfiguredError when its log or record cannot be written."""
        child = Child(command, self._layout)
        with self._lock, writing(self._layout):
            rotate(child)
            self._watched.append(Watched(child))
            child.start()
        return child

    def watch(self) -> None:
        """Begins to start ended children again."""
        self._thread = threading.Thread(target=self._watch, name="zoomin-supervisor", daemon=True)
        self._thread.start()

    def child(self, name: str) -> Child:
        """The child of that name."""
        return self._find(name).child

    def ends(self, name: str) -> int:
        """How often it ended since it last ran for a minute."""
        return self._find(name).ends

    def stop(self) -> None:
        """Stops every child, the last started first; none is started again."""
        with self._lock:
            self._stopping = True
            for watched in reversed(self._watched):
                log.debug("stopping %s", watched.child.name)
                watched.child.stop()
            self._watched.clear()
        self._release.set()
        if self._thread:
            self._thread.join()

    def _find(self, name: str) -> Watched:
        return next(watched for watched in self._watched if watched.child.name == name)

    def _watch(self) -> None:
        while not self._release.wait(WATCH_SECONDS):
            with self._lock:
                if not self._stopping:
                    for watched in self._watched:
                        self._mend(watched)

    def _mend(self, watched: Watched) -> None:
        now = time.monotonic()
        child = watched.child
        if watched.start_at is not None:
            if now >= watched.start_at:
                self._start_again(watched, now)
        elif child.exit_code is not None:
            code = child.exit_code
            child.bury()
            pause = watched.notice_end(now)
            log.warning("%s ended (%s); starting it again in %.0f s; its log: %s", child.name, told(code), pause, child.log)

    def _start_again(self, watched: Watched, now: float) -> None:
        try:
            watched.start_again(now)
        except OSError as error:  # a full disk must not end the watch: whoever frees it expects things to go on
            log.warning("%s cannot be started: %s; trying again in %.0f s", watched.child.name, error, watched.notice_end(now))


def rotate(child: Child) -> None:
    """Puts the log of the previous run aside; one old log is kept."""
    if child.log.exists():
        child.log.replace(child.log.with_suffix(".log.1"))


def told(exit_code: int) -> str:
    """An exit code in words."""
    return f"killed by signal {-exit_code}" if exit_code < 0 else f"exit code {exit_code}"


def await_ready(child: Child, is_ready: Callable[[], bool], seconds: float) -> None:
    """Returns once the child answers. Raises MisconfiguredError when it ends or stays silent, with the end of its log."""
    deadline = time.monotonic() + seconds
    while not is_ready():
        if child.exit_code is not None:
            reason = f"ended with {told(child.exit_code)}"
        elif time.monotonic() > deadline:
            reason = f"did not answer within {seconds:.0f} s"
        else:
            time.sleep(POLL_SECONDS)
            continue
        raise MisconfiguredError("service_failed", f"{child.name} {reason}. The end of {child.log}:\n{child.last_words()}")
