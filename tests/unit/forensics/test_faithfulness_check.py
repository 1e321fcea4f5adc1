"""A check of an explanation, around a model that looks at one place of the picture and says what it sees there."""

import asyncio
import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tests.unit.zoomin.world import ITEM, World
from worker.forensics.faithfulness import check_faithfulness, places_beside
from worker.images.fetch import Fetched
from worker.images.mask import Mask
from worker.images.prepare import Crop, ScanImage, cut_crops, prepare_scan, shrink
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.errors import EngineDiedError, MisconfiguredError, OutageError, TransientError, ZoomInError
from worker.moderation.faithfulness import TOGETHER, Faithfulness, Fill
from worker.moderation.outcomes import ItemReference, Outcome, SourceFacts, Verdict
from worker.vision.model import Answer, ImagePart, Question
from worker.vision.scripted import scripted_answer
from worker.zoomin.pipeline import moderate

REGIONS = ((14, 14, 70, 70), (140, 14, 196, 70))  # within 210 × 210 pixels
TOLD = {
    Verdict.GENERATED: {Verdict.GENERATED: -0.10536, Verdict.REAL: -2.302585},  # 0.9
    Verdict.REAL: {Verdict.GENERATED: -1.609438, Verdict.REAL: -0.223144},  # 0.2
}
ROUGH = 20  # standard deviation of levels: noise has more, a mask less


def picture() -> bytes:
    noise = np.random.default_rng(3).integers(0, 256, (210, 210, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG")
    return buffer.getvalue()


def looking_at(place: tuple[int, int, int, int]) -> Callable[[Question], Answer]:
    """A model that calls a picture generated as long as it sees texture at `place`."""

    def answer(question: Question) -> Answer:
        (whole,) = [part for part in question.turns[1].parts if isinstance(part, ImagePart)]
        rough = np.asarray(whole.pixels.crop(place), dtype=float).std() > ROUGH
        verdict = Verdict.GENERATED if rough else Verdict.REAL
        boxes = ",".join(f'{{"bbox_2d":{list(box)},"reason":"texture"}}' for box in REGIONS)
        fields = '"findings":[]' if len(question.turns) > 2 else f'"regions":[{boxes}]'
        text = f'{{"explanation":"Texture.",{fields},"verdict":"{verdict.value}"}}'
        return replace(scripted_answer(text, TOLD[verdict]), prompt_tokens=100, completion_tokens=10)

    return answer


def world_of(script: Callable[[Question], Answer | Exception]) -> World:
    return World(script, picture())


async def judged(world: World) -> Outcome:
    outcome = await moderate(ITEM, world.tools)
    return replace(outcome, source=replace(outcome.source, sha256="ab" * 32) if outcome.source else None)


async def checked(world: World, outcome: Outcome, seconds: float = 30) -> Faithfulness:
    return await check_faithfulness(ITEM, outcome, world.tools, places=asyncio.Semaphore(1), seconds=seconds)


async def test_the_score_drops_when_the_cited_place_is_hidden_and_not_for_the_control() -> None:
    world = world_of(looking_at(REGIONS[1]))
    found = await checked(world, await judged(world))
    assert found.error_code is None
    assert found.drop == pytest.approx(0.7, abs=1e-3)
    assert found.control_drop == pytest.approx(0.0, abs=1e-3)
    assert found.moves_score(0.05)
    by_place = {(masking.position, masking.fill): masking for masking in found.maskings}
    assert set(by_place) == {(position, fill) for position in (TOGETHER, 1, 2) for fill in Fill}
    assert [round(by_place[position, Fill.MEAN].p_masked, 2) for position in (TOGETHER, 1, 2)] == [0.2, 0.9, 0.2]
    assert [len(by_place[position, Fill.BLUR].controls) for position in (TOGETHER, 1, 2)] == [2, 1, 1]


async def test_a_verdict_that_rests_on_something_else_does_not_move() -> None:
    world = world_of(looking_at((14, 140, 70, 196)))
    outcome = await judged(world)
    found = await checked(world, outcome)
    assert found.drop == pytest.approx(0.0, abs=1e-3)
    assert not found.moves_score(0.05)


async def test_every_request_is_counted_and_nothing_is_kept_of_masked_images() -> None:
    world = world_of(looking_at(REGIONS[0]))
    outcome = await judged(world)
    asked, kept = len(world.vision.questions), set(world.evidence)
    found = await checked(world, outcome)
    assert found.cost.requests == len(world.vision.questions) - asked == 2 * 2 * len(found.maskings)
    assert (found.cost.prompt_tokens, found.cost.completion_tokens) == (100 * found.cost.requests, 10 * found.cost.requests)
    assert found.cost.seconds > 0
    assert set(world.evidence) == kept


async def test_a_check_that_comes_to_nothing_tells_what_it_took() -> None:
    def without_zoom(question: Question) -> Answer | Exception:
        return TransientError("engine_busy", "Busy.") if len(question.turns) > 2 else looking_at(REGIONS[0])(question)

    world, outcome = world_of(without_zoom), await judged(world_of(looking_at(REGIONS[0])))
    found = await checked(world, outcome)
    scans = sum(len(question.turns) == 2 for question in world.vision.questions)
    assert found.error_code == "engine_busy"
    assert (found.cost.requests, found.cost.prompt_tokens) == (len(world.vision.questions), 100 * scans)
    assert scans > 0


async def test_controls_are_the_same_however_often_a_verdict_is_checked() -> None:
    world = world_of(looking_at(REGIONS[0]))
    outcome = await judged(world)
    assert (await checked(world, outcome)).maskings == (await checked(world, outcome)).maskings


async def test_a_verdict_without_regions_cites_nothing_to_hide() -> None:
    world = world_of(looking_at(REGIONS[0]))
    found = await checked(world, replace(await judged(world), regions=()))
    assert (found.error_code, found.drop, found.untested) == ("nothing_cited", None, "it cites nothing that could be tested")


async def test_an_image_that_changed_since_is_not_taken_for_the_one_that_was_judged() -> None:
    world = world_of(looking_at(REGIONS[0]))
    outcome = await judged(world)

    async def fetch_another(_: ItemReference) -> Fetched:
        return Fetched(picture(), SourceFacts(sha256=hashlib.sha256(b"another").hexdigest()))

    found = await check_faithfulness(ITEM, outcome, replace(world.tools, fetch=fetch_another), places=asyncio.Semaphore(1), seconds=30)
    assert (found.error_code, found.cost.requests) == ("image_changed", 0)


async def test_what_goes_wrong_is_told_in_the_result_and_raised_to_nobody() -> None:
    failing = world_of(lambda _: TransientError("model_away", "The endpoint is away."))
    found = await checked(failing, await judged(world_of(looking_at(REGIONS[0]))))
    assert (found.error_code, found.drop) == ("model_away", None)


@pytest.mark.parametrize(
    "error",
    [
        EngineDiedError("engine_died", "The engine is gone."),
        OutageError("endpoint_unreachable", "The endpoint is away."),
        MisconfiguredError("endpoint_refused", "The key has expired."),
    ],
)
async def test_what_every_image_would_meet_is_raised_even_when_others_of_a_checks_questions_were_answered(error: ZoomInError) -> None:
    outcome, look = await judged(world_of(looking_at(REGIONS[0]))), looking_at(REGIONS[0])
    answered: list[Question] = []

    def failing(question: Question) -> Answer | Exception:
        answered.append(question)
        return look(question) if len(answered) <= 10 else error

    with pytest.raises(type(error)):
        await checked(world_of(failing), outcome)


@pytest.mark.parametrize(
    "error",
    [OutageError("object_store_unavailable", "The store is away."), MisconfiguredError("object_store_refused", "The key has expired.")],
)
async def test_what_every_image_would_meet_is_no_result_of_one_check(error: ZoomInError) -> None:
    world, outcome = world_of(looking_at(REGIONS[0])), await judged(world_of(looking_at(REGIONS[0])))
    world.body = error
    with pytest.raises(type(error)):
        await checked(world, outcome)


async def test_an_error_while_one_region_is_hidden_costs_its_maskings_and_not_the_check() -> None:
    look = looking_at(REGIONS[0])

    def busy_when_the_second_alone_is_hidden(question: Question) -> Answer | Exception:
        whole = next(part for part in question.turns[1].parts if isinstance(part, ImagePart))
        first, second = (np.asarray(whole.pixels.crop(place), dtype=float).std() > ROUGH for place in REGIONS)
        return TransientError("engine_busy", "The engine is busy.") if first and not second else look(question)

    world = world_of(busy_when_the_second_alone_is_hidden)
    found = await checked(world, await judged(world))
    assert found.error_code is None
    assert found.drop == pytest.approx(0.7, abs=1e-3)
    assert {masking.position for masking in found.maskings} == {TOGETHER, 1}


async def test_replies_without_a_score_leave_the_check_without_a_result() -> None:
    world = world_of(lambda question: replace(looking_at(REGIONS[0])(question), verdict_logprobs=None))
    found = await checked(world, await judged(world_of(looking_at(REGIONS[0]))))
    assert found.error_code == "rescans_unscored"
    assert found.cost.requests > 0


async def test_a_check_ends_in_time_whatever_the_engine_does() -> None:
    world = world_of(looking_at(REGIONS[0]))
    outcome = await judged(world)

    async def never(_: ItemReference) -> Fetched:
        await asyncio.Event().wait()
        raise AssertionError

    found = await check_faithfulness(ITEM, outcome, replace(world.tools, fetch=never), places=asyncio.Semaphore(1), seconds=0.01)
    assert found.error_code == "check_timed_out"


class Tracking:
    """A decoder that notes how many masked pictures are being made at once."""

    def __init__(self) -> None:
        self.now = self.most = 0

    async def prepare_scan(self, body: bytes, limits: PixelLimits) -> ScanImage:
        return prepare_scan(body, limits)

    async def shrink(self, body: bytes, limits: PixelLimits, mask: Mask | None = None) -> ScanImage:
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.01)  # as a decode child would take
        self.now -= 1
        return shrink(body, limits, mask)

    async def cut_crops(self, body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> Sequence[Crop]:
        return cut_crops(body, boxes, limits, mask)


@pytest.mark.parametrize(("images_in_flight", "most"), [(1, 4), (8, 8)])
async def test_what_all_checks_of_a_process_hold_at_once_is_bounded_by_its_images_in_flight(images_in_flight: int, most: int) -> None:
    world, decoder, places = world_of(looking_at(REGIONS[0])), Tracking(), places_beside(images_in_flight)
    outcome, tools = await judged(world), replace(world.tools, decoder=decoder)
    checks = [check_faithfulness(ITEM, outcome, tools, places=places, seconds=60) for _ in range(5)]
    assert [found.error_code for found in await asyncio.gather(*checks)] == [None] * 5
    assert decoder.most == most


async def test_the_wait_for_a_place_counts_so_that_a_check_ends_in_time_behind_others_too() -> None:
    world, places = world_of(looking_at(REGIONS[0])), asyncio.Semaphore(0)
    outcome = await judged(world)
    found = await check_faithfulness(ITEM, outcome, world.tools, places=places, seconds=0.01)
    assert (found.error_code, found.cost.requests) == ("check_timed_out", 0)
