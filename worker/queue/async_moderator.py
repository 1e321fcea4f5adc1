"""Judges many images at once: one coroutine per image on an event loop of its own, one semaphore over all chunks of the process."""

import asyncio
import io
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import structlog
from PIL import Image

from worker.forensics.faithfulness import check_faithfulness, places_beside
from worker.images.fetch import Fetched, fetch
from worker.images.pool import DecodePool
from worker.images.prepare import Evidence
from worker.intake.storage import Storage
from worker.moderation.errors import EngineDiedError, MisconfiguredError, TransientError, ZoomInError
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import ItemReference, Outcome, SourceFacts
from worker.moderation.release import Release
from worker.moderation.settings import Settings
from worker.queue import metrics
from worker.queue.checking import Wanted, nothing_wanted
from worker.queue.moderator import Unfinished
from worker.vision.load import load_vision_model
from worker.vision.model import VisionModel
from worker.zoomin.pipeline import moderate
from worker.zoomin.prompts import PromptSet, load_prompts
from worker.zoomin.regions import scan_boxes
from worker.zoomin.release import name_release
from worker.zoomin.tools import Tools

REHEARSAL_SIZE = (640, 480)
# Of a lease, for one test of an explanation and its wait: some image must finish within a lease, or the engine passes for stuck.
CHECK_SHARE = 0.4
CLOSE_TIMEOUT_SECONDS = 30  # an engine that will not stop by then is left to the parent-death signal
Result = TypeVar("Result")
Check = Callable[[ItemReference, Outcome, Tools], Awaitable[Faithfulness]]  # tests an explanation; raises as `moderate`
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _EngineDied:
    error: EngineDiedError


class _End:
    """No further outcome will come."""


_Event = Outcome | Unfinished | _EngineDied | _End


class _Visit:
    """One call of `judge`: its wishes, what has come of it, and which images' tests are running."""

    def __init__(self, stop: threading.Event, wanted: Wanted) -> None:
        self.stop = stop
        self.wanted = wanted
        self.events: queue.SimpleQueue[_Event] = queue.SimpleQueue()  # bounded by the chunk's size
        self._tests: set[asyncio.Task[Any]] = set()

    @contextmanager
    def testing(self) -> Iterator[None]:
        """Around the current task's test. Left at once by CancelledError where the visit is to stop: then or already."""
        if self.stop.is_set() or (task := asyncio.current_task()) is None:
            raise asyncio.CancelledError
        self._tests.add(task)
        try:
            yield
        finally:
            self._tests.discard(task)

    def leave_tests(self) -> None:
        """Cancels what is in a test: a verdict with half a test is no outcome, and a whole one takes longer than a leaving worker has."""
        while self._tests:
            self._tests.pop().cancel()


class EventLoopThread:
    """An asyncio loop on a thread of its own: vLLM wants one loop for life, Celery's tasks run on threads."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="event-loop", daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, Result]) -> "Future[Result]":
        """Starts a coroutine on the loop, from any other thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def call(self, function: Callable[[], None]) -> None:
        """Calls a function on the loop, soon, from any other thread."""
        self._loop.call_soon_threadsafe(function)

    def close(self) -> None:
        """Stops the loop. Idempotent."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(CLOSE_TIMEOUT_SECONDS)
            self._loop.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that answers, the loop it lives on, and the children that decode for it."""

    loop: EventLoopThread
    vision: VisionModel
    prompts: PromptSet
    decoder: DecodePool

    def close(self) -> None:
        """Stops engine, decode children and loop."""
        self.loop.submit(self.vision.close()).result(CLOSE_TIMEOUT_SECONDS)
        self.decoder.close()
        self.loop.close()


class AsyncModerator:
    """A `Moderator` over the real pipeline."""

    def __init__(self, *, model: LoadedModel, tools: Tools, release: Release, images_in_flight: int, check: Check) -> None:
        self._model = model
        self._loop = model.loop
        self._tools = tools
        self._release = release
        self._check = check
        self._closed = False
        self._places = asyncio.Semaphore(images_in_flight)

    @property
    def release(self) -> Release:
        """What judges."""
        return self._release

    def judge(
        self, items: Sequence[ItemReference], *, stop: threading.Event, tick_seconds: float, wanted: Wanted = nothing_wanted
    ) -> Iterator[Outcome | Unfinished | None]:
        """See Moderator."""
        visit = _Visit(stop, wanted)
        running = self._loop.submit(self._judge_all(items, visit))
        try:
            while True:
                if stop.is_set():
                    self._loop.call(visit.leave_tests)
                try:
                    event = visit.events.get(timeout=tick_seconds)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(event, _End):
                    return
                if isinstance(event, _EngineDied):
                    raise event.error
                yield event
        finally:
            running.cancel()  # the caller left early (fenced, cancelled): abort what is in the engine

    async def _judge_all(self, items: Sequence[ItemReference], visit: _Visit) -> None:
        tasks: set[asyncio.Task[None]] = set()
        try:
            for item in items:
                await self._places.acquire()
                if visit.stop.is_set():
                    self._places.release()
                    break
                task = asyncio.ensure_future(self._judge_one(item, visit))
                task.add_done_callback(lambda _: self._places.release())
                tasks.add(task)
            await asyncio.gather(*tasks, return_exceptions=True)  # of a task whose test was left: its cancellation, and nothing else
        finally:
            for task in tasks:
                task.cancel()
            visit.events.put(_End())

    async def _judge_one(self, item: ItemReference, visit: _Visit) -> None:
        try:
            with metrics.IMAGES_IN_FLIGHT.track_inprogress():
                outcome = await moderate(item, self._tools)
                if visit.wanted(outcome):
                    with visit.testing():
                        outcome = await self._checked(item, outcome)
                visit.events.put(outcome)
        except EngineDiedError as error:
            visit.events.put(_EngineDied(error))
        except (TransientError, MisconfiguredError) as error:
            visit.events.put(Unfinished(item.ordinal, error))
        except Exception:  # a bug met by one image must not take its siblings along; attempts bound how often it is met
            log.exception("image_met_a_bug", batch_id=str(item.batch_id), ordinal=item.ordinal)
            visit.events.put(Unfinished(item.ordinal, _bug(item)))

    async def _checked(self, item: ItemReference, outcome: Outcome) -> Outcome:
        """The outcome with its explanation tested. A bug loses no verdict; what the test raises by intent leaves the item unfinished."""
        try:
            found = await self._check(item, outcome, self._tools)
        except ZoomInError:
            raise
        except Exception:
            log.exception("check_met_a_bug", batch_id=str(item.batch_id), ordinal=item.ordinal)
            found = Faithfulness(error_code="internal_error", error_message="The check met a bug of ours; the log has the traceback.")
        return replace(outcome, faithfulness=found)

    def begin(self, work: Callable[[Tools], Coroutine[Any, Any, Result]]) -> "Future[Result]":
        """Starts `work` with the tools, on their loop: for what somebody asks of the model beside the batches."""
        return self._loop.submit(work(self._tools))

    def close(self) -> None:
        """Stops engine, decode children and loop. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._model.close()


def _bug(item: ItemReference) -> ZoomInError:
    return TransientError("internal_error", f"{item.source} met a bug of ours; the log has the traceback.")


async def rehearse(tools: Tools) -> None:
    """Takes a made-up image through the whole path and keeps nothing of it.

    Decode child, image processor, grammars of both queries: what is slow the first time is over before the first message.
    """
    body = io.BytesIO()
    Image.effect_noise(REHEARSAL_SIZE, 64).convert("RGB").save(body, "PNG")

    async def fetch_noise(_: ItemReference) -> Fetched:
        return Fetched(body.getvalue(), SourceFacts(sha256=""))

    await moderate(ItemReference(UUID(int=0), 0, "", "", ""), replace(tools, fetch=fetch_noise, keep=keep_nothing))


async def keep_nothing(_: Sequence[Evidence]) -> None:
    """An EvidenceKeeper for images of which nothing is to stay."""


def load_model(settings: Settings) -> LoadedModel:
    """Loads the model (tens of seconds). Raises MisconfiguredError."""
    loop = EventLoopThread()
    try:
        vision = loop.submit(load_vision_model(settings)).result()
    except Exception:  # not Ctrl-C: then the loop is still loading, and only the process's end stops it
        loop.close()
        raise
    return LoadedModel(loop=loop, vision=vision, prompts=load_prompts(), decoder=DecodePool(settings.decode_processes))


def build_moderator(settings: Settings) -> AsyncModerator:
    """Loads the model (tens of seconds) and everything around it. Raises MisconfiguredError."""
    return moderator_over(load_model(settings), settings)


def moderator_over(model: LoadedModel, settings: Settings) -> AsyncModerator:
    """A loaded model with everything around it, rehearsed."""
    storage = Storage(settings)
    threads = ThreadPoolExecutor(settings.images_in_flight, thread_name_prefix="storage")
    release = name_release(model.vision.card, model.prompts, scan_boxes)

    async def fetch_item(item: ItemReference) -> Fetched:
        return await fetch(
            item, storage, max_bytes=settings.fetch_max_bytes, timeout_seconds=settings.fetch_timeout_seconds, executor=threads
        )

    async def keep_evidence(sent: Sequence[Evidence]) -> None:
        def put(evidence: Evidence) -> None:
            storage.put(settings.evidence_bucket, evidence.facts.key, evidence.body, evidence.facts.media_type)

        await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(threads, put, evidence) for evidence in sent))

    tools = Tools(
        fetch=fetch_item,
        decoder=model.decoder,
        keep=keep_evidence,
        vision=model.vision,
        prompts=model.prompts,
        choose=scan_boxes,
        release_id=release.id,
    )
    model.loop.submit(rehearse(tools)).result()
    return AsyncModerator(
        model=model,
        tools=tools,
        release=release,
        images_in_flight=settings.images_in_flight,
        check=partial(check_faithfulness, places=places_beside(settings.images_in_flight), seconds=CHECK_SHARE * settings.lease_seconds),
    )
