"""Policies on a real Postgres: written, watched, promoted; and what outcomes become under them."""

import threading
from collections import Counter
from uuid import UUID

import pytest
from sqlalchemy import Engine

from tests.integration.queue_world import World
from tests.integration.review_world import judged_batch
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import DEFAULT_BANDS, Action, AutomaticAction, Band, Route, Said
from worker.store.models.policies import VersionState
from worker.store.policies import Draft, create_policy, in_force, move_version, write_version
from worker.store.policy_reading import Change, compare, read_version
from worker.store.session import transaction

STRICT = {Said(verdict): Band(0.1, 0.5) for verdict in Verdict}
SCORES = {0: 0.05, 1: 0.15, 2: 0.6, 3: 0.95}


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


def write(world: World, tenant: str, *, bands: dict[Said, Band] = STRICT, automatic: AutomaticAction | None = None) -> int:
    with transaction(world.engine) as session:
        draft = Draft(bands=bands, queue="default", automatic=automatic)
        return write_version(session, tenant, "default", draft, actor="ann").version


def move(world: World, tenant: str, version: int, state: VersionState) -> None:
    with transaction(world.engine) as session:
        move_version(session, tenant, "default", version, state, actor="ann")


def routes(world: World, batch_id: UUID, mode: str) -> dict[str, str]:
    sql = "SELECT ordinal, policy_version, route FROM routings WHERE batch_id = :id AND mode = :mode ORDER BY ordinal"
    return {f"{row.ordinal} {row.policy_version}": row.route for row in world.rows(sql, id=batch_id, mode=mode)}


def test_a_tenant_begins_with_a_live_default_policy(world: World) -> None:
    batch_id = judged_batch(world, SCORES, tenant="newcomer")
    assert routes(world, batch_id, "live") == {
        "0 default@1": "pass",
        "1 default@1": "pass",
        "2 default@1": "review",
        "3 default@1": "flag",
    }
    with transaction(world.engine) as session:
        assert in_force(session, batch_id).live.bands == DEFAULT_BANDS


def test_a_shadow_version_is_watched_and_changes_nothing(world: World) -> None:
    world.batch(1, tenant="watcher")
    version = write(world, "watcher", automatic=AutomaticAction(Action.REMOVE, "ann", "tried out"))
    move(world, "watcher", version, VersionState.SHADOW)
    batch_id = judged_batch(world, SCORES, tenant="watcher")
    assert list(routes(world, batch_id, "live").values()) == ["pass", "pass", "review", "flag"]
    assert routes(world, batch_id, "shadow") == {
        "0 default@2": "pass",
        "1 default@2": "review",
        "2 default@2": "flag",
        "3 default@2": "flag",
    }
    with transaction(world.engine) as session:
        assert compare(session, "watcher", "default", version) == [
            Change(Route.FLAG, Route.FLAG, 1),
            Change(Route.PASS, Route.PASS, 1),
            Change(Route.PASS, Route.REVIEW, 1),
            Change(Route.REVIEW, Route.FLAG, 1),
        ]
    tasks = world.rows("SELECT ordinal, route FROM review_tasks WHERE batch_id = :id ORDER BY ordinal", id=batch_id)
    assert [tuple(task) for task in tasks] == [(2, "review"), (3, "flag")]
    assert world.value("SELECT count(*) FROM decisions WHERE batch_id = :id", id=batch_id) == 0


def test_a_promoted_version_decides_and_the_one_before_is_retired(world: World) -> None:
    world.batch(1, tenant="promoter")
    version = write(world, "promoter")
    move(world, "promoter", version, VersionState.LIVE)
    assert list(routes(world, judged_batch(world, SCORES, tenant="promoter"), "live").values()) == ["pass", "review", "flag", "flag"]
    states = world.rows("SELECT version, state FROM policy_versions WHERE tenant_id = 'promoter' ORDER BY version")
    assert [tuple(row) for row in states] == [(1, "retired"), (2, "live")]
    move(world, "promoter", 1, VersionState.LIVE)  # and back
    assert list(routes(world, judged_batch(world, SCORES, tenant="promoter"), "live").values()) == ["pass", "pass", "review", "flag"]


def test_nothing_is_decided_without_a_person_unless_the_version_says_who_opted_in(world: World) -> None:
    world.batch(1, tenant="bold")
    version = write(world, "bold", automatic=AutomaticAction(Action.LABEL, "ann", "labels may be wrong; removals may not"))
    move(world, "bold", version, VersionState.LIVE)
    batch_id = judged_batch(world, SCORES, tenant="bold")
    decisions = world.rows("SELECT * FROM decisions WHERE batch_id = :id ORDER BY ordinal", id=batch_id)
    assert [(d.ordinal, d.basis, d.action, d.decided_by, d.policy_version) for d in decisions] == [
        (2, "automatic", "label", "policy:default@2", "default@2"),
        (3, "automatic", "label", "policy:default@2", "default@2"),
    ]
    assert "ann opted in: labels may be wrong" in decisions[0].reason
    tasks = world.rows("SELECT ordinal FROM review_tasks WHERE batch_id = :id", id=batch_id)
    assert [task.ordinal for task in tasks] == [1]
    events = world.rows("SELECT type FROM outbox WHERE tenant_id = 'bold' AND type LIKE 'decision%'")
    assert Counter(event.type for event in events) == {"decision.created": 2}


def test_two_who_write_at_once_get_two_versions(world: World) -> None:
    world.batch(1, tenant="pair")
    threads = [threading.Thread(target=write, args=(world, "pair")) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = world.rows("SELECT version FROM policy_versions WHERE tenant_id = 'pair' ORDER BY version")
    assert [row.version for row in versions] == [1, 2, 3, 4, 5, 6, 7]


def test_what_cannot_be_is_refused(world: World) -> None:
    world.batch(1, tenant="careful")
    with transaction(world.engine) as session:
        with pytest.raises(RejectedError, match="no name for a policy"):
            create_policy(session, "careful", "Über!", description="", actor="ann")
        with pytest.raises(RejectedError, match="already"):
            create_policy(session, "careful", "default", description="", actor="ann")
        with pytest.raises(RejectedError, match="no policy 'none'"):
            write_version(session, "careful", "none", Draft(bands={}, queue="default"), actor="ann")
        with pytest.raises(RejectedError, match="no review queue 'none'"):
            write_version(session, "careful", "default", Draft(bands={}, queue="none"), actor="ann")
        with pytest.raises(RejectedError, match="no version 7"):
            move_version(session, "careful", "default", 7, VersionState.LIVE, actor="ann")
        with pytest.raises(RejectedError, match="is live: it cannot become live"):
            move_version(session, "careful", "default", 1, VersionState.LIVE, actor="ann")
        with pytest.raises(RejectedError, match="cannot become retired"):
            move_version(session, "careful", "default", 1, VersionState.RETIRED, actor="ann")
        with pytest.raises(RejectedError, match="There is no default@9"):
            read_version(session, "careful", "default", 9)
