"""One confined decode process, from its owner's end.

Why not a process pool from a library: in pebble 5.2.3 and `concurrent.futures` all children share one pipe whose far end the parent
holds open, so a child killed in the middle of a reply wedges its siblings (measured: pebble's own 5 s timeout did not fire in 20 s),
a child killed while idle breaks the pool, and replies are pickles. Here each child has its own pipe: its death is an EOF, to its owner.
"""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import TypeVar

from worker.images.confine import ChildLimits
from worker.images.reply import NonsenseError, Reply, making_sense, receive_reply
from worker.images.serve import serve
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError, ZoomInError

START_SECONDS = 60.0  # until ready; takes 0.2 s on an idle core
EXIT_SECONDS = 5.0  # from the end of its pipe to its own
OWN_FAULT = frozenset(  # signals that a process brings upon itself: the image would do it again
    {signal.SIGXCPU, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGSYS}
)

Result = TypeVar("Result")


class DecodeChild:
    """Starts when first needed, and again after a death. One caller at a time; `kill` may come from any thread."""

    def __init__(self, limits: ChildLimits) -> None:
        self._limits = limits
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._network_isolated: bool | None = None  # None until the process is ready

    def network_isolated(self) -> bool:
        """Whether the process is cut off from the network. Starts it when there is none."""
        self._ensure_started()
        return bool(self._network_isolated)

    def call(self, work: Callable[..., Reply], arguments: tuple[object, ...], read: Callable[[Reply], Result]) -> Result:
        """`read(work(*arguments))`: `work` runs in the child, `read` here; `work` and its arguments must pickle.

        Raises RejectedError as `work` does, or "image_kills_decoder"; TransientError when the child was killed, starved or failed;
        MisconfiguredError when none can be started.
        """
        pipe = self._ensure_started()

        def exchange() -> Result:
            pipe.send((work, arguments))
            reply = receive_reply(pipe)
            with making_sense():
                return read(reply)

        return self._within(self._limits.wall_seconds, exchange)

    def kill(self) -> None:
        """Ends the process at once. A call in progress raises TransientError."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """Ends the process and waits for it. Not during a call."""
        self.kill()
        self._bury()

    def _ensure_started(self) -> Connection:
        if self._pipe is not None and self._process is not None and self._process.is_alive():
            return self._pipe
        self._bury()
        spawn = multiprocessing.get_context("spawn")  # a fork would copy the worker's memory, secrets included
        pipe, childs_end = spawn.Pipe()
        self._pipe = pipe
        self._process = spawn.Process(target=serve, args=(childs_end, self._limits, os.getpid()), name="decode", daemon=True)
        self._process.start()
        childs_end.close()  # so that the child's death is an EOF here
        ready = self._within(START_SECONDS, lambda: receive_reply(pipe))
        self._network_isolated = ready.facts.get("network_isolated") is True
        return pipe

    def _within(self, seconds: float, exchange: Callable[[], Result]) -> Result:
        """The exchange's result; kills the child when it takes longer, which ends even a half-sent message in an EOF."""
        expired = threading.Event()
        timer = threading.Timer(seconds, self._expire, (expired,))
        timer.start()
        try:
            return exchange()
        except (EOFError, OSError):
            raise self._obituary(seconds if expired.is_set() else None) from None
        except NonsenseError:
            self.close()
            raise _poison("breaks the decoder") from None
        finally:
            timer.cancel()
            timer.join()  # from here on nothing kills the next image's child
            if expired.is_set():
                self._bury()

    def _expire(self, expired: threading.Event) -> None:
        expired.set()
        self.kill()

    def _obituary(self, expired_after: float | None) -> ZoomInError:
        """What the child's end means for the image it held."""
        was_ready = self._network_isolated is not None
        exit_code = self._bury()
        if expired_after is not None:
            message = f"The decode process gave no answer in {expired_after:g} s, mostly waiting: the machine is overloaded."
            return TransientError("decoder_timed_out", message)
        if exit_code in (None, -signal.SIGKILL, -signal.SIGTERM):
            return TransientError("decoder_died", "The decode process was killed from outside.")
        if not was_ready:
            message = f"Decode processes do not start (exit code {exit_code}). The log has the process's own message."
            return MisconfiguredError("decoder_cannot_start", message)
        if -exit_code in OWN_FAULT:
            return _poison(f"crashes or exhausts the decoder ({signal.Signals(-exit_code).name})")
        return TransientError("decoder_died", f"The decode process ended before its answer (exit code {exit_code}).")

    def _bury(self) -> int | None:
        """Frees pipe and process, whatever state they are in. The exit code, when there was a process."""
        process, pipe = self._process, self._pipe
        self._process = self._pipe = self._network_isolated = None
        if pipe is not None:
            pipe.close()
        if process is None:
            return None
        process.join(EXIT_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()
        return process.exitcode


def _poison(what: str) -> RejectedError:
    return RejectedError("image_kills_decoder", f"The image {what}. It will not be tried again.")
