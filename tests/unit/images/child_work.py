"""What a child may be made to do by a hostile image. Runs in decode children."""

import ctypes
import os
import pickle
import resource
import signal
import struct
import time
from multiprocessing.connection import Connection
from pathlib import Path
from unittest import mock

from worker.images import serve
from worker.images.reply import Reply


def tell_pid() -> Reply:
    return Reply({"pid": os.getpid()})


def tell_confinement() -> Reply:
    """What the child has of its parent's belongings, and its limits."""
    return Reply(
        {
            "environment": Path("/proc/self/environ").read_bytes().decode(errors="replace") + repr(dict(os.environ)),
            "network": str(Path("/proc/self/ns/net").readlink()),
            "core": resource.getrlimit(resource.RLIMIT_CORE),
            "memory": resource.getrlimit(resource.RLIMIT_AS),
            "files": resource.getrlimit(resource.RLIMIT_NOFILE),
        }
    )


def spend_cpu(seconds: float) -> Reply:
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
    return tell_pid()


def nap(seconds: float) -> Reply:
    time.sleep(seconds)
    return tell_pid()


def take_memory(size: int) -> Reply:
    return Reply({"size": len(bytearray(size))})


def crash() -> Reply:
    ctypes.string_at(0)
    return Reply()


def be_killed() -> Reply:
    os.kill(os.getpid(), signal.SIGKILL)
    return Reply()


def raise_bug() -> Reply:
    raise LookupError("a bug of ours")


def be_killed_mid_reply() -> Reply:
    def half(connection: Connection, reply: Reply) -> None:
        os.write(connection.fileno(), struct.pack("!i", 1_000_000) + b"{")
        be_killed()

    mock.patch.object(serve, "send_reply", half).start()
    return Reply()


class Exploit:
    """Unpickled anywhere, it leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.mark,)


def speak_pickle(mark: Path) -> Reply:
    def exploit(connection: Connection, reply: Reply) -> None:
        connection.send_bytes(pickle.dumps(Exploit(mark)))

    mock.patch.object(serve, "send_reply", exploit).start()
    return Reply()
