"""Names of lease owners, from which a worker that starts on the same machine can tell that another has died.

The name holds the boot and the process-id namespace, since host names and process ids repeat among containers.
"""

import os
import socket
from pathlib import Path

import psutil

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")


def owner_name(pid: int) -> str:
    """`<host>:<boot>:<pid namespace>:<pid>` of a process of this machine and namespace."""
    boot = BOOT_ID.read_text().strip()[:8]
    namespace = os.readlink(PID_NAMESPACE).strip("pid:[]")  # noqa: PTH115  a Path would mangle it
    return f"{socket.gethostname()}:{boot}:{namespace}:{pid}"


def is_gone(owner: str) -> bool:
    """True when `owner` was a process of this very namespace and is no more, or has left its process id to us. Else unknown: False."""
    place, _, pid = owner.rpartition(":")
    if not pid.isdigit() or owner_name(0).rpartition(":")[0] != place:
        return False
    return int(pid) == os.getpid() or not psutil.pid_exists(int(pid))
