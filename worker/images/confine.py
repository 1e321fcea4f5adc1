"""What a decode child gives up before it meets its first untrusted byte."""

import ctypes
import math
import os
import resource
import signal
from dataclasses import dataclass

KEPT_VARIABLES = frozenset({"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ"})
CLONE_NEWUSER = 0x10000000  # linux/sched.h
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_NO_NEW_PRIVS = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What one image may take."""

    address_space_bytes: int = 2 * 1024**3  # a 50-megapixel RGBA image with a profile needs about half
    cpu_seconds: int = 10  # per image; 50 megapixels need 2 to 4
    wall_seconds: float = 15.0  # per image, from its start in the child; above cpu_seconds, so that a spin dies of the latter
    open_files: int = 64


def confine(limits: ChildLimits, parent: int) -> bool:
    """Drops secrets, limits memory and files, cuts the network, dies with `parent`. True when the network is cut.

    Every module that decoding needs must be imported already. Call before any thread is started.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C and a group's TERM are the worker's to answer: it drains, then ends us
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _forget_environment()
    _lower(resource.RLIMIT_AS, limits.address_space_bytes)
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_NOFILE, limits.open_files)
    isolated = _cut_network()
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    # After the change of namespace, which clears it. It fires when the *thread* that spawned us ends: `pool` spawns from
    # threads that live as long as the pool.
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it died before we asked
        os._exit(1)
    return isolated


def allow_cpu(seconds: int) -> None:
    """Lets this process use `seconds` more of CPU, then SIGXCPU. The kernel's limit counts from the process's start."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = math.ceil(usage.ru_utime + usage.ru_stime)
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (used + seconds if hard == resource.RLIM_INFINITY else min(used + seconds, hard), hard))


def _lower(kind: int, limit: int) -> None:
    """Sets the limit for good, unless a stricter one is in force."""
    hard = resource.getrlimit(kind)[1]
    lowered = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
    resource.setrlimit(kind, (lowered, lowered))


def _forget_environment() -> None:
    """Overwrites the values where the kernel put them (/proc/self/environ shows that memory), then drops the names."""
    entries = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ")
    index = 0
    while address := entries[index]:
        name, _, value = ctypes.string_at(address).partition(b"=")
        if name.decode("utf-8", "surrogateescape") not in KEPT_VARIABLES:
            ctypes.memset(address + len(name) + 1, 0, len(value))
        index += 1
    for variable in set(os.environ) - KEPT_VARIABLES:  # noqa: TID251  forgets settings, reads none
        del os.environ[variable]  # noqa: TID251


def _cut_network() -> bool:
    """Moves into a network namespace without interfaces. False where the kernel or the container's profile forbids it."""
    unshare = ctypes.CDLL(None).unshare
    return bool(unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0 or unshare(CLONE_NEWNET) == 0)
