"""`zoomin scan` against real services, without a worker: the test decides what becomes of the batch."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image
from sqlalchemy import Engine, text

from tests.unit.cli.invoke import Ended, zoomin
from worker.local.addresses import environment
from worker.moderation.settings import Settings
from worker.store.batches import find_batch
from worker.store.models.intake import BatchState
from worker.store.session import transaction

DEADLINE_SECONDS = 30
Run = Callable[..., Ended]


@pytest.fixture
def variables(settings: Settings) -> dict[str, str]:
    """The module's services, as the environment names them."""
    return {name: value for name, value in environment(settings).items() if name != "ZOOMIN_HOME"}


@pytest.fixture
def run(variables: dict[str, str], tmp_path: Path) -> Run:
    """Commands with the module's services."""
    return lambda *arguments: zoomin(*arguments, home=tmp_path, settings=variables)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two images and a file that is none."""
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for path in (folder / "a.jpg", folder / "deep" / "b.png"):
        Image.new("RGB", (64, 64), "teal").save(path)
    (folder / "notes.txt").write_text("not an image")
    return folder


def test_stdout_is_the_batch_id_and_nothing_else(run: Run, folder: Path, engine: Engine) -> None:
    ended = run("scan", str(folder), "--priority", "7", "--tenant", "acme")
    assert ended.code == 0
    with transaction(engine) as session:
        found = find_batch(session, UUID(ended.out.strip()))
    assert (found.items_accepted, found.priority, found.tenant_id) == (2, 7, "acme")
    assert "2 images accepted" in ended.err


def test_json_is_one_object_per_source(run: Run, folder: Path) -> None:
    ended = run("scan", str(folder), str(folder / "deep"), "--json")
    first, second = (json.loads(line) for line in ended.out.splitlines())
    assert (first["accepted"], second["accepted"]) == (2, 1)
    assert (first["verdict"], first["pending"], first["state"]) == (0, 2, "running")


def test_a_batch_without_a_good_row_is_rejected_with_exit_3(run: Run, tmp_path: Path) -> None:
    manifest = tmp_path / "rows.jsonl"
    manifest.write_text('{"source-ref": "file:///etc/passwd"}\n')
    ended = run("scan", str(manifest), "--wait", "--json")
    assert ended.code == 3
    summary = json.loads(ended.out)
    assert (summary["state"], summary["accepted"], summary["rejected"]) == ("rejected", 0, 1)
    assert "zoomin errors" in ended.err


def test_a_key_for_several_sources_is_refused(run: Run, folder: Path) -> None:
    assert run("scan", str(folder), str(folder), "--key", "k").code == 2


def test_waiting_ends_at_a_pause_with_reason_and_exit_4(variables: dict[str, str], folder: Path, tmp_path: Path, engine: Engine) -> None:
    pause = "UPDATE batches SET state = 'paused', pause_reason = 'Access to s3://photos/ was denied.' WHERE state = 'running'"
    with _waiting(variables, folder, tmp_path) as command:
        _batch_of(command)
        with transaction(engine) as session:
            session.execute(text(pause))
        _, err = command.communicate(timeout=DEADLINE_SECONDS)
    assert command.returncode == 4
    assert "Paused: Access to s3://photos/ was denied." in err
    assert "zoomin resume" in err


def test_ctrl_c_leaves_the_batch_running_and_says_how_to_follow_it(
    variables: dict[str, str], folder: Path, tmp_path: Path, engine: Engine
) -> None:
    with _waiting(variables, folder, tmp_path) as command:
        batch_id = _batch_of(command)
        assert command.stderr is not None
        while "of 2 done" not in (line := command.stderr.readline()):  # it follows the batch from here on
            assert line, "the command ended early"
        command.send_signal(signal.SIGINT)
        _, err = command.communicate(timeout=DEADLINE_SECONDS)
    assert command.returncode == 130
    assert f"zoomin results {batch_id}" in err
    assert "Traceback" not in err
    with transaction(engine) as session:
        assert find_batch(session, batch_id).state == BatchState.RUNNING


def _waiting(variables: dict[str, str], folder: Path, home: Path) -> subprocess.Popen[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZOOMIN_")}
    return subprocess.Popen(
        [sys.executable, "-u", "-m", "worker.cli", "scan", str(folder), "--wait"],
        env={**inherited, **variables, "ZOOMIN_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _batch_of(command: subprocess.Popen[str]) -> UUID:
    assert command.stdout is not None
    watchdog = threading.Timer(DEADLINE_SECONDS, command.kill)
    watchdog.start()
    try:
        return UUID(command.stdout.readline().strip())
    finally:
        watchdog.cancel()
