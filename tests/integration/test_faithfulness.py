"""Checks of explanations on a real Postgres: who is checked, where a check sends its verdict, and what is told of it."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Engine, text

from tests.integration.api_world import calling, new_key, problem
from tests.integration.queue_world import RELEASE, World, judge, verdict
from tests.unit.zoomin.world import SCAN, ZOOM, said
from tests.unit.zoomin.world import World as Pipeline
from worker.images.pool import DecodePool
from worker.moderation.boxes import Box
from worker.moderation.errors import EngineDiedError
from worker.moderation.faithfulness import TOGETHER, CheckCost, Faithfulness, Fill, Masking, found
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import ItemReference, Outcome
from worker.moderation.policy import DEFAULT_BANDS, Explaining, PolicyVersion
from worker.moderation.release import Release
from worker.moderation.settings import Settings
from worker.queue.async_moderator import AsyncModerator, Check, EventLoopThread, LoadedModel
from worker.queue.checking import Wanted, nothing_wanted
from worker.queue.chunk_work import ChunkReport, Ending
from worker.queue.moderator import Unfinished
from worker.queue.run_chunk import run_chunk
from worker.store.backtests import backtest
from worker.store.erasures import Erasing, erase_item
from worker.store.faithfulness import batch_checks, digest_of, read_check
from worker.store.models.policies import VersionState
from worker.store.outcome_rows import Place
from worker.store.outcomes import Judgement, insert_outcomes
from worker.store.policies import Draft, move_version, write_version
from worker.store.session import transaction
from worker.zoomin.tools import Tools

COST = CheckCost(requests=8, prompt_tokens=4_000, completion_tokens=400, seconds=2.5)
FAILED = Faithfulness(cost=replace(COST, requests=1), error_code="check_timed_out", error_message="s3://b/k3 took too long.")
CITES_NOTHING = Faithfulness(error_code="nothing_cited", error_message="The verdict cites no region that could be hidden.")


def checked(p: float, p_masked: float, p_control: float) -> Faithfulness:
    """A check of a verdict with one region."""
    maskings = tuple(
        Masking(position=TOGETHER, fill=fill, p_masked=p_masked, p_control=p_control, controls=(Box(50, 2, 79, 40),)) for fill in Fill
    )
    return found(p, maskings, COST)


MOVED, UNMOVED = checked(0.9, 0.3, 0.88), checked(0.9, 0.89, 0.88)
FOUND = (MOVED, UNMOVED, FAILED, None, CITES_NOTHING)


@pytest.fixture
def world(engine: Engine) -> World:
    return World(engine)


@pytest.fixture
def tenant() -> str:
    return f"t-{uuid4().hex[:8]}"


@pytest.fixture
def batch(world: World, tenant: str) -> UUID:
    """Images at P(generated) 0.9: one whose explanation moves its score, one whose does not, a failed check, none, and nothing cited."""
    batch_id = world.batch(len(FOUND), tenant=tenant)
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
    items = [ItemReference(batch_id, ordinal, f"line:{ordinal + 1}", "b", f"k{ordinal}") for ordinal in range(len(FOUND))]
    outcomes = [replace(verdict(item), faithfulness=check) for item, check in zip(items, FOUND, strict=True)]
    with transaction(world.engine) as session:
        place = Place(batch_id=batch_id, revision=1, chunk_id=chunk_id)
        insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
    return batch_id


def explaining(world: World, tenant: str, wanted: Explaining) -> PolicyVersion:
    """The tenant's policy, live, with that said of explanations."""
    with transaction(world.engine) as session:
        version = write_version(session, tenant, "default", Draft(bands=DEFAULT_BANDS, queue="default", explaining=wanted), actor="ann")
        move_version(session, tenant, "default", version.version, VersionState.LIVE, actor="ann")
    return version


def test_an_explanation_that_does_not_move_its_score_or_was_not_tested_sends_what_would_be_flagged_to_review(
    world: World, batch: UUID
) -> None:
    routed = world.rows("SELECT route, reason FROM routings WHERE batch_id = :id AND mode = 'live' ORDER BY ordinal", id=batch)
    assert [row.route for row in routed] == ["flag", "review", "review", "flag", "review"]
    assert [routed[ordinal].reason for ordinal in (1, 2, 4)] == [
        "its explanation does not move its score",
        "its explanation could not be tested: check_timed_out",
        "it cites nothing that could be tested",
    ]
    asked = world.rows("SELECT route, reason FROM review_tasks WHERE batch_id = :id AND ordinal = 1", id=batch)
    assert [tuple(row) for row in asked] == [("review", "its explanation does not move its score")]


def test_a_check_is_read_as_it_was_found_and_the_audit_trail_holds_its_digest(world: World, batch: UUID) -> None:
    with transaction(world.engine) as session:
        read = [read_check(session, batch, ordinal) for ordinal in range(len(FOUND))]
        assert read_check(session, batch, 0, revision=2) is None
    assert [check.found if check else None for check in read] == list(FOUND)
    assert read[0] is not None
    assert (read[0].revision, read[0].p_generated) == (1, 0.9)
    events = world.rows("SELECT detail FROM audit_events WHERE batch_id = :id AND action = 'outcome.recorded' ORDER BY ordinal", id=batch)
    assert [row.detail.get("faithfulness") for row in events] == [digest_of(check) if check else None for check in FOUND]


def test_a_version_that_is_back_tested_routes_by_the_stored_check_and_its_own_measure(world: World, tenant: str, batch: UUID) -> None:
    bold = explaining(world, tenant, Explaining(least_drop=0.0))
    strict = explaining(world, tenant, Explaining(least_drop=0.9))
    for version in (bold, strict):
        with transaction(world.engine) as session:
            backtest(session, tenant, "default", version.version, actor="ann")
    reasons = "SELECT reason FROM routings WHERE batch_id = :id AND policy_version = :name ORDER BY ordinal"
    told = {version.name: [row.reason for row in world.rows(reasons, id=batch, name=version.name)] for version in (bold, strict)}
    unmoved = "its explanation does not move its score"
    assert [reason == unmoved for reason in told[bold.name]] == [False, True, False, False, False]
    assert [reason == unmoved for reason in told[strict.name]] == [True, True, False, False, False]
    live = world.rows("SELECT reason FROM routings WHERE batch_id = :id AND mode = 'live' ORDER BY ordinal", id=batch)
    for ordinal in (2, 4):
        assert told[bold.name][ordinal] == told[strict.name][ordinal] == live[ordinal].reason


def test_of_an_erased_image_the_numbers_of_its_check_stay_and_nothing_else(world: World, tenant: str, batch: UUID) -> None:
    with transaction(world.engine) as session:
        for ordinal in (0, 2):
            erase_item(session, tenant, batch, ordinal, Erasing("keeper", "requested", "uploads"))
        check, failed = read_check(session, batch, 0), read_check(session, batch, 2)
    assert check is not None
    assert failed is not None
    assert (check.found.drop, check.found.maskings) == (MOVED.drop, ())
    assert failed.found.error_message == "The image was erased."


async def test_checks_and_their_cost_are_told_over_http_to_their_tenant_alone(
    settings: Settings, engine: Engine, tenant: str, batch: UUID
) -> None:
    async with calling(settings, new_key(engine, tenant=tenant).text) as api:
        bodies = [(await api.get(f"/v1/items/{item_id(batch, ordinal)}/faithfulness")).json() for ordinal in range(len(FOUND))]
        whole = (await api.get(f"/v1/batches/{batch}/faithfulness")).json()
    assert [body["state"] for body in bodies] == ["checked", "checked", "failed", "not_checked", "failed"]
    assert bodies[0]["beyond_control"] == pytest.approx(0.58)
    assert {masking["fill"] for masking in bodies[0]["maskings"]} == {"blur", "mean"}
    assert bodies[0]["maskings"][0]["controls"] == [[50, 2, 79, 40]]
    assert bodies[2]["error"]["code"] == "check_timed_out"
    assert [whole[name] for name in ("checks", "tested", "failed", "unmoved", "least_drop")] == [4, 2, 2, 1, 0.05]
    assert (whole["cost"]["requests"], whole["cost"]["seconds"]) == (17, 7.5)
    assert whole["drop"] == pytest.approx(0.305)
    async with calling(settings, new_key(engine, tenant=f"{tenant}-other").text) as stranger:
        for path in (f"/v1/items/{item_id(batch, 0)}/faithfulness", f"/v1/batches/{batch}/faithfulness"):
            assert problem(await stranger.get(path)) == (404, "not_found")


def test_figures_of_a_batch_count_each_items_current_outcome_when_only_some_were_scanned_again(world: World, batch: UUID) -> None:
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch)
    again = ItemReference(batch, 0, "line:1", "b", "k0"), ItemReference(batch, 2, "line:3", "b", "k2")
    with transaction(world.engine) as session:
        session.execute(text("UPDATE batches SET revision = 2 WHERE id = :id"), {"id": batch})
        outcomes = [replace(verdict(again[0]), faithfulness=UNMOVED), verdict(again[1])]  # the second is not drawn this time
        place = Place(batch_id=batch, revision=2, chunk_id=chunk_id)
        insert_outcomes(session, place, outcomes, Judgement(actor="worker", release=RELEASE, evidence_bucket="b"))
    with transaction(world.engine) as session:
        figures = batch_checks(session, batch)
    assert (figures.checks, figures.tested, figures.unmoved, figures.cost.requests) == (3, 2, 2, 16)
    assert figures.drop == pytest.approx(UNMOVED.drop)


@dataclass
class Asking:
    """A moderator that notes what is wanted of its outcomes."""

    seen: dict[int, bool] = field(default_factory=dict)
    release: Release = RELEASE

    def judge(
        self, items: Sequence[ItemReference], *, stop: threading.Event, tick_seconds: float, wanted: Wanted = nothing_wanted
    ) -> Iterator[Outcome | Unfinished | None]:
        scores = judge(lambda item: verdict(item, 0.9 if item.ordinal % 2 else 0.1))
        for outcome in scores.judge(items, stop=stop, tick_seconds=tick_seconds):
            if isinstance(outcome, Outcome):
                self.seen[outcome.ordinal] = wanted(outcome)
            yield outcome

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("share", "least", "most"), [(0.0, 0, 0), (0.5, 20, 44), (1.0, 64, 64)])
def test_what_is_checked_is_the_live_versions_share_of_what_is_called_generated(
    world: World, settings: Settings, tenant: str, share: float, least: int, most: int
) -> None:
    world.retire()
    batch_id = world.batch(128, tenant=tenant)
    explaining(world, tenant, Explaining(faithfulness_share=share))
    world.announced()
    chunk_id = world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
    asking = Asking()
    run_chunk(chunk_id, engine=world.engine, moderator=asking, settings=settings, owner="worker-1", drain=threading.Event())
    world.retire()
    assert len(asking.seen) == 128
    assert not any(wanted for ordinal, wanted in asking.seen.items() if ordinal % 2 == 0)
    assert least <= sum(asking.seen.values()) <= most


@pytest.fixture
def loop() -> Iterator[EventLoopThread]:
    thread = EventLoopThread()
    yield thread
    thread.close()


@dataclass
class Visit:
    """To a chunk of one image whose explanation is to be tested, by the real pipeline around a scripted model."""

    world: World
    settings: Settings
    tenant: str
    loop: EventLoopThread
    drain: threading.Event = field(default_factory=threading.Event)
    chunk_id: int = 0

    def pay(self, check: Check) -> ChunkReport:
        batch_id = self.world.batch(1, tenant=self.tenant)
        explaining(self.world, self.tenant, Explaining(faithfulness_share=1.0))
        self.world.announced()
        self.chunk_id = self.world.value("SELECT id FROM chunks WHERE batch_id = :id", id=batch_id)
        pipeline = Pipeline([said(SCAN), said(ZOOM)])
        tools = pipeline.tools
        model = LoadedModel(loop=self.loop, vision=pipeline.vision, prompts=tools.prompts, decoder=cast("DecodePool", tools.decoder))
        moderator = AsyncModerator(model=model, tools=tools, release=RELEASE, images_in_flight=2, check=check)
        engine, settings = self.world.engine, self.settings
        return run_chunk(self.chunk_id, engine=engine, moderator=moderator, settings=settings, owner="worker-1", drain=self.drain)

    def left(self) -> tuple[str, bool, int, int]:
        """The chunk's state, whether it is a suspect, the attempts it was charged, and how many outcomes there are."""
        chunk = self.world.chunk(self.chunk_id)
        outcomes = self.world.value("SELECT count(*) FROM outcomes WHERE batch_id = :id", id=chunk.batch_id)
        return chunk.state, chunk.suspect, chunk.attempts, outcomes


@pytest.fixture
def visit(world: World, settings: Settings, tenant: str, loop: EventLoopThread) -> Iterator[Visit]:
    world.retire()
    yield Visit(world, settings, tenant, loop)
    world.retire()


def test_a_drain_amid_a_test_hands_the_chunk_back_uncharged_with_its_image_pending(visit: Visit) -> None:
    async def endless(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
        visit.drain.set()
        await asyncio.Event().wait()
        raise AssertionError

    assert visit.pay(endless).ending is Ending.DRAINED
    assert visit.left() == ("ready", False, 0, 0)


def test_an_engine_that_dies_amid_a_test_leaves_the_image_pending_in_a_suspect_chunk(visit: Visit) -> None:
    async def dying(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
        raise EngineDiedError("engine_died", "The engine is gone.")

    with pytest.raises(EngineDiedError):
        visit.pay(dying)
    assert visit.left() == ("ready", True, 1, 0)
