"""The real vLLM on nano. Slow to start, so one engine serves all tests but the last, in the order of this file."""

import asyncio
import gc
import json
import math
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace

import jsonschema  # type: ignore[import-untyped]
import psutil
import pytest
import pytest_asyncio
from PIL import Image

from tests.unit.zoomin.world import ITEM, World
from worker.forensics.agreement import TOLERANCES, logprob_gap
from worker.forensics.reader import Reader
from worker.forensics.recorded import RecordedStage, SentImage
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import EngineDiedError, RejectedError
from worker.moderation.outcomes import Stage
from worker.moderation.settings import Settings
from worker.vision.conversation import images
from worker.vision.load import find_checkpoint, load_vision_model
from worker.vision.model import Answer, Coordinates, ImagePart, Question, Turn, VisionModel
from worker.zoomin.look import AskedLook, RecordedScan, look
from worker.zoomin.pipeline import moderate
from worker.zoomin.prompts import load_prompts
from worker.zoomin.prompts.looks import load_look_prompts
from worker.zoomin.replies import scan_schema, without_verdict, zoom_schema
from worker.zoomin.score import attainable_tokens, probability_generated

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # vLLM's own, as it is imported
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Unclosed context:ResourceWarning"),  # vLLM leaves its ZeroMQ context to the garbage collector
]
SENT = Size(448, 336)
CANCELLED_IN_FLIGHT = 6
PATIENCE_SECONDS = 30.0


def picture(seed: int, size: Size) -> Image.Image:
    """Coarse noise, another one for every seed."""
    grey = Image.frombytes("L", (16, 16), bytes((seed * 7919 + index * index * 31) % 256 for index in range(256)))
    return grey.resize((size.width, size.height)).convert("RGB")


def scan_question(vision: VisionModel, seed: int) -> Question:
    prompts, limits = load_prompts(), vision.card.reply_limits
    whole = ImagePart(f"whole-{seed}", picture(seed, SENT))
    text = prompts.scan(SENT, limits.proposed_regions, Coordinates.ABSOLUTE)
    turns = (Turn("system", (prompts.system,)), Turn("user", (whole, text)))
    return Question(turns=turns, reply_schema=scan_schema(limits), max_tokens=vision.card.scan_max_tokens)


def zoom_question(vision: VisionModel, scan: Question, answer: Answer, seed: int) -> Question:
    crop = ImagePart(f"whole-{seed}:0,0,112,112", picture(seed + 1, Size(112, 112)))
    crops = Turn("user", ("Region 1, bbox_2d [0, 0, 112, 112]:", crop, load_prompts().zoom))
    return Question(
        turns=(*scan.turns, Turn("assistant", (without_verdict(answer.text),)), crops),
        reply_schema=zoom_schema(vision.card.reply_limits),
        max_tokens=vision.card.zoom_max_tokens,
        urgent=True,
    )


def engine_processes() -> list[psutil.Process]:
    """The engine's processes; this process may have other children, such as the services of other tests."""
    cores = [child for child in psutil.Process().children() if "VLLM::" in " ".join(child.cmdline())]
    return [process for core in cores for process in (core, *core.children(recursive=True))]


def end_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still live after a while."""
    return psutil.wait_procs(processes, timeout=PATIENCE_SECONDS)[1]


@pytest.fixture(scope="module", autouse=True)
def collected_garbage() -> Iterator[None]:
    """Set up first, torn down last: closed engines go while their warning is still expected."""
    yield
    gc.collect()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(model="nano", home=tmp_path_factory.mktemp("home"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vision(settings: Settings) -> AsyncIterator[VisionModel]:
    model = await load_vision_model(settings)
    yield model
    await model.close()


async def test_card_names_what_can_change_a_score(vision: VisionModel) -> None:
    facts = vision.card.facts
    assert {"model.safetensors", "tokenizer.json", "config.json"} <= set(facts["files"])
    assert (facts["dtype"], facts["device"]) == ("float32", "cpu")
    assert facts["engine"].startswith("vllm ")
    json.dumps(facts)


async def test_two_stages_reply_in_their_schemas_with_a_score_and_reuse_the_prefix(vision: VisionModel) -> None:
    scan = scan_question(vision, seed=1)
    scanned = await vision.answer(scan)
    zoom = zoom_question(vision, scan, scanned, seed=1)
    zoomed = await vision.answer(zoom)
    for question, answer in ((scan, scanned), (zoom, zoomed)):
        assert answer.finish_reason == "stop"
        jsonschema.validate(json.loads(answer.text), question.reply_schema)
        assert answer.verdict_logprobs is not None
        assert sum(map(math.exp, answer.verdict_logprobs.values())) == pytest.approx(1.0, abs=0.01)
        assert answer.prompt_tokens == len(answer.prompt_token_ids)
        assert answer.completion_tokens == len(answer.reply_token_ids)
    attainable = attainable_tokens(scanned, zoomed, vision.card.cache_block_tokens)
    assert attainable
    assert zoomed.cached_tokens is not None
    assert zoomed.cached_tokens >= 0.95 * attainable
    assert attainable > SENT.pixels / 28**2  # the whole image is within the reusable prefix


async def test_a_look_reuses_the_scan_and_puts_no_question_to_nano(vision: VisionModel) -> None:
    tools = replace(World([]).tools, vision=vision)
    outcome = await moderate(ITEM, tools)
    scanned = next(trace for trace in outcome.traces if trace.stage is Stage.SCAN)
    scan = RecordedScan(turns=scanned.request["turns"], reply=scanned.reply, image_sha256="ab" * 32, sent_sha256=outcome.sent_sha256 or "")
    answer = await look(ITEM, AskedLook(scan=scan, box=Box(300, 100, 412, 212), question="Real?"), tools, load_look_prompts())
    [trace] = answer.traces
    assert answer.finding
    assert not answer.question_put
    assert answer.verdict is not None
    assert answer.p_generated is not None
    assert 0 < answer.p_generated < 1
    assert trace.cached_tokens is not None
    assert trace.cached_tokens >= 0.95 * (scanned.prompt_tokens + scanned.completion_tokens - 2 * (vision.card.cache_block_tokens or 0))


async def test_engine_leaves_legal_sizes_as_they_are(vision: VisionModel) -> None:
    question = scan_question(vision, seed=2)
    for size in (Size(56, 56), Size(448, 448), Size(28, 112), Size(784, 252)):
        image = ImagePart(f"size-{size.width}x{size.height}", picture(2, size))
        turns = (Turn("user", (image, "real or generated?")),)
        with_image = await vision.answer(Question(turns=turns, reply_schema=question.reply_schema, max_tokens=question.max_tokens))
        without = await vision.answer(
            Question(turns=(Turn("user", ("real or generated?",)),), reply_schema=question.reply_schema, max_tokens=question.max_tokens)
        )
        start_and_end = 2
        assert with_image.prompt_tokens - without.prompt_tokens - start_and_end == size.pixels // 28**2


async def test_greedy_reply_is_repeatable(vision: VisionModel) -> None:
    first, second = [await vision.answer(scan_question(vision, seed=3)) for _ in range(2)]
    assert first.text == second.text


async def test_pytorch_reads_the_checkpoint_as_the_engine_does(vision: VisionModel) -> None:
    question = scan_question(vision, seed=3)
    answer = await vision.answer(question)
    (whole,), p_generated = images(question.turns), probability_generated(answer.verdict_logprobs)
    assert p_generated is not None
    seen = SentImage(whole.uuid, whole.pixels, Box(0, 0, SENT.width, SENT.height))
    stage = RecordedStage(stage=Stage.SCAN, turns=question.turns, images=(seen,), reply=answer.text, p_generated=p_generated)
    assert logprob_gap(p_generated, Reader.load(find_checkpoint("nano")).verdict_logit(stage)) < TOLERANCES["float32"]


async def test_turns_without_images_are_answered_in_their_schema(vision: VisionModel) -> None:
    """As translations ask. nano has nothing to say in other languages, but the engine lets it try."""
    said = {"type": "object", "properties": {"s1": {"type": "string", "maxLength": 12}}, "required": ["s1"], "additionalProperties": False}
    turns = (Turn("system", ("You translate.",)), Turn("user", ('{"sentences": {"s1": "faint traces"}}',)))
    answer = await vision.answer(Question(turns=turns, reply_schema=said, max_tokens=64))
    assert answer.finish_reason == "stop"
    assert set(json.loads(answer.text)) == {"s1"}


async def test_cancelled_requests_do_not_hang_the_engine(vision: VisionModel) -> None:
    tasks = [asyncio.create_task(vision.answer(scan_question(vision, seed))) for seed in range(100, 100 + CANCELLED_IN_FLIGHT)]
    done, _ = await asyncio.wait(tasks, timeout=0.05)
    for task in tasks:
        task.cancel()
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert not done
    assert all(isinstance(end, asyncio.CancelledError) for end in ended)
    answer = await asyncio.wait_for(vision.answer(scan_question(vision, seed=4)), PATIENCE_SECONDS)
    assert answer.finish_reason == "stop"


async def test_conversation_that_does_not_fit_is_rejected_without_reaching_the_engine(vision: VisionModel) -> None:
    scan = scan_question(vision, seed=5)
    long = Question(turns=(*scan.turns, Turn("user", ("word " * 9000,))), reply_schema=scan.reply_schema, max_tokens=16)
    with pytest.raises(RejectedError) as error:
        await vision.answer(long)
    assert error.value.code == "prompt_too_long"


async def test_reply_cut_off_by_its_limit_says_so_and_has_no_score(vision: VisionModel) -> None:
    scan = scan_question(vision, seed=6)
    cut = await vision.answer(Question(turns=scan.turns, reply_schema=scan.reply_schema, max_tokens=8))
    assert (cut.finish_reason, cut.verdict_logprobs) == ("length", None)


async def test_close_ends_every_process_of_the_engine(vision: VisionModel) -> None:
    processes = engine_processes()
    assert processes
    await vision.close()
    assert end_of(processes) == []
    with pytest.raises(EngineDiedError):
        await vision.answer(scan_question(vision, seed=7))


async def test_killed_engine_is_noticed_at_once_and_leaves_no_orphan(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    vision = await load_vision_model(settings)
    processes = engine_processes()
    [core] = [process for process in processes if process.ppid() == os.getpid()]
    waiting = asyncio.create_task(vision.answer(scan_question(vision, seed=8)))
    await asyncio.wait([waiting], timeout=0.05)
    start = time.monotonic()
    core.send_signal(signal.SIGKILL)
    with pytest.raises(EngineDiedError):
        await asyncio.wait_for(waiting, PATIENCE_SECONDS)
    with pytest.raises(EngineDiedError):
        await vision.answer(scan_question(vision, seed=9))
    assert time.monotonic() - start < PATIENCE_SECONDS / 3
    await vision.close()
    assert end_of(processes) == []
    caplog.clear()  # vLLM logged its death, with a traceback whose frames hold the engine
