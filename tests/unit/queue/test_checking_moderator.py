"""The moderator's side of testing explanations: only what is wanted, and never at a verdict's expense."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from tests.unit.zoomin.world import ITEM, SCAN, ZOOM, World, said
from worker.images.pool import DecodePool
from worker.moderation.errors import EngineDiedError, OutageError
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import ItemReference, Outcome, Verdict
from worker.moderation.release import Release, Training
from worker.queue.async_moderator import AsyncModerator, Check, EventLoopThread, LoadedModel
from worker.queue.checking import Wanted, nothing_wanted
from worker.queue.moderator import Unfinished
from worker.vision.model import Answer, Question
from worker.zoomin.tools import Tools

FOUND = Faithfulness(drop=0.4, control_drop=0.1)


@pytest.fixture
def loop() -> Iterator[EventLoopThread]:
    thread = EventLoopThread()
    yield thread
    thread.close()


def moderator(loop: EventLoopThread, check: Check, world: World) -> AsyncModerator:
    model = LoadedModel(loop=loop, vision=world.vision, prompts=world.tools.prompts, decoder=cast("DecodePool", world.tools.decoder))
    release = Release("scripted", Training.UNTRAINED, {})
    return AsyncModerator(model=model, tools=world.tools, release=release, images_in_flight=2, check=check)


def judged(loop: EventLoopThread, check: Check, wanted: Wanted) -> tuple[Outcome, int]:
    """What becomes of one image, and how many questions that took."""
    world = World([said(SCAN), said(ZOOM)])
    events = moderator(loop, check, world).judge([ITEM], stop=threading.Event(), tick_seconds=1.0, wanted=wanted)
    (outcome,) = [event for event in events if event is not None]
    assert isinstance(outcome, Outcome)
    return outcome, len(world.vision.questions)


async def finding(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
    return FOUND


async def stumbling(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
    raise ZeroDivisionError


async def refusing(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
    raise AssertionError("nobody wanted it")


def test_a_verdict_that_is_wanted_comes_with_its_check(loop: EventLoopThread) -> None:
    outcome, _ = judged(loop, finding, lambda outcome: outcome.verdict is Verdict.GENERATED)
    assert (outcome.verdict, outcome.faithfulness) == (Verdict.GENERATED, FOUND)


def test_when_tests_are_off_a_verdict_takes_its_two_questions_and_nothing_more(loop: EventLoopThread) -> None:
    outcome, questions = judged(loop, refusing, nothing_wanted)
    assert (outcome.faithfulness, questions) == (None, 2)


def test_a_bug_in_a_check_loses_no_verdict_and_is_told(loop: EventLoopThread) -> None:
    outcome, _ = judged(loop, stumbling, lambda _: True)
    assert outcome.verdict is Verdict.GENERATED
    assert outcome.faithfulness is not None
    assert outcome.faithfulness.error_code == "internal_error"


async def dying(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
    raise EngineDiedError("engine_died", "The engine is gone.")


def test_the_engines_death_within_a_check_travels_on_and_leaves_no_outcome(loop: EventLoopThread) -> None:
    with pytest.raises(EngineDiedError):
        judged(loop, dying, lambda _: True)


async def without_a_store(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
    raise OutageError("object_store_unavailable", "The store is away.")


def test_an_outage_within_a_check_leaves_the_image_for_later(loop: EventLoopThread) -> None:
    visit = moderator(loop, without_a_store, World(answering)).judge(
        [ITEM], stop=threading.Event(), tick_seconds=1.0, wanted=lambda _: True
    )
    (event,) = [event for event in visit if event is not None]
    assert isinstance(event, Unfinished)
    assert (event.ordinal, event.error.code) == (ITEM.ordinal, "object_store_unavailable")


def answering(question: Question) -> Answer:
    return said(ZOOM if len(question.turns) > 2 else SCAN)


def test_a_worker_that_is_told_to_stop_leaves_running_tests_and_records_what_needs_none(loop: EventLoopThread) -> None:
    begun, left, stop = threading.Event(), threading.Event(), threading.Event()

    async def endless(_item: ItemReference, _outcome: Outcome, _tools: Tools) -> Faithfulness:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.set()
        raise AssertionError

    items = [replace(ITEM, ordinal=ordinal) for ordinal in range(4)]
    found: list[Outcome] = []
    for event in moderator(loop, endless, World(answering)).judge(
        items, stop=stop, tick_seconds=0.05, wanted=lambda outcome: outcome.ordinal == 0
    ):
        assert not isinstance(event, Unfinished)
        found += [event] if event else []
        if begun.is_set() and len(found) == 3:
            stop.set()
    assert sorted(outcome.ordinal for outcome in found) == [1, 2, 3]
    assert left.is_set()


def test_no_test_begins_once_a_worker_is_told_to_stop(loop: EventLoopThread) -> None:
    stop = threading.Event()

    def stopping(question: Question) -> Answer:
        stop.set()
        return answering(question)

    assert [*moderator(loop, refusing, World(stopping)).judge([ITEM], stop=stop, tick_seconds=1.0, wanted=lambda _: True)] == []
