"""Servers of ours in processes of their own, as operators start them."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from worker.local.addresses import environment
from worker.moderation.settings import Settings

ROOT = Path(__file__).parents[2]
START_SECONDS = 60


@contextmanager
def server(settings: Settings, *arguments: str, port: int) -> Iterator[str]:
    """A process of ours, until the end of the block: its address."""
    variables = {**os.environ, **environment(settings), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-m", *arguments], env=variables) as process:
        try:
            await_server(f"http://127.0.0.1:{port}", process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def await_server(address: str, server: subprocess.Popen[bytes]) -> None:
    """Returns once it answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            httpx.get(f"{address}/healthz", timeout=2, trust_env=False)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the server did not answer (exit code {server.poll()})")
