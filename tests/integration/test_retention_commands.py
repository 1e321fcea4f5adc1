"""`zoomin retention`, `zoomin erase` and `zoomin hold` as an operator types them."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.integration.retention_world import PASSED, RetentionWorld, pixels
from tests.unit.cli.invoke import Ended, zoomin
from worker.intake.storage import Storage
from worker.local.addresses import environment
from worker.moderation.identifiers import item_id
from worker.moderation.retention import TermKind
from worker.moderation.settings import Settings
from worker.queue.retaining import Retainer


@pytest.fixture
def world(engine: Engine, storage: Storage, settings: Settings) -> Iterator[RetentionWorld]:
    world = RetentionWorld.apart(engine, storage, settings)
    world.world.retire()
    yield world
    world.world.retire()


def typed(world: RetentionWorld, *arguments: str) -> Ended:
    settings = world.settings.model_copy(update={"tenant": world.tenant})
    return zoomin(*arguments, home=settings.home, settings=environment(settings))


def objects(ended: Ended) -> list[dict[str, object]]:
    assert ended.code == 0, ended.err
    return [json.loads(line) for line in ended.out.splitlines()]


def test_an_image_is_held_not_erased_released_and_erased(world: RetentionWorld) -> None:
    body = pixels()
    batch_id = world.judged({0: body})
    name = item_id(batch_id, 0)
    (hold,) = objects(typed(world, "hold", "add", name, "--reason", "a court asked", "--json"))
    held = typed(world, "erase", name, "--yes")
    assert (held.code, "item_held" in held.err) == (2, True)
    assert name in typed(world, "hold", "list").out
    assert "is released" in typed(world, "hold", "release", str(hold["hold"])).out
    asked = typed(world, "erase", name)
    assert (asked.code, "confirmation_missing" in asked.err) == (2, True)
    assert world.there(world.facts(body))
    (erased,) = objects(typed(world, "erase", name, "--yes", "--reason", "gdpr-17", "--json"))
    assert (erased["item"], erased["reason"]) == (name, "gdpr-17")
    assert not world.there(world.facts(body))
    shown = typed(world, "results", str(batch_id))
    assert (shown.code, "The image was erased." in shown.out) == (0, True)
    (line,) = objects(typed(world, "results", str(batch_id), "--format", "jsonl"))
    assert (line["erased"], line["outcome"], line["source"]) == (True, "verdict", "")
    assert typed(world, "audit", "verify").code == 0


def test_a_run_tells_what_it_would_end_and_what_it_ended(world: RetentionWorld) -> None:
    batch_id = world.judged({0: pixels()}, PASSED)
    world.age(batch_id, 31)
    (would,) = objects(typed(world, "retention", "run", "--dry-run", "--json"))
    (did,) = objects(typed(world, "retention", "run", "--json"))
    assert would["dry_run"] is True
    assert isinstance(would["ended"], dict)
    assert isinstance(did["ended"], dict)
    assert (would["ended"]["objects"], did["ended"]["objects"], did["ended"]["removed"], did["ended"]["traces"]) == (1, 1, 1, 2)
    assert typed(world, "retention", "run").out == "Ended: nothing.\n"


def test_terms_are_shown_and_changed_by_the_owner_alone(world: RetentionWorld) -> None:
    assert [term["term"] for term in objects(typed(world, "retention", "show", "--json"))] == list(TermKind)
    assert typed(world, "retention", "set", "secrets", "8").out == "secrets is kept for 8 days.\n"
    shown = {term["term"]: term["days"] for term in objects(typed(world, "retention", "show", "--json"))}
    assert (shown["secrets"], shown["routine"]) == (8, 30)
    told = world.world.value("SELECT detail FROM audit_events WHERE action = 'retention.term_changed'")
    assert told == {"term": "secrets", "days": 8, "before": 7}
    without = world.settings.model_copy(update={"owner_url": None})
    refused = zoomin("retention", "set", "secrets", "1", home=without.home, settings=environment(without))
    assert (refused.code, "permission denied" in refused.err) == (2, True)


def test_the_dispatchers_thread_removes_what_was_erased_and_runs_the_rest(world: RetentionWorld) -> None:
    erased, old = pixels(), pixels()
    batch_id, routine = world.judged({0: erased}), world.judged({0: old})
    world.age(routine, 31)
    world.erase(batch_id, 0)
    retainer = Retainer(world.settings, world.engine)
    retainer.turn(world.storage, whole=False)
    assert (world.there(world.facts(erased)), world.there(world.facts(old))) == (False, True)
    retainer.turn(world.storage, whole=True)
    assert not world.there(world.facts(old))
