"""Becomes a child's program: gives up root where asked, and asks the kernel to end it when the supervisor dies.

Run by path and isolated (`python -I -S launch.py PARENT SIGNAL ACCOUNT REACH COMMAND…`): it costs 15 ms and imports nothing of ours.
A program of its own rather than a `preexec_fn`, which is unsafe in a process with threads.
"""

import ctypes
import os
import pwd
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_KEEPCAPS, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 8, 47, 2  # <sys/prctl.h>
CAP_DAC_OVERRIDE = 1  # <linux/capability.h>
CAPABILITY_VERSION_3 = 0x20080522


class CapabilityHeader(ctypes.Structure):
    """`struct __user_cap_header_struct`."""

    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class CapabilitySets(ctypes.Structure):
    """`struct __user_cap_data_struct`: 32 capabilities."""

    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main(parent: str, death_signal: str, account: str, reach: str, *command: str) -> None:
    """Replaces this process by `command`. An empty `account` keeps the present one."""
    libc = ctypes.CDLL(None, use_errno=True)
    if account:
        drop_root(libc, account, keep_reach=reach == "reach")
    libc.prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)  # after setuid, which clears it
    if os.getppid() != int(parent):  # it died before the line above: no signal will come
        sys.exit(1)
    for ignored_by_python in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(ignored_by_python, signal.SIG_DFL)
    os.execv(command[0], command)  # noqa: S606  no shell is wanted


def drop_root(libc: ctypes.CDLL, account: str, *, keep_reach: bool) -> None:
    """Takes the account's ids. With `keep_reach` it may still enter directories that are private to root, and do nothing else of root's."""
    entry = pwd.getpwnam(account)
    if keep_reach:
        libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    if not keep_reach:
        return
    one = 1 << CAP_DAC_OVERRIDE
    sets = (CapabilitySets * 2)(CapabilitySets(one, one, one), CapabilitySets(0, 0, 0))
    refused = libc.capset(ctypes.byref(CapabilityHeader(CAPABILITY_VERSION_3, 0)), sets)
    if refused or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0):
        sys.exit(
            f"The home or the virtual environment is private to root, and {account} cannot be let in: move both to where all may enter."
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
