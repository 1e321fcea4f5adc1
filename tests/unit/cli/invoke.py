"""Running the command line as a user does: in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


def zoomin(*arguments: str, home: Path, settings: Mapping[str, str] = MappingProxyType({}), stdout: int = subprocess.PIPE) -> Ended:
    """Runs a command without any settings but these, and with a home of its own."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ZOOMIN_")}
    environment |= {"ZOOMIN_HOME": str(home), "COLUMNS": "200", "NO_COLOR": "1", **settings}
    command = [sys.executable, "-m", "worker.cli", *arguments]
    ended = subprocess.run(command, env=environment, stdout=stdout, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    return Ended(ended.returncode, ended.stdout or "", ended.stderr)
