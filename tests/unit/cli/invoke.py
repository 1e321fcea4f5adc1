"""Running the command line as a user does: in a process of its own."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def zoomin(
    *arguments: str,
    home: Path,
    settings: Mapping[str, str] = MappingProxyType({}),
    stdout: int = subprocess.PIPE,
    folder: Path | None = None,
) -> Ended:
    """Runs a command in `folder`, without any settings but these, and with a home of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZOOMIN_")}
    environment |= {"ZOOMIN_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1", **settings}
    command = [sys.executable, "-m", "worker.cli", *arguments]
    ended = subprocess.run(command, env=environment, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return Ended(ended.returncode, ended.stdout or "", ended.stderr)


@contextmanager
def room_for(octets: int) -> Iterator[None]:
    """Commands that run inside find the disk full once a file of theirs has so many bytes: the write is short, and the next one fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
