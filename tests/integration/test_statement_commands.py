"""`zoomin statements …` as an operator types it."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import psutil
import pytest
from sqlalchemy import Engine

from tests.integration.statement_world import REASONS, Desk, towards, transparency_database
from tests.integration.webhook_world import eventually
from tests.unit.cli.invoke import Ended, zoomin
from worker.local.addresses import environment
from worker.local.stack import Stack
from worker.moderation.settings import Settings
from worker.store.session import connect


@pytest.fixture
def desk(engine: Engine) -> Iterator[Desk]:
    desk = Desk(engine)
    yield desk
    desk.clear()


@pytest.fixture
def local(settings: Settings, tmp_path: Path, desk: Desk) -> Settings:
    return settings.model_copy(update={"home": tmp_path, "tenant": desk.tenant})


def statements(local: Settings, *arguments: str) -> Ended:
    return zoomin("statements", *arguments, home=local.home, settings=environment(local))


def test_a_draft_is_tried_signed_listed_and_withdrawn(local: Settings, desk: Desk) -> None:
    (decision,) = desk.decided()
    name = str(desk.draft(decision))
    tried = json.loads(statements(local, "submit", name, "--dry-run", "--json").out)
    assert (tried["state"], tried["violations"], tried["payload"]["puid"]) == ("draft", [], UUID(name).hex)
    signed = statements(local, "submit", name, "--signed-by", "ann")
    assert (signed.code, signed.out) == (0, f"Statement {name} is held.\n")
    assert "ZOOMIN_DSA_URL is not set" in signed.err
    listed = [json.loads(line) for line in statements(local, "list", "--json").out.splitlines()]
    assert [(row["statement"], row["state"], row["signed_by"]) for row in listed] == [(name, "held", "ann")]
    exported = statements(local, "list", "--state", "held", "--format", "jsonl")
    assert [json.loads(line) for line in exported.out.splitlines()] == [tried["payload"]]
    assert name in statements(local, "list").out
    assert json.loads(statements(local, "withdraw", name, "--json").out) == {"statement": name, "state": "withdrawn"}
    assert statements(local, "withdraw", name).code == 2


def test_a_draft_that_breaks_rules_is_shown_with_them_and_not_signed(local: Settings, desk: Desk) -> None:
    (decision,) = desk.decided()
    name = str(desk.draft(decision, **{**REASONS, "territorial_scope": None}))
    shown = statements(local, "show", name)
    assert "territorial_scope: It is required. [missing]" in shown.out
    assert "Region 1 (1, 2, 30, 40): hand." in shown.out
    refused = statements(local, "submit", name)
    assert (refused.code, desk.states()) == (2, ["draft"])
    assert "[statement_invalid]" in refused.err


def test_what_is_due_is_sent_once(local: Settings, desk: Desk) -> None:
    desk.many(3)
    refused = statements(local, "run", "--once")
    assert (refused.code, "ZOOMIN_DSA_URL, ZOOMIN_DSA_TOKEN" in refused.err) == (2, True)
    with transparency_database() as database:
        sent = statements(towards(local, database), "run", "--once", "--json")
        assert (sent.code, json.loads(sent.out)["attempted"]) == (0, 3)
        assert len(database.there) == 3
    assert set(desk.states()) == {"submitted"}
    assert statements(local, "show", "nonsense").code == 2


@pytest.mark.timeout(120)
def test_the_stack_sends_what_is_due_and_gives_the_token_to_the_sender_alone() -> None:
    home = Path(tempfile.mkdtemp(prefix="zoomin-"))
    try:
        with transparency_database() as database, Stack(towards(Settings(home=home), database), worker=False) as stack:
            stack.wait_ready(60)
            engine = connect(stack.settings, application="zoomin-test")
            desk = Desk(engine)
            (statement,) = desk.many(1)
            assert eventually(lambda: desk.row(statement).state == "submitted")
            engine.dispose()
            children = psutil.Process().children(recursive=True)
            knowing = [child.cmdline() for child in children if "ZOOMIN_DSA_TOKEN" in child.environ()]
            assert len(knowing) == 1
            assert knowing[0][-3:] == ["worker.cli", "statements", "run"]
    finally:
        shutil.rmtree(home)
