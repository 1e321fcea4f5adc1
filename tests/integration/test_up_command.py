"""`zoomin up` as a user runs it; without a worker, since loading a model is what the acceptance tests wait for."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.cli.invoke import zoomin
from worker.local.addresses import running_addresses

DEADLINE_SECONDS = 90
ANY_PORT = {"ZOOMIN_API_PORT": "0"}


@pytest.fixture
def home() -> Iterator[Path]:
    """A home below the system's temporary directory: Postgres drops root's rights, and must be able to reach it."""
    with tempfile.TemporaryDirectory(prefix="zoomin-up-") as directory:
        Path(directory).chmod(0o711)
        yield Path(directory)


def test_up_serves_other_commands_refuses_a_second_and_stops_on_sigterm(home: Path) -> None:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZOOMIN_")}
    command_line = [sys.executable, "-m", "worker.cli", "up", "--no-worker"]
    environment = {**inherited, **ANY_PORT, "ZOOMIN_HOME": str(home)}
    with subprocess.Popen(command_line, env=environment, stderr=subprocess.PIPE, text=True) as command:
        watchdog = threading.Timer(DEADLINE_SECONDS, command.kill)
        watchdog.start()
        try:
            _await_ready(command)
            assert "is at revision" in zoomin("db", "current", home=home).out
            second = zoomin("up", "--no-worker", home=home, settings=ANY_PORT)
            assert (second.code, f"pid {command.pid}" in second.err) == (2, True)
            command.send_signal(signal.SIGTERM)
            _, said = command.communicate()
            assert command.returncode == 0
            assert said.endswith("Stopped. The data stays; `zoomin up` goes on with it.\n")
            assert running_addresses(home) is None
        finally:
            watchdog.cancel()
            command.kill()


def _await_ready(command: subprocess.Popen[str]) -> None:
    assert command.stderr is not None
    said: list[str] = []
    while "Ready." not in (line := command.stderr.readline()):
        assert line, "".join(said)
        said.append(line)
