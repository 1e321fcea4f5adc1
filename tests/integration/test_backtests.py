"""Back-testing on a real Postgres: what a version would have made of what was judged before it; never acted on, never counted twice."""

from collections import Counter
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine

from tests.integration.api_world import calling, new_key, problem
from tests.integration.queue_world import RELEASE, World, verdict
from tests.integration.review_world import judged_batch
from worker.moderation.calibration import Accuracy, BandCalibration, Calibration, band_facts
from worker.moderation.degradation import Degradation, DegradationBand
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import ItemReference, Outcome, OutcomeKind, Verdict
from worker.moderation.policy import Band, Route, Said
from worker.moderation.release import Release, Training
from worker.moderation.scopes import Scope
from worker.moderation.settings import Settings
from worker.store import backtests
from worker.store.backtests import EVERYTHING, START, Place, Reach, Stretch, backtest
from worker.store.outcome_rows import Place as OutcomePlace
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.policies import Draft, create_policy, write_version
from worker.store.policy_reading import Change, compare
from worker.store.releases import ensure_release
from worker.store.session import transaction

STRICT = {Said(verdict): Band(0.1, 0.5) for verdict in Verdict}
SCORES = {0: 0.05, 1: 0.15, 2: 0.6, 3: 0.95}
CHANGES = [
    Change(Route.FLAG, Route.FLAG, 1),
    Change(Route.PASS, Route.PASS, 1),
    Change(Route.PASS, Route.REVIEW, 1),
    Change(Route.REVIEW, Route.FLAG, 1),
]


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:8]}"


def written(world: World, tenant: str, policy: str = "default") -> int:
    with transaction(world.engine) as session:
        return write_version(session, tenant, policy, Draft(bands=STRICT, queue="default"), actor="ann").version


def stretch(
    world: World, tenant: str, version: int, *, policy: str = "default", reach: Reach = EVERYTHING, after: Place = START
) -> Stretch:
    with transaction(world.engine) as session:
        return backtest(session, tenant, policy, version, reach=reach, after=after, actor="ann")


def compared(world: World, tenant: str, version: int, policy: str = "default") -> list[Change]:
    with transaction(world.engine) as session:
        return compare(session, tenant, policy, version)


def traces_of_action(world: World, tenant: str) -> list[object]:
    """Live routings, tasks, decisions and events: what must not change."""
    routings = (
        "SELECT r.* FROM routings AS r JOIN batches AS b ON b.id = batch_id WHERE tenant_id = :tenant AND mode = 'live' ORDER BY 1, 2"
    )
    decisions = "SELECT d.* FROM decisions AS d JOIN batches AS b ON b.id = batch_id WHERE b.tenant_id = :tenant ORDER BY d.id"
    return [
        world.rows(routings, tenant=tenant),
        world.rows(decisions, tenant=tenant),
        world.rows("SELECT * FROM review_tasks WHERE tenant_id = :tenant ORDER BY id", tenant=tenant),
        world.rows("SELECT * FROM outbox WHERE tenant_id = :tenant ORDER BY id", tenant=tenant),
    ]


def test_a_draft_is_compared_over_what_was_judged_before_it_and_nothing_is_acted_on(world: World, tenant: str) -> None:
    judged_batch(world, SCORES, tenant=tenant)
    version = written(world, tenant)
    before = traces_of_action(world, tenant)
    assert stretch(world, tenant, version) == Stretch(4, 4, None)
    assert compared(world, tenant, version) == CHANGES
    assert traces_of_action(world, tenant) == before
    events = world.rows("SELECT detail FROM audit_events WHERE action = 'policy.backtested' ORDER BY id DESC LIMIT 1")
    assert events[0].detail == {"version": f"default@{version}", "outcomes": 4, "routed": 4}


def test_running_it_twice_writes_and_counts_nothing_more(world: World, tenant: str) -> None:
    judged_batch(world, SCORES, tenant=tenant)
    version = written(world, tenant)
    stretch(world, tenant, version)
    events = world.value("SELECT count(*) FROM audit_events WHERE action = 'policy.backtested'")
    assert stretch(world, tenant, version) == Stretch(4, 0, None)
    assert compared(world, tenant, version) == CHANGES
    assert world.value("SELECT count(*) FROM audit_events WHERE action = 'policy.backtested'") == events


def test_the_live_version_routes_what_older_ones_routed_and_leaves_its_own_alone(world: World, tenant: str) -> None:
    judged_batch(world, SCORES, tenant=tenant)
    before = traces_of_action(world, tenant)
    assert stretch(world, tenant, 1) == Stretch(4, 0, None)  # its live routings stand
    assert compared(world, tenant, 1) == []
    assert traces_of_action(world, tenant) == before


def test_only_the_newest_revision_of_an_item_is_routed(world: World, tenant: str) -> None:
    batch_id = judged_batch(world, SCORES, tenant=tenant)
    judged_batch(world, {1: 0.99}, tenant=tenant, revision=2, batch_id=batch_id)
    version = written(world, tenant)
    assert stretch(world, tenant, version) == Stretch(4, 4, None)
    rows = world.rows("SELECT ordinal, revision, route FROM routings WHERE batch_id = :id AND mode = 'shadow' ORDER BY 1", id=batch_id)
    assert [tuple(row) for row in rows] == [(0, 1, "pass"), (1, 2, "flag"), (2, 1, "flag"), (3, 1, "flag")]


def test_cancelled_items_have_no_route_and_errors_are_reviewed(world: World, tenant: str) -> None:
    batch_id = world.batch(2, tenant=tenant)
    chunk = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
    failure = Outcome(ordinal=1, kind=OutcomeKind.FAILED, error_code="image_corrupt", error_message="Damaged.")
    with transaction(world.engine) as session:
        place = OutcomePlace(batch_id=batch_id, revision=1, chunk_id=chunk)
        insert_outcomes(
            session, place, [failure, replace(failure, ordinal=0, kind=OutcomeKind.CANCELLED)], Judgement(actor="w", release=RELEASE)
        )
    assert stretch(world, tenant, written(world, tenant)) == Stretch(2, 1, None)
    shadow = world.rows("SELECT ordinal, route FROM routings WHERE batch_id = :id AND mode = 'shadow'", id=batch_id)
    assert [tuple(row) for row in shadow] == [(1, "review")]


def test_stretches_join_without_gap_or_repetition(world: World, tenant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backtests, "STRETCH_ITEMS", 3)
    monkeypatch.setattr(backtests, "STRETCH_BATCHES", 2)
    batches = [judged_batch(world, SCORES, tenant=tenant), world.batch(0, tenant=tenant)]
    batches += [judged_batch(world, {0: 0.3}, tenant=tenant) for _ in range(3)]
    version, found, after = written(world, tenant), [], START
    for _ in range(20):
        done = stretch(world, tenant, version, after=after)
        found.append(done)
        if done.after is None:
            break
        after = done.after
    assert found[-1].after is None
    assert sum(done.outcomes for done in found) == sum(done.routed for done in found) == 7
    assert max(done.outcomes for done in found) <= 3
    rows = world.rows("SELECT batch_id FROM routings WHERE mode = 'shadow' AND batch_id = ANY(:ids)", ids=batches)
    assert Counter(row.batch_id for row in rows) == {batches[0]: 4, batches[2]: 1, batches[3]: 1, batches[4]: 1}


def test_a_new_policy_can_be_tested_over_a_batch_of_another(world: World, tenant: str) -> None:
    batch_id = judged_batch(world, SCORES, tenant=tenant)
    with transaction(world.engine) as session:
        create_policy(session, tenant, "uploads", description="", actor="ann")
    version = written(world, tenant, "uploads")
    assert stretch(world, tenant, version, policy="uploads") == Stretch(0, 0, None)
    assert stretch(world, tenant, version, policy="uploads", reach=Reach(batch_id)) == Stretch(4, 4, None)
    assert compared(world, tenant, version, "uploads") == CHANGES


def test_only_what_was_judged_within_the_time_counts(world: World, tenant: str, settings: Settings) -> None:
    batch_id = judged_batch(world, SCORES, tenant=tenant)
    version = written(world, tenant)
    world.rows(
        "INSERT INTO outcomes SELECT (jsonb_populate_record(o, jsonb_build_object('revision', 2, 'created_at',"
        " now() - interval '3 hours'))).* FROM outcomes AS o WHERE batch_id = :id AND ordinal < 3",
        id=batch_id,
    )
    assert stretch(world, tenant, version, reach=Reach(hours=2)) == Stretch(1, 1, None)
    assert stretch(world, tenant, version, reach=Reach(hours=4)) == Stretch(4, 3, None)


def test_a_stranger_tests_nothing(world: World, tenant: str) -> None:
    batch_id: UUID = judged_batch(world, SCORES, tenant=tenant)
    world.batch(1, tenant=f"{tenant}-other")
    other = written(world, f"{tenant}-other")
    with pytest.raises(RejectedError, match="no batch"):
        stretch(world, f"{tenant}-other", other, reach=Reach(batch_id))
    assert stretch(world, f"{tenant}-other", other) == Stretch(0, 0, None)
    with pytest.raises(RejectedError, match="no default@9"):
        stretch(world, tenant, 9)


async def test_over_http_a_stretch_per_call_and_cursors_that_fit_nothing_else(
    world: World, tenant: str, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backtests, "STRETCH_ITEMS", 3)
    batch_id = judged_batch(world, SCORES, tenant=tenant)
    version = written(world, tenant)
    place = f"/v1/policies/default/versions/{version}"
    async with calling(settings, new_key(world.engine, Scope.LEAD, Scope.READ, tenant=tenant).text) as api:
        first = (await api.post(f"{place}:backtest")).json()
        assert (first["outcomes"], first["routed"]) == (3, 3)
        last = (await api.post(f"{place}:backtest", params={"cursor": first["next_cursor"]})).json()
        assert last == {"outcomes": 1, "routed": 1, "next_cursor": None}
        assert (await api.get(f"{place}/comparison")).json()["outcomes"] == 4
        other = {"cursor": first["next_cursor"], "since_hours": "5"}
        assert problem(await api.post(f"{place}:backtest", params=other)) == (400, "cursor_invalid")
        assert problem(await api.post(f"{place}:backtest", params={"batch_id": str(uuid4())})) == (404, "not_found")
        assert problem(await api.post(f"{place}:backtest", params={"batch_id": "x", "since_hours": "0"})) == (422, "request_invalid")
        assert problem(await api.post("/v1/policies/default/versions/9:backtest")) == (404, "not_found")
    async with calling(settings, new_key(world.engine, Scope.READ, tenant=tenant).text) as reader:
        assert problem(await reader.post(f"{place}:backtest")) == (403, "scope_missing")
    async with calling(settings, new_key(world.engine, tenant=f"{tenant}-s").text) as stranger:
        assert problem(await stranger.post(f"{place}:backtest", params={"batch_id": str(batch_id)})) == (404, "not_found")


def test_a_floor_of_accuracy_is_tested_by_what_was_measured_of_the_release_that_judged(world: World, tenant: str) -> None:
    blurred = BandCalibration(Calibration(1.0, 0.0), Accuracy(0.6, 0.5, 0.7, 90))
    release = Release("banded", Training.TRAINED, {"degradation": band_facts({DegradationBand.BLURRED: blurred})})
    batch_id = world.batch(2, tenant=tenant)
    items = [ItemReference(batch_id, ordinal, "", "b", "k") for ordinal in (0, 1)]
    soft = replace(verdict(items[0]), degradation=Degradation(blur=1.2), degradation_band=DegradationBand.BLURRED, release_id=release.id)
    with transaction(world.engine) as session:
        place = OutcomePlace(batch_id=batch_id, revision=1, chunk_id=world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id))
        ensure_release(session, release)
        judgement = Judgement(actor="w", release=release, evidence_bucket="b")
        insert_outcomes(session, place, [soft, replace(verdict(items[1]), release_id=release.id)], judgement)
        draft = Draft(bands=STRICT, queue="default", accuracy_floor=0.8)
        version = write_version(session, tenant, "default", draft, actor="ann").version
    assert stretch(world, tenant, version) == Stretch(2, 2, None)
    rows = world.rows("SELECT route, reason FROM routings WHERE batch_id = :id AND mode = 'shadow' ORDER BY ordinal", id=batch_id)
    assert [row.route for row in rows] == ["review", "review"]
    assert (
        rows[0].reason == "abstains: on blurred images this release was right 60 % (50 to 70 %, N = 90), below the policy's floor of 80 %"
    )
    assert rows[1].reason.startswith("abstains: what the image went through was not estimated")
    stored = "SELECT blur, jpeg_quality, rescaling, border, degradation_band FROM outcomes WHERE batch_id = :id ORDER BY ordinal"
    assert [tuple(row) for row in world.rows(stored, id=batch_id)] == [(1.2, None, None, [0, 0, 0, 0], "blurred"), (None,) * 5]
