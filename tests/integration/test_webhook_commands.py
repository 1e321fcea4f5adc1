"""`zoomin webhooks …` as an operator types it, and the example receiver as an integrator runs it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import Engine

from tests.integration.webhook_world import WebhookWorld, eventually, receiver
from tests.unit.cli.invoke import Ended, zoomin
from worker.local.addresses import environment, inherited
from worker.local.ports import free_ports
from worker.moderation.settings import Settings
from worker.moderation.signatures import signed_headers, verify

EXAMPLE = Path(__file__).parents[2] / "deploy" / "examples" / "webhook_receiver.py"


@pytest.fixture
def local(settings: Settings, tmp_path: Path) -> Settings:
    """Settings under which a receiver on this machine may be told."""
    changes = {"secrets_key": SecretStr("s" * 32), "webhook_private_targets": True, "home": tmp_path, "tenant": "commands"}
    return settings.model_copy(update=changes)


@pytest.fixture
def world(engine: Engine) -> Iterator[WebhookWorld]:
    world = WebhookWorld(engine)
    world.clear()
    yield world
    world.clear()


@pytest.fixture
def sender(local: Settings) -> Iterator["subprocess.Popen[str]"]:
    """`zoomin webhooks run`, for the length of a test."""
    import os  # noqa: PLC0415

    command = [sys.executable, "-m", "worker.cli", "webhooks", "run"]
    variables = {**inherited(os.environ), **environment(local)}
    with subprocess.Popen(command, env=variables, stderr=subprocess.PIPE, text=True) as running:
        yield running
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=30)
    assert running.returncode == 0, said
    assert "Traceback" not in said


def webhooks(local: Settings, *arguments: str) -> Ended:
    return zoomin("webhooks", *arguments, home=local.home, settings=environment(local))


def test_an_endpoint_is_added_listed_rotated_paused_and_removed(local: Settings, world: WebhookWorld) -> None:
    added = webhooks(local, "add", "http://127.0.0.1:9/x", "--types", "batch.completed, item.failed", "--description", "ours", "--json")
    assert added.code == 0, added.err
    made = json.loads(added.out)
    assert made["secret"].startswith("whsec_")
    endpoint = made["endpoint"]
    listed = webhooks(local, "list", "--json")
    assert {name: value for name, value in made.items() if name != "secret"} == json.loads(listed.out)
    assert "whsec_" not in listed.out
    rotated = webhooks(local, "rotate", endpoint, "--overlap-hours", "1")
    assert rotated.out.startswith("whsec_")
    assert rotated.out.strip() != made["secret"]
    assert "paused" in webhooks(local, "pause", endpoint).out
    assert "paused by its owner" in webhooks(local, "list").out
    assert "active" in webhooks(local, "resume", endpoint).out
    assert "disabled" in webhooks(local, "remove", endpoint).out
    assert webhooks(local, "list", "--json").out == ""


def test_a_bad_target_type_or_id_is_wrong_usage_with_a_reason(local: Settings, world: WebhookWorld) -> None:
    strict = local.model_copy(update={"webhook_private_targets": False})
    for arguments, reason in (
        (("add", "https://127.0.0.1/"), "webhook_target_private"),
        (("add", "http://example.com/"), "webhook_target_insecure"),
        (("add", "https://localhost/"), "webhook_target_private"),
        (("pause", "x"), "webhook_endpoint_malformed"),
        (("redeliver", "evt_x"), "event_id_malformed"),
    ):
        ended = webhooks(strict, *arguments)
        assert (ended.code, f"[{reason}]" in ended.err) == (2, True), ended.err
    assert "webhook_types_invalid" in webhooks(local, "add", "http://127.0.0.1:9/", "--types", "nonsense").err
    keyless = webhooks(local.model_copy(update={"secrets_key": None}), "add", "http://127.0.0.1:9/")
    assert (keyless.code, "ZOOMIN_SECRETS_KEY" in keyless.err) == (2, True)


def test_events_are_sent_listed_and_redelivered(local: Settings, world: WebhookWorld, sender: "subprocess.Popen[str]") -> None:
    with receiver() as there:
        made = json.loads(webhooks(local, "add", there.url, "--json").out)
        sent = webhooks(local, "test", made["endpoint"]).out.strip()
        assert eventually(lambda: len(there.received) == 1)
        verify(made["secret"], there.received[0].headers, there.received[0].body, now=time.time())
        assert eventually(world.quiet)
        (listed,) = [json.loads(line) for line in webhooks(local, "deliveries", made["endpoint"], "--json").out.splitlines()]
        assert (listed["event"], listed["state"], listed["last_status"]) == (sent, "delivered", 204)
        assert "1 endpoint" in webhooks(local, "redeliver", sent).out
        assert eventually(lambda: len(there.received) == 2)
    assert there.received[0].id == there.received[1].id == sent


def test_the_example_receiver_takes_real_events_once_and_no_forgeries(
    local: Settings, world: WebhookWorld, sender: "subprocess.Popen[str]"
) -> None:
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/"
    made = json.loads(webhooks(local, "add", url, "--json").out)
    with subprocess.Popen([sys.executable, str(EXAMPLE), made["secret"], str(port)], stdout=subprocess.PIPE, text=True) as example:
        assert example.stdout is not None
        try:
            assert eventually(lambda: _listens(url))
            sent = webhooks(local, "test", made["endpoint"]).out.strip()
            assert example.stdout.readline() == f'webhook.test {{"endpoint_id": "{made["endpoint"]}"}}\n'
            assert eventually(world.quiet)
            webhooks(local, "redeliver", sent)
            assert eventually(world.quiet)
            delivered = [json.loads(line) for line in webhooks(local, "deliveries", made["endpoint"], "--json").out.splitlines()]
            assert [(d["state"], d["last_status"]) for d in delivered] == [("delivered", 204)]
            now, body = int(time.time()), b'{"type":"x","data":{}}'
            old = signed_headers([made["secret"]], "evt_old", now - 1000, body)
            forged = signed_headers(["whsec_" + "A" * 40], "evt_forged", now, body)
            genuine = signed_headers([made["secret"]], "evt_genuine", now, body)
            statuses = [httpx.post(url, headers=headers, content=body).status_code for headers in (old, forged, {}, genuine)]
            assert statuses == [401, 401, 401, 204]
        finally:
            example.terminate()
        assert example.stdout.read() == "x {}\n", "the repetition was not acted on"


def _listens(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 501
    except httpx.ConnectError:
        return False


def test_the_verification_of_the_example_fits_in_fifteen_lines() -> None:
    text = EXAMPLE.read_text()
    verification = text.partition("def verified")[2].partition("\n\n\n")[0]
    assert len(verification.splitlines()) <= 15
