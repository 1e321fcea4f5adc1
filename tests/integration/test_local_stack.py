"""The embedded stack: quick, persistent, alone on its home, and gone when it is told or killed."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import psutil
import pytest
from sqlalchemy import create_engine, text

from tests.unit.cli.invoke import zoomin
from worker.intake.storage import Storage
from worker.local.addresses import Addresses, apply, environment, running_addresses
from worker.local.child import identify, stop_orphan
from worker.local.layout import layout_of, make_directories
from worker.local.ports import is_free
from worker.local.postgres import Postgres, answers
from worker.local.services import Services
from worker.local.stack import Stack
from worker.moderation.errors import MisconfiguredError
from worker.moderation.settings import Settings, load_settings

# A supervisor of its own process, as `zoomin up --no-worker` is, without the command line.
SUPERVISOR = """
import signal, sys, threading
from worker.local.stack import Stack
from worker.moderation.settings import load_settings
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
with Stack(load_settings(), worker=False):
    print("up", flush=True)
    stop.wait()
"""
START_SECONDS = 60.0  # generous: the machine may be busy with other tests


@pytest.fixture
def home() -> Iterator[Path]:
    """A home below a directory that is private to its owner, root included."""
    private = Path(tempfile.mkdtemp(prefix="zoomin-stack-"))
    yield private / "home"
    shutil.rmtree(private)


def local(home: Path) -> Settings:
    return Settings(home=home, api_port=0)


def only(services: Services, home: Path, *unset: str) -> Settings:
    """Settings that name the shared services, so that a stack on `home` starts but those that are unset."""
    return services.settings.model_copy(update={"home": home, "api_port": 0, **dict.fromkeys(unset)})


def start_supervisor(settings: Settings) -> subprocess.Popen[str]:
    variables = {**os.environ, **environment(settings)}
    process = subprocess.Popen([sys.executable, "-c", SUPERVISOR], env=variables, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == "up\n"
    return process


def until(condition: Callable[[], bool], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "gave up waiting"
        time.sleep(0.05)


def processes_of(home: Path) -> list[psutil.Process]:
    """Everything alive that was started for this home, whoever its parent is now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and process.environ().get("ZOOMIN_HOME") == str(home):
                found.append(process)
        except psutil.Error:
            continue
    return found


def write_something(addresses: Addresses, settings: Settings) -> None:
    engine = create_engine(addresses.owner_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE kept (word text)"))
        connection.execute(text("INSERT INTO kept VALUES ('kept')"))
    engine.dispose()
    Storage(settings).put(settings.upload_bucket, "kept", b"kept", "text/plain")


def read_it_back(addresses: Addresses, settings: Settings) -> tuple[str, bytes]:
    engine = create_engine(addresses.owner_url)
    with engine.connect() as connection:
        row = connection.execute(text("SELECT word FROM kept")).scalar_one()
    engine.dispose()
    return row, Storage(settings).get(settings.upload_bucket, "kept", max_bytes=100, timeout_seconds=10).body


def test_data_outlives_a_restart_that_takes_seconds(home: Path) -> None:
    with Services(local(home)) as services:
        services.prepare()
        write_something(services.addresses, services.settings)
    started = time.monotonic()
    with Services(local(home)) as services:
        assert time.monotonic() - started < 10  # about 1 s on an idle machine
        assert read_it_back(services.addresses, services.settings) == ("kept", b"kept")
    assert processes_of(home) == []


def test_the_application_logs_in_with_few_rights(services: Services) -> None:
    engine = create_engine(services.addresses.database_url)
    with engine.connect() as connection:
        row = connection.execute(
            text("SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
        )
        assert row.scalar_one() is False
        assert connection.execute(text("SELECT has_table_privilege('audit_events', 'UPDATE, DELETE, TRUNCATE')")).scalar_one() is False
    engine.dispose()


def test_secrets_and_sockets_are_private(services: Services) -> None:
    layout = services.layout
    for directory in (layout.run, layout.postgres, layout.sockets, layout.valkey, layout.object_store, layout.logs):
        assert directory.stat().st_mode & 0o077 == 0, directory
    secret = services.addresses.s3_secret_key
    assert secret is not None
    for process in processes_of(layout.home):
        assert not any(secret in argument for argument in process.cmdline())
    assert secret not in repr(services.addresses)


def test_nothing_listens_beyond_the_loopback_interface(services: Services) -> None:
    listening = [
        connection.laddr.ip
        for process in processes_of(services.layout.home)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {"127.0.0.1"}


def test_a_broker_without_its_password_refuses(services: Services) -> None:
    port = int(services.addresses.broker_url.rsplit(":", 1)[1].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.sendall(b"PING\r\n")
        assert connection.recv(64).startswith(b"-NOAUTH")


def test_sigterm_stops_every_child(home: Path) -> None:
    supervisor = start_supervisor(local(home))
    assert {"s3", "valkey", "postgres", "api", "dispatcher", "intake", "webhooks"} <= {
        path.name.split(".")[0] for path in (home / "run").glob("*.process.json")
    }
    supervisor.terminate()
    assert supervisor.wait(60) == 0
    assert processes_of(home) == []
    assert running_addresses(home) is None
    assert list((home / "run").glob("*.process.json")) == []


def test_a_manifest_that_is_submitted_over_http_is_read_by_the_stacks_own_intake(home: Path) -> None:
    with Stack(local(home), worker=False) as stack:
        stack.wait_ready(START_SECONDS)
        made = zoomin("keys", "create", "--name", "ci", "--scope", "submit", "--scope", "read", "--json", home=home)
        key = json.loads(made.out)["key"]
        bucket = stack.settings.upload_bucket
        Storage(stack.settings).put(bucket, "m.jsonl", f'{{"source-ref": "s3://{bucket}/a.jpg"}}\n'.encode() * 3, "application/jsonl")
        headers = {"Authorization": f"Bearer {key}", "Idempotency-Key": "first"}
        with httpx.Client(base_url=str(stack.addresses.api_url), headers=headers, trust_env=False, timeout=30) as client:
            answer = client.post("/v1/batches", json={"source": f"s3://{bucket}/m.jsonl"})
            assert answer.status_code == 202, answer.text
            until(lambda: client.get(answer.headers["location"]).json()["state"] == "running")
            assert client.get(answer.headers["location"]).json()["rows"] == {"accepted": 3, "rejected": 0}
            first = client.get("/v1/policies/default/versions/1").json()
            assert ([clause["id"] for clause in first["clauses"]], first["reason_required"], first["state"]) == (
                ["synthetic-undisclosed", "synthetic-deceptive", "authentic"],
                True,
                "live",
            )


def test_a_second_start_is_refused_with_the_pid_of_the_first(services: Services) -> None:
    with pytest.raises(MisconfiguredError, match=f"already runs .*{os.getpid()}"):
        Stack(services.named, worker=False).start()
    assert services.supervisor.child("postgres").pid is not None


def test_after_kill_9_the_next_start_finds_no_orphan_and_keeps_the_data(home: Path) -> None:
    supervisor = start_supervisor(local(home))
    left = running_addresses(home)
    assert left is not None
    write_something(left, apply(local(home), left))
    supervisor.kill()
    supervisor.wait()
    assert running_addresses(home) is None
    with Stack(local(home), worker=False) as stack:
        stack.wait_ready(START_SECONDS)
        assert read_it_back(stack.addresses, stack.settings) == ("kept", b"kept")
        names = [process.name() for process in processes_of(home)]
        assert names.count("valkey-server") == names.count("weed") == 1
    assert processes_of(home) == []
    for address in (left.broker_url, left.s3_endpoint, left.api_url):
        assert address is not None
        assert is_free("127.0.0.1", int(address.rsplit(":", 1)[1].split("/")[0]))


def test_an_orphan_that_ignores_its_supervisors_death_is_killed(home: Path, services: Services) -> None:
    """Frozen, so that the kernel's signal does not end it."""
    settings = only(services, home, "broker_url")
    supervisor = start_supervisor(settings)
    record = json.loads((home / "run" / "valkey.process.json").read_text())
    frozen = psutil.Process(record["pid"])
    frozen.suspend()
    supervisor.kill()
    supervisor.wait()
    with Services(settings):
        assert not frozen.is_running() or frozen.status() == psutil.STATUS_ZOMBIE


def test_a_process_that_took_over_a_recorded_pid_is_left_alone(home: Path) -> None:
    layout_of_home = layout_of(home)
    make_directories(layout_of_home)
    bystander = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        stale = {**asdict(identify(bystander.pid)), "started": 1, "stop_signal": int(signal.SIGTERM)}
        (home / "run" / "valkey.process.json").write_text(json.dumps(stale))
        stop_orphan(layout_of_home, "valkey", seconds=1)
        assert bystander.poll() is None
    finally:
        bystander.communicate()
    assert bystander.returncode == 0


def test_a_service_that_dies_is_started_again_at_the_same_address(home: Path, services: Services) -> None:
    with Services(only(services, home, "database_url", "owner_url")) as restarted:
        restarted.prepare()
        write_something(restarted.addresses, services.settings)
        first = restarted.supervisor.child("postgres").pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        until(lambda: restarted.supervisor.child("postgres").pid not in {None, first})
        until(lambda: answers(restarted.layout))
        assert read_it_back(restarted.addresses, services.settings) == ("kept", b"kept")


def test_a_taken_api_port_is_named_with_its_remedy_and_nothing_is_left(home: Path, services: Services) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(MisconfiguredError, match=rf"Port {port} .*ZOOMIN_API_PORT"):
            Stack(only(services, home, "broker_url").model_copy(update={"api_port": port}), worker=False).start()
    assert processes_of(home) == []


def test_a_home_that_cannot_be_written_is_named_with_its_remedy(home: Path) -> None:
    home.parent.joinpath("file").touch()
    with pytest.raises(MisconfiguredError, match="ZOOMIN_HOME"):
        Services(local(home.parent / "file" / "home")).start()


def test_a_service_that_cannot_start_tells_why_and_takes_the_others_along(home: Path, services: Services) -> None:
    with Postgres(home):
        pass
    (home / "postgres" / "data" / "PG_VERSION").write_text("7\n")
    with pytest.raises(MisconfiguredError, match=r"postgres ended (?s:.*)version"):
        Services(only(services, home, "database_url", "owner_url", "broker_url")).start()
    assert processes_of(home) == []


def test_a_long_home_still_gets_a_socket(home: Path) -> None:
    deep = home / ("d" * 120)
    layout = layout_of(deep)
    try:
        with Postgres(deep) as postgres:
            engine = create_engine(postgres.owner_url)
            with engine.connect() as connection:
                assert connection.execute(text("SELECT 1")).scalar_one() == 1
            engine.dispose()
    finally:
        shutil.rmtree(layout.sockets)


def test_a_socket_directory_of_somebody_else_is_refused(home: Path) -> None:
    layout = layout_of(home / ("d" * 120))
    layout.sockets.symlink_to(home)
    try:
        with pytest.raises(MisconfiguredError, match="not a private directory"):
            Services(local(layout.home)).start()
    finally:
        layout.sockets.unlink()


def test_private_parents_stay_private(home: Path) -> None:
    before = home.parent.stat().st_mode
    with Postgres(home):
        pass
    assert home.parent.stat().st_mode == before


def test_services_that_the_settings_name_are_not_started(home: Path, services: Services) -> None:
    with Services(only(services, home, "broker_url")) as others:
        assert others.addresses.database_url == services.addresses.database_url
        assert others.addresses.s3_endpoint == services.addresses.s3_endpoint
        assert {path.name for path in (home / "run").glob("*.process.json")} == {"valkey.process.json"}


def test_a_child_started_with_the_environment_has_the_same_settings(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = services.settings.model_copy(update={"buckets": ("one", "two")})
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings
