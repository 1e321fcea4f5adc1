import json
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.zoomin.world import ITEM, SCAN, ZOOM, InlineDecoder, World, picture, said
from worker.images.fetch import Fetched
from worker.images.prepare import ScanImage
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.looks import EarlierLook, checked_box
from worker.moderation.outcomes import ItemReference, Outcome, SourceFacts, Stage, Verdict
from worker.vision.model import PROMPT_TOO_LONG, Answer, ImagePart, Question
from worker.vision.scripted import SCRIPTED_CARD
from worker.zoomin.look import AskedLook, RecordedScan, look, look_schema
from worker.zoomin.pipeline import moderate
from worker.zoomin.prompts import load_prompts
from worker.zoomin.prompts.looks import load_look_prompts
from worker.zoomin.tools import Tools

HELD = Box(300, 100, 412, 212)
REPLY = '{"findings":[{"region":1,"finding":"six fingers"}],"explanation":"One too many.","verdict":"generated"}'


async def recorded(world: World) -> tuple[Outcome, RecordedScan]:
    """A judged image, and its scan as the tables give it back: through JSON."""
    outcome = await moderate(ITEM, world.tools)
    trace = next(trace for trace in outcome.traces if trace.stage is Stage.SCAN)
    turns = json.loads(json.dumps(dict(trace.request)))["turns"]
    return outcome, RecordedScan(turns=turns, reply=trace.reply, image_sha256="ab" * 32, sent_sha256=outcome.sent_sha256 or "")


def narrow(world: World) -> Tools:
    world.vision._card = replace(world.vision.card, answers_questions=False)  # noqa: SLF001  a card of the test's own
    return world.tools


async def test_a_look_continues_the_zooms_own_prefix_with_one_crop_and_the_question() -> None:
    world = World([said(SCAN), said(ZOOM), said(REPLY)])
    _, scan = await recorded(world)
    answer = await look(ITEM, AskedLook(scan=scan, box=HELD, question="Is it a hand?"), world.tools, load_look_prompts())
    _, zoom, asked = world.vision.questions
    assert asked.turns[:3] == zoom.turns[:3]  # image, scan prompt, and what the scan said: byte for byte, with the same pixels
    label, crop, text = asked.turns[3].parts
    assert isinstance(crop, ImagePart)
    assert crop.uuid in world.evidence
    assert (crop.uuid, str(label)) == (answer.evidence.sha256, "Region 1, bbox_2d [206, 69, 283, 146]:")
    assert 'asks about this region: "Is it a hand?"' in str(text)
    assert asked.urgent
    assert (answer.finding, answer.explanation, answer.verdict) == ("six fingers", "One too many.", Verdict.GENERATED)
    assert answer.p_generated == pytest.approx(0.75)
    assert answer.question_put
    assert answer.wording.startswith("look_v1 ")
    assert answer.crop_box.clamped(Size(896, 448)) == answer.crop_box
    assert [(trace.attempt, trace.reply) for trace in answer.traces] == [(1, REPLY)]


class OnlyShrinking(InlineDecoder):
    async def prepare_scan(self, body: bytes, limits: PixelLimits) -> ScanImage:
        raise AssertionError("what the image went through is recorded already")


async def test_a_look_estimates_nothing_anew_of_an_image_that_was_judged() -> None:
    world = World([said(SCAN), said(ZOOM), said(REPLY)])
    _, scan = await recorded(world)
    answer = await look(ITEM, AskedLook(scan=scan, box=HELD), replace(world.tools, decoder=OnlyShrinking()), load_look_prompts())
    assert answer.verdict is Verdict.GENERATED


async def test_later_looks_repeat_the_newest_that_fit_without_their_verdicts() -> None:
    world = World([said(SCAN), said(ZOOM), said(REPLY.replace('"region":1', '"region":4'))])
    _, scan = await recorded(world)
    earlier = tuple(EarlierLook(HELD, Box(280, 84, 420, 224), f"Question {number}?", REPLY) for number in range(1, 6))
    answer = await look(ITEM, AskedLook(scan=scan, box=Box(0, 0, 60, 60), earlier=earlier), world.tools, load_look_prompts())
    turns = world.vision.questions[-1].turns
    room = SCRIPTED_CARD.reply_limits.zoomed_regions
    assert sum(isinstance(part, ImagePart) for turn in turns for part in turn.parts) == 1 + room  # what an engine is told to expect
    repeated = [turn.parts for turn in turns[3:-1] if turn.role == "user"]
    assert [str(parts[2]).split('"')[1] for parts in repeated] == ["Question 3?", "Question 4?", "Question 5?"]
    assert not any("verdict" in str(turn.parts[0]) for turn in turns if turn.role == "assistant")
    assert answer.finding == "six fingers"  # of the fourth region of the conversation


async def test_a_dialogue_that_grew_too_long_goes_on_without_its_oldest_looks() -> None:
    room = 2  # images beside the whole: fewer than the card says, as crops and words are long

    def answer(question: Question) -> Answer | Exception:
        if len(question.turns) == 2:
            return said(SCAN)
        if question.turns[-1].parts[-1] == load_prompts().zoom:
            return said(ZOOM)
        crops = sum(isinstance(part, ImagePart) for turn in question.turns for part in turn.parts) - 1
        if crops > room:
            return RejectedError(PROMPT_TOO_LONG, "Too long.")
        return said(REPLY.replace('"region":1', f'"region":{crops}'))

    world = World(answer)
    _, scan = await recorded(world)
    earlier = tuple(EarlierLook(HELD, Box(280, 84, 420, 224), f"Question {number}?", REPLY) for number in range(1, 6))
    found = await look(ITEM, AskedLook(scan=scan, box=Box(0, 0, 60, 60), earlier=earlier), world.tools, load_look_prompts())
    repeated = [turn.parts for turn in world.vision.questions[-1].turns[3:-1] if turn.role == "user"]
    assert [str(parts[2]).split('"')[1] for parts in repeated] == ["Question 5?"]
    assert found.finding == "six fingers"
    assert len(found.traces) == 1  # nothing was sent that did not fit


async def test_a_look_that_is_too_long_by_itself_is_refused() -> None:
    world = World([said(SCAN), said(ZOOM), RejectedError(PROMPT_TOO_LONG, "Too long.")])
    _, scan = await recorded(world)
    with pytest.raises(RejectedError, match="Too long"):
        await look(ITEM, AskedLook(scan=scan, box=HELD), world.tools, load_look_prompts())


async def test_a_narrow_model_is_asked_as_its_zoom_was_and_no_question_is_put() -> None:
    world = World([said(SCAN), said(ZOOM), said(REPLY)])
    _, scan = await recorded(world)
    earlier = (EarlierLook(HELD, Box(280, 84, 420, 224), "", REPLY),)
    asked = AskedLook(scan=scan, box=HELD, question="Say real.", earlier=earlier)
    answer = await look(ITEM, asked, narrow(world), load_look_prompts())
    turns = world.vision.questions[-1].turns
    assert turns[3].parts[2] == load_prompts().zoom
    assert len(turns) == 4
    assert not any("Say real." in str(part) for turn in turns for part in turn.parts)
    assert not answer.question_put
    assert answer.wording == f"v1 {load_prompts().sha256}"


async def test_a_look_that_cannot_be_read_says_so_with_both_traces_and_no_verdict() -> None:
    world = World([said(SCAN), said(ZOOM), said("mumble"), said("mumble")])
    _, scan = await recorded(world)
    answer = await look(ITEM, AskedLook(scan=scan, box=HELD), world.tools, load_look_prompts())
    assert (answer.verdict, answer.p_generated, len(answer.traces)) == (None, None, 2)
    assert answer.evidence.sha256 in world.evidence


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"image_sha256": "cd" * 32}, "image_changed"),
        ({"sent_sha256": "cd" * 32}, "look_other_sight"),
        ({"turns": [{"role": "user", "parts": [{"image": "cd" * 32}]}]}, "trace_unreadable"),
        ({"turns": ["look"]}, "trace_unreadable"),
    ],
)
async def test_what_is_no_longer_as_it_was_judged_is_never_looked_at(changes: dict[str, Any], code: str) -> None:
    world = World([said(SCAN), said(ZOOM)])
    _, scan = await recorded(world)
    with pytest.raises(RejectedError) as refused:
        await look(ITEM, AskedLook(scan=replace(scan, **changes), box=HELD), world.tools, load_look_prompts())
    assert refused.value.code == code


async def test_other_bytes_at_the_same_address_are_noticed_before_anything_is_sent() -> None:
    world = World([said(SCAN), said(ZOOM)])
    _, scan = await recorded(world)

    async def fetch_another(_: ItemReference) -> Fetched:
        return Fetched(picture(600, 600), SourceFacts(sha256="cd" * 32))

    with pytest.raises(RejectedError, match="no longer the image that was judged"):
        await look(ITEM, AskedLook(scan=scan, box=HELD), replace(world.tools, fetch=fetch_another), load_look_prompts())
    assert len(world.vision.questions) == 2


@pytest.mark.parametrize("corners", [(0, 0, 0, 10), (10, 10, 5, 20), (0, 0, 897, 10), (900, 0, 950, 10), (-1, 0, 10, 10)])
def test_a_box_outside_the_image_or_empty_is_refused(corners: tuple[int, int, int, int]) -> None:
    with pytest.raises(RejectedError, match="896 × 448"):
        checked_box(Box(*corners), Size(896, 448))


def test_the_schema_wants_one_finding_of_the_region_that_was_asked_about() -> None:
    findings = look_schema(SCRIPTED_CARD, 3)["properties"]["findings"]
    assert (findings["minItems"], findings["maxItems"]) == (1, 1)
    assert findings["items"]["properties"]["region"] == {"type": "integer", "minimum": 3, "maximum": 3}


def test_looks_wording_is_no_part_of_what_a_release_hashes() -> None:
    prompts = load_prompts()
    assert load_look_prompts().look not in {prompts.system, prompts.scan_template, prompts.zoom, prompts.second_look}
    assert prompts.sha256 == "4f373a72f93436eb3575b06f34314753e380223f243a96dc3986b83607592295"
