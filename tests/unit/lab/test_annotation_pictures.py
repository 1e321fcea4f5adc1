"""From pictures to fates, with a scripted explainer and a scripted grounder: every clue ends somewhere, and says why."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import httpx
import pytest
from PIL import Image

from tests.unit.lab.annotating import HAND, SIGN, WINDOW, Respond, a_label, an_explainer, completion, draw, in_turn, said
from worker.images.pool import DecodePool
from worker.lab.annotation.annotating import Annotated, Annotators, PictureFate, annotate_all
from worker.lab.annotation.fates import Fate
from worker.lab.annotation.grounding import Grounder
from worker.lab.annotation.output import write_pictures
from worker.lab.annotation.pictures import find_pictures
from worker.lab.annotation.prompts import SUBJECT
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.responses import Responses, opened_responses
from worker.lab.annotation.summary import card_of, summarise
from worker.lab.annotation.views import RIM, open_views
from worker.lab.annotation.wording import shared_words
from worker.lab.dataset.claim import claim
from worker.lab.labels import Label, check_labels, read_labels, write_labels
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError
from worker.moderation.outcomes import Verdict
from worker.vision.model import ImagePart, Question
from worker.vision.scripted import SCRIPTED_CARD, ScriptedVision

SIDE = 224  # of the pictures: legal, so that the first look is at their very pixels
WHERE = {
    HAND.where: Box(20, 30, 80, 90),
    SIGN.where: Box(120, 120, 200, 180),
    WINDOW.where: Box(0, 0, 224, 150),
    SUBJECT: Box(10, 10, 150, 200),
}

Answer = Callable[[Question], str]


@pytest.fixture(scope="module")
def decoders() -> Iterator[DecodePool]:
    with closing(DecodePool(1)) as pool:
        yield pool


@pytest.fixture
def responses(tmp_path: Path) -> Iterator[Responses]:
    with opened_responses(tmp_path / "replies" / "responses.jsonl") as opened:
        yield opened


def look(question: Question) -> tuple[str, Size]:
    """What is looked for, and the size of the pixels."""
    part, text = question.turns[1].parts
    assert isinstance(part, ImagePart)
    assert isinstance(text, str)
    return next((where for where in WHERE if where in text), ""), Size(*part.pixels.size)


def sees(question: Question) -> str:
    """A grounder that is right about each place of WHERE, in the pixels of whatever view it is shown."""
    where, sent = look(question)
    if not where:
        return '{"regions": []}'
    rim = round(SIDE * RIM) if question.temperature else 0  # the second look
    scale = sent.width / (SIDE - 2 * rim)
    box = WHERE[where]
    corners = [round(scale * (value - rim)) for value in (box.x0, box.y0, box.x1, box.y1)]
    return json.dumps({"regions": [{"bbox_2d": [max(value, 0) for value in corners]}]})


class Room:
    """A folder of pictures, and who annotates them."""

    def __init__(self, folder: Path, decoders: DecodePool, responses: Responses, answer: Answer = sees) -> None:
        self.folder, self.responses, self.recipe = folder, responses, Recipe()
        self.vision = ScriptedVision(answer)
        self._open = partial(open_views, folder=folder, card=SCRIPTED_CARD, decoders=decoders, max_bytes=10**6)

    async def annotate(
        self, labels: list[Label], *replies: httpx.Response, budget: float | None = None, at_once: int = 1
    ) -> tuple[tuple[Annotated, ...], TransientError | None]:
        return await self.annotate_by(labels, in_turn(*replies), budget=budget, at_once=at_once)

    async def annotate_by(
        self, labels: list[Label], respond: Respond, *, budget: float | None = None, at_once: int = 1
    ) -> tuple[tuple[Annotated, ...], TransientError | None]:
        self.explainer = an_explainer(respond, self.responses, budget=budget)
        annotators = Annotators(
            open_views=self._open,
            explainer=self.explainer,
            grounder=Grounder(vision=self.vision, recipe=self.recipe, responses=self.responses),
            similarity=shared_words,
            recipe=self.recipe,
        )
        return await annotate_all(labels, annotators, at_once, lambda _: None)


@pytest.fixture
def room(tmp_path: Path, decoders: DecodePool, responses: Responses) -> Room:
    draw(tmp_path / "pictures", ["a.png", "b.png", "c.png"], SIDE)
    return Room(tmp_path / "pictures", decoders, responses)


def fates(annotated: Annotated) -> dict[str, Fate]:
    return {clue.weighed.clue.where: clue.placed.fate for clue in annotated.clues}


async def test_clues_that_both_say_and_both_looks_find_are_kept_at_their_place(room: Room) -> None:
    (done,), ended = await room.annotate([a_label()], completion(said(HAND, SIGN, WINDOW)), completion(said(WINDOW, HAND)))
    assert ended is None
    assert done.fate is PictureFate.ANNOTATED
    assert fates(done) == {HAND.where: Fate.KEPT, SIGN.where: Fate.NOT_SECONDED, WINDOW.where: Fate.TOO_LARGE}
    (kept,) = done.kept
    assert kept.placed.box is not None
    assert max(abs(a - b) for a, b in zip(kept.placed.box.corners(), WHERE[HAND.where].corners(), strict=True)) <= 1
    assert kept.placed.iou is not None
    assert kept.placed.iou > 0.9


async def test_a_second_look_is_at_other_pixels(room: Room) -> None:
    await room.annotate([a_label()], completion(said(HAND)), completion(said(HAND)))
    parts = [question.turns[1].parts[0] for question in room.vision.questions]
    assert len({part.uuid for part in parts if isinstance(part, ImagePart)}) == 2


@pytest.mark.parametrize(
    ("first", "second", "fate"),
    [
        (said(HAND), "It is odd.", Fate.EXPLANATION_UNREADABLE),
        ("I'm sorry, I can't.", said(HAND), Fate.EXPLANATION_UNREADABLE),
        (said(HAND, SIGN), said(WINDOW), Fate.EXPLANATIONS_DIFFER),
    ],
)
async def test_clues_of_explanations_that_do_not_hold_stay_with_the_reason(room: Room, first: str, second: str, fate: Fate) -> None:
    (done,), _ = await room.annotate([a_label()], completion(first), completion(second))
    assert set(fates(done).values()) == {fate}
    assert done.fate is PictureFate.NO_CLUE_LEFT
    assert all(clue.placed.detail for clue in done.clues)
    assert not room.vision.questions


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        (lambda _: '{"regions": []}', Fate.NO_BOX),
        (lambda _: "There is no hand.", Fate.GROUNDING_UNREADABLE),
        (lambda _: '{"regions": [{"bbox_2d": [5000, 5000, 6000, 6000]}]}', Fate.NO_BOX),  # outside of the picture
        (lambda _: '{"regions": [{"bbox_2d": [20, 30, 20, 90]}]}', Fate.NO_BOX),  # no area
        (
            lambda question: f'{{"regions": [{{"bbox_2d": [{"0, 0, 50, 50" if question.temperature else "150, 150, 200, 200"}]}}]}}',
            Fate.GROUNDINGS_DIFFER,
        ),
    ],
)
async def test_clues_without_a_place_stay_with_the_reason(room: Room, answer: Answer, fate: Fate) -> None:
    room.vision = ScriptedVision(answer)
    (done,), _ = await room.annotate([a_label()], completion(said(HAND)), completion(said(HAND)))
    assert fates(done) == {HAND.where: fate}


async def test_a_grounder_that_refuses_a_question_rejects_the_clue_alone(room: Room) -> None:
    room.vision = ScriptedVision(
        lambda question: RejectedError("prompt_refused", "no") if HAND.where in str(question.turns) else sees(question)
    )
    (done,), _ = await room.annotate([a_label()], completion(said(HAND, SIGN)), completion(said(HAND, SIGN)))
    assert fates(done) == {HAND.where: Fate.GROUNDING_UNREADABLE, SIGN.where: Fate.KEPT}


async def test_a_picture_that_cannot_be_read_is_named_and_stops_nothing(room: Room) -> None:
    (room.folder / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    labels = [a_label("b.png"), a_label("gone.png"), a_label("a.png")]
    (broken, gone, whole), _ = await room.annotate(labels, completion(said(HAND)), completion(said(HAND)))
    assert (broken.fate, gone.fate, whole.fate) == (PictureFate.UNREADABLE, PictureFate.UNREADABLE, PictureFate.ANNOTATED)
    assert "gone.png: The file could not be read" in gone.problem


async def test_a_copy_of_a_picture_is_paid_for_and_kept_once(room: Room, tmp_path: Path) -> None:
    (room.folder / "copy.png").write_bytes((room.folder / "a.png").read_bytes())
    labels = [a_label("a.png"), a_label("copy.png")]
    done, _ = await room.annotate(labels, completion(said(HAND)), completion(said(HAND)), at_once=2)
    assert [each.fate for each in done] == [PictureFate.ANNOTATED, PictureFate.REPEATED]
    assert "copy.png: has the bytes of a.png" in done[1].problem
    assert room.explainer.counts["asked"] == 2
    assert summarise(done, room.explainer, SCRIPTED_CARD, 1.0)["clues"]["all"] == 1
    claim(tmp_path / "out", {}, "pictures", [Path("images")])
    write_pictures(done, room.folder, tmp_path / "out", 10**6, {})
    assert len(read_labels(tmp_path / "out" / "labels.jsonl")) == 1


async def test_the_budget_ends_a_run_and_more_of_it_goes_on_without_paying_twice(room: Room) -> None:
    labels = [a_label("a.png"), a_label("b.png")]
    reply = completion(said(HAND))
    done, ended = await room.annotate(labels, reply, reply, reply, budget=0.08)
    assert ended is not None
    assert [each.fate for each in done] == [PictureFate.ANNOTATED, PictureFate.NOT_REACHED]
    looks = len(room.vision.questions)
    asked = room.explainer.counts["asked"]
    done, ended = await room.annotate(labels, *[reply] * (4 - asked), budget=1.0)
    assert ended is None
    assert [each.fate for each in done] == [PictureFate.ANNOTATED] * 2
    assert room.responses.spent == pytest.approx(4 * 0.012)
    assert len(room.vision.questions) == looks + 3  # the second picture's subject and two looks


async def test_what_ends_a_run_lets_nobody_pay_twice_for_replies_that_were_under_way(room: Room) -> None:
    labels = [a_label("a.png"), a_label("b.png")]
    both_out = asyncio.Barrier(2)
    asked = 0

    async def respond(_: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        overbilled = asked == 1
        await both_out.wait()
        if overbilled:
            return completion(said(HAND), usage={"prompt_tokens": 90_000, "completion_tokens": 100})
        for _turn in range(1000):
            await asyncio.sleep(0)  # long after the other reply has ended the run
        return completion(said(HAND))

    with pytest.raises(MisconfiguredError) as error:
        await room.annotate_by(labels, respond, at_once=2)
    assert error.value.code == "endpoint_overbills"
    assert asked == 2
    assert room.responses.committed == room.responses.spent == pytest.approx(0.902 + 0.012)
    reply = completion(said(HAND))
    done, _ = await room.annotate(labels, reply, reply)  # the second explanations
    assert [each.fate for each in done] == [PictureFate.ANNOTATED] * 2


async def test_output_is_the_labs_format_with_every_clue_beside_it(room: Room, tmp_path: Path) -> None:
    true = Label(file="b.png", label=Verdict.GENERATED, regions=(Box(20, 30, 80, 90),), source="b", generator="x4plus", control=False)
    labels = [a_label("a.png", Verdict.REAL), true, a_label("c.png")]
    both = completion(said(HAND, SIGN)), completion(said(HAND))
    done, _ = await room.annotate(labels, *both, *both, completion("no"), completion(said(HAND)))
    out = tmp_path / "out"
    claim(out, {}, "pictures", [Path("images")])
    write_pictures(done, room.folder, out, 10**6, {"explainer": "gpt-4o"})
    real, generated = read_labels(out / "labels.jsonl")
    check_labels([real, generated], out)
    assert (real.label, real.regions) == (Verdict.REAL, ())
    assert (generated.generator, len(generated.regions)) == ("x4plus", 1)
    assert (out / generated.file).read_bytes() == (room.folder / "b.png").read_bytes()
    line = json.loads((out / "labels.jsonl").read_text().splitlines()[0])
    assert [clue["where"] for clue in line["clues"]] == [HAND.where]
    assert line["clues"][0]["box"] is not None
    records = [json.loads(line) for line in (out / "clues.jsonl").read_text().splitlines()]
    assert [record["fate"] for record in records] == ["annotated", "annotated", "no_clue_left"]
    assert [clue["fate"] for record in records for clue in record["clues"]] == [
        "kept", "not_seconded", "kept", "not_seconded", "explanation_unreadable",
    ]  # fmt: skip

    summary = summarise(done, room.explainer, SCRIPTED_CARD, 1.0)
    assert summary["clues"]["all"] == sum(number for fate, number in summary["clues"].items() if fate != "all") == 5
    assert summary["pictures"]["annotated"] == 2
    assert summary["against_given_regions"]["mean_best_iou"] > 0.9
    assert "not_seconded: 2" in card_of(summary)
    assert "PLUMBING" not in card_of(summary)


async def test_a_picture_that_changed_meanwhile_is_not_written_under_its_old_clues(room: Room, tmp_path: Path) -> None:
    done, _ = await room.annotate([a_label()], completion(said(HAND)), completion(said(HAND)))
    Image.new("RGB", (SIDE, SIDE)).save(room.folder / "a.png")
    (tmp_path / "out" / "images").mkdir(parents=True)
    with pytest.raises(RejectedError) as error:
        write_pictures(done, room.folder, tmp_path / "out", 10**6, {})
    assert error.value.code == "picture_changed"


def test_pictures_are_found_with_their_labels_or_with_the_one_that_is_given(tmp_path: Path) -> None:
    draw(tmp_path, ["a.png", "b.png", "c.png"], 28)
    given = find_pictures(tmp_path, Verdict.GENERATED, None, None)
    assert [(label.file, label.generator) for label in given.labels] == [("a.png", "unknown"), ("b.png", "unknown"), ("c.png", "unknown")]
    with pytest.raises(RejectedError, match="--label real or --label generated") as error:
        find_pictures(tmp_path, None, None, None)
    assert error.value.code == "label_missing"
    write_labels(tmp_path / "labels.jsonl", [a_label("a.png"), a_label("b.png", Verdict.REAL)])
    for place in (tmp_path, tmp_path / "labels.jsonl"):
        found = find_pictures(place, None, None, None)
        assert (found.folder, [label.label for label in found.labels]) == (tmp_path, [Verdict.GENERATED, Verdict.REAL])
    assert len(find_pictures(tmp_path, None, None, 1).labels) == 1
    assert found.sha256 != given.sha256


def test_an_output_below_the_folder_is_no_part_of_it(tmp_path: Path) -> None:
    draw(tmp_path, ["a.png"], 28)
    before = find_pictures(tmp_path, Verdict.REAL, None, None)
    claim(tmp_path / "out", {}, "pictures", [Path("images")])
    draw(tmp_path / "out" / "images", ["copy.png"], 28)
    assert find_pictures(tmp_path, Verdict.REAL, None, None) == before


def test_an_empty_folder_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(RejectedError) as error:
        find_pictures(tmp_path, Verdict.REAL, None, None)
    assert error.value.code == "folder_empty"
