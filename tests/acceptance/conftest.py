"""One real stack for the whole run: `zoomin up` as a user starts it, with Postgres, Valkey, S3, dispatcher, API and a vLLM worker."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from sqlalchemy import Engine

from worker.intake.storage import Storage
from worker.local.addresses import Addresses, apply, running_addresses
from worker.moderation.settings import Settings
from worker.store.session import connect

ZOOMIN = (sys.executable, "-m", "worker.cli")
START_SECONDS = 240  # the engine compiles its first grammar on two busy cores
SAMPLES = Path(str(files("worker.local"))) / "samples"
QUICK_REPAIR = {  # the production values make a test of repair wait for minutes
    "ZOOMIN_LEASE_SECONDS": "30",  # an image must finish within it, or the engine passes for stuck: sixteen share two busy cores
    "ZOOMIN_HEARTBEAT_SECONDS": "2",
    "ZOOMIN_SWEEP_SECONDS": "1",
    "ZOOMIN_ANNOUNCE_TIMEOUT_SECONDS": "5",
    "ZOOMIN_CHUNK_ITEMS": "8",
}


@dataclass
class RunningStack:
    """A stack and the command line in front of it."""

    home: Path
    process: subprocess.Popen[bytes]
    environment: dict[str, str]

    @property
    def addresses(self) -> Addresses:
        """Where its services are."""
        found = running_addresses(self.home)
        assert found is not None, self.log()
        return found

    @cached_property
    def settings(self) -> Settings:
        """What a client of this stack works with."""
        return apply(Settings(home=self.home), self.addresses)

    @cached_property
    def engine(self) -> Engine:
        """Its database, as the application sees it."""
        return connect(self.settings, application="zoomin-acceptance")

    @cached_property
    def storage(self) -> Storage:
        """Its S3 server."""
        return Storage(self.settings)

    def cli(self, *arguments: str, seconds: float = 240) -> subprocess.CompletedProcess[str]:
        """Runs `zoomin …` to its end."""
        return subprocess.run([*ZOOMIN, *arguments], env=self.environment, capture_output=True, text=True, timeout=seconds, check=False)

    def scan(self, source: str | Path, *options: str) -> dict[str, Any]:
        """`zoomin scan SOURCE --wait --json`: the last object it prints."""
        result = self.cli("scan", str(source), "--wait", "--json", *options)
        assert result.returncode in (0, 3), result.stderr
        return json.loads(result.stdout.strip().splitlines()[-1])  # type: ignore[no-any-return]

    def results(self, batch: str) -> dict[str, dict[str, Any]]:
        """`zoomin results BATCH --format jsonl`, by custom_id."""
        result = self.cli("results", batch, "--format", "jsonl")
        assert result.returncode == 0, result.stderr
        items = [json.loads(line) for line in result.stdout.splitlines()]
        assert len({item["custom_id"] for item in items}) == len(items)
        return {item["custom_id"]: item for item in items}

    def worker(self) -> psutil.Process:
        """The scan worker's process."""
        return psutil.Process(json.loads((self.home / "run" / "worker.process.json").read_text())["pid"])

    def ready(self) -> bool:
        """Whether every check of /readyz passes, the worker's among them."""
        found = running_addresses(self.home)
        if found is None:
            return False
        try:
            checks = httpx.get(f"{found.api_url}/readyz", timeout=5).json()["checks"]
        except httpx.HTTPError:
            return False
        return all(check["ok"] for check in checks.values())

    def log(self) -> str:
        """The ends of all logs, for a failure."""
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in (self.home / "logs").glob("*.log"))


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Polls until `condition` holds; fails naming `what` it waited for."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.1)


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """`zoomin up`, ready; stopped as Ctrl-C does, and nothing of it left."""
    home = Path(tempfile.mkdtemp(prefix="zoomin-acceptance-"))
    home.chmod(0o755)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZOOMIN_")}
    environment = {**clean, **QUICK_REPAIR, "ZOOMIN_HOME": str(home), "ZOOMIN_API_PORT": "0", "COLUMNS": "120"}
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen([*ZOOMIN, "up"], env=environment, stdout=log, stderr=subprocess.STDOUT)
    stack = RunningStack(home, process, environment)
    try:
        wait_for(lambda: stack.ready() or process.poll() is not None, seconds=START_SECONDS, what="the stack")
        assert process.poll() is None, (home / "up.log").read_text() + stack.log()
        yield stack
        stack.engine.dispose()
    finally:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []
        process.terminate()
        process.wait(90)
        left = [member for member in family if member.is_running() and member.status() != psutil.STATUS_ZOMBIE]
        for member in left:
            member.kill()
        shutil.rmtree(home, ignore_errors=True)
    assert not left, left
