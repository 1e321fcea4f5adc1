"""One supervised process: started detached from the terminal, identified beyond its pid, and stopped with its whole group."""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from worker.local import launch
from worker.local.layout import Layout, write_private

log = logging.getLogger(__name__)

KILL_SECONDS = 5.0  # the kernel takes a killed process away within that, or never


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What to run, and how it wants to be stopped."""

    name: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]  # the whole of it; secrets go here, never into argv
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 10.0  # then it is killed
    account: str = ""  # to drop to; empty: ours
    reach: bool = False  # the account may still enter directories that are private to root


@dataclass(frozen=True, slots=True)
class Identity:
    """A process that no later one can be mistaken for: pids are reused, but not with the same start in the same boot.

    Not psutil's `create_time`: it is reckoned from the wall clock, and moves when that is set.
    """

    pid: int
    started: int  # clock ticks since boot
    boot: str

    def find(self) -> psutil.Process | None:
        """The process, while it lives."""
        with suppress(psutil.Error, OSError):
            process = psutil.Process(self.pid)
            if identify(self.pid) == self and process.status() != psutil.STATUS_ZOMBIE:
                return process
        return None


def identify(pid: int) -> Identity:
    """Identity of a living process. Raises FileNotFoundError when there is none."""
    after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    return Identity(pid, int(after_name[19]), Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())


class Child:
    """A process of the stack. Its identity is written to `run/<name>.process.json`, for the next stack to find."""

    def __init__(self, command: Command, layout: Layout) -> None:
        self.command = command
        self.log = layout.log(command.name)
        self.record = _record(layout, command.name)
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        """Its name in logs and files."""
        return self.command.name

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._popen.pid if self._popen and self._popen.poll() is None else None

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs or before it started."""
        return self._popen.poll() if self._popen else None

    def start(self) -> None:
        """Starts it in a session of its own, so that Ctrl-C reaches the supervisor alone and the order of stopping is ours."""
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603  argv is ours
                launched(self.command),
                env=dict(self.command.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        identity = identify(self._popen.pid)
        write_private(self.record, json.dumps({**asdict(identity), "stop_signal": int(self.command.stop_signal)}))

    def stop(self) -> None:
        """Asks it to stop, waits, then kills what is left of its group."""
        if self._popen is None:
            return
        if self._popen.poll() is None:
            self._popen.send_signal(self.command.stop_signal)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(self.command.stop_seconds)
        kill_group(self._popen.pid)
        self._popen.wait(KILL_SECONDS)
        self.record.unlink(missing_ok=True)

    def bury(self) -> None:
        """Kills what an ended child left of its group: an engine that outlives its worker would keep the memory the next one needs."""
        if self._popen is not None:
            kill_group(self._popen.pid)

    def last_words(self, lines: int = 3) -> str:
        """The end of its log, for an error message."""
        return last_lines(self.log, lines)


def launched(command: Command) -> tuple[str, ...]:
    """The command behind its launcher, to be run by this very thread: the kernel watches it, not the process."""
    death = str(int(command.stop_signal))
    reach = "reach" if command.reach else ""
    return (sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), death, command.account, reach, *command.argv)


def kill_group(pid: int) -> None:
    """Kills every process that is left in the group led by `pid`."""
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def stop_orphan(layout: Layout, name: str, seconds: float) -> None:
    """Stops what a killed supervisor left of the child of that name. Other processes are never touched."""
    record = _record(layout, name)
    if not record.exists():
        return
    stored = json.loads(record.read_text(encoding="utf-8"))
    stop_signal = stored.pop("stop_signal")
    identity = Identity(**stored)
    left = _group_members(identity, layout.home)
    if leader := identity.find():
        log.warning("stopping %s (pid %d), which a killed stack left behind", name, identity.pid)
        with suppress(psutil.Error):
            leader.send_signal(stop_signal)
            leader.wait(seconds)
        left.append(leader)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, KILL_SECONDS)
    record.unlink(missing_ok=True)


def _group_members(identity: Identity, home: Path) -> list[psutil.Process]:
    """Processes of the group that the recorded one led, if they carry our mark: the home in their environment."""
    members = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            ours = os.getpgid(process.pid) == identity.pid and process.environ().get("ZOOMIN_HOME") == str(home)
            if ours and process.pid != identity.pid:
                members.append(process)
    return members


def _record(layout: Layout, name: str) -> Path:
    return layout.run / f"{name}.process.json"


def last_lines(path: Path, lines: int) -> str:
    """The last non-empty lines of a file, cut to what a message can carry."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        text = file.read().decode(errors="replace")
    return "\n".join(line.strip()[:300] for line in [line for line in text.splitlines() if line.strip()][-lines:])
