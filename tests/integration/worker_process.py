"""A worker as a process: the real Celery command line, settings in its environment, its log in a file."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from worker.moderation.settings import Settings

START_SECONDS = 60  # a loaded machine imports slowly
SCRIPTED = "tests.integration.scripted_app"


def environment(settings: Settings) -> dict[str, str]:
    """The settings that differ from their defaults, as environment variables."""
    variables = {}
    for name, value in settings:
        if value != Settings.model_fields[name].default:
            text = value.get_secret_value() if isinstance(value, SecretStr) else ",".join(value) if isinstance(value, tuple) else str(value)
            variables["ZOOMIN_" + name.upper()] = text
    return variables


class WorkerProcess:
    """Started by the constructor; `stop` it whatever happens."""

    def __init__(self, settings: Settings, log: Path, *, app: str = SCRIPTED, queues: str = "scan") -> None:
        self.log = log
        command = [sys.executable, "-m", "celery", "-A", app, "worker", "-P", "threads", "-c", "3", "-Q", queues, "-l", "INFO"]
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, env=environment(settings), stdout=file, stderr=file)

    def events(self) -> list[dict[str, Any]]:
        """The log's JSON lines."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def wait_ready(self) -> "WorkerProcess":
        """Returns when it consumes."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if any(event.get("event") == "worker_ready" for event in self.events()):
                return self
            time.sleep(0.05)
        raise AssertionError(f"the worker did not become ready:\n{self.log.read_text()[-4000:]}")

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        self.process.send_signal(number)

    def wait(self, seconds: float = START_SECONDS) -> int:
        """Its exit code."""
        return self.process.wait(seconds)

    def stop(self) -> None:
        """Ends it, by force if need be."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
