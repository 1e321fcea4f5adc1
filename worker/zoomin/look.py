"""A look: the recorded scan's conversation, continued with one crop that somebody asked for. The verdict's own pieces, put to use again.

The image stands first and everything up to the crop is what the zoom was sent, so that an engine which still holds it computes it once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from worker.images.prepare import Crop, ScanImage
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.looks import EarlierLook, LookAnswer
from worker.moderation.outcomes import ItemReference, Stage, StageTrace
from worker.vision.model import PROMPT_TOO_LONG, Answer, ImagePart, ModelCard, Question, Turn
from worker.zoomin.ask import ask
from worker.zoomin.case import Case
from worker.zoomin.pipeline import crop_limits, fetch, kept, scan_limits
from worker.zoomin.prompts import PromptSet
from worker.zoomin.prompts.looks import LookPrompts
from worker.zoomin.regions import crop_box, in_model_coordinates
from worker.zoomin.replies import UnreadableReplyError, ZoomReply, read_zoom, without_verdict, zoom_schema
from worker.zoomin.score import probability_generated
from worker.zoomin.tools import Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedScan:
    """What the outcome's traces say of its scan, and which bytes and pixels it saw."""

    turns: Sequence[Mapping[str, Any]]
    reply: str
    image_sha256: str
    sent_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedLook:
    """One look. `box` in original, oriented pixels, inside the image; `earlier` are the answered looks of its dialogue, oldest first."""

    scan: RecordedScan
    box: Box
    question: str = ""
    earlier: tuple[EarlierLook, ...] = ()


async def look(item: ItemReference, asked: AskedLook, tools: Tools, wording: LookPrompts) -> LookAnswer:
    """The model's word on one box of a recorded image. Its crop is kept as evidence.

    Raises RejectedError: image_changed, look_other_sight, trace_unreadable, and as the pipeline does; TransientError, EngineDiedError.
    """
    case = Case(item, tools.release_id)
    card = tools.vision.card
    body = await fetch(case, tools)
    if case.source is None or case.source.sha256 != asked.scan.image_sha256:
        raise RejectedError("image_changed", f"{item.source} is no longer the image that was judged: other bytes are there now.")
    image = await tools.decoder.shrink(body, scan_limits(card))
    if image.evidence.facts.sha256 != asked.scan.sent_sha256:
        raise RejectedError(
            "look_other_sight",
            "The model that serves now sees the image in another size than the one that judged it: judge the image again, then look.",
        )
    earlier = remembered(asked.earlier, card)
    limits = crop_limits(card)
    boxes = [*(one.crop_box for one in earlier), crop_box(asked.box, image.original, limits)]
    *former, crop = await tools.decoder.cut_crops(body, boxes, limits)
    dialogue = Dialogue(asked, image, tuple(zip(earlier, former, strict=True)), crop)
    async with kept([crop.evidence], case, tools):
        reply, answer, dialogue = await _fitting_reply(dialogue, case, tools, wording)
    worded = wording if card.answers_questions else tools.prompts
    return _answer(dialogue, card, f"{worded.version} {worded.sha256}", case.traces, reply, answer)


def remembered(earlier: Sequence[EarlierLook], card: ModelCard) -> tuple[EarlierLook, ...]:
    """Those that the conversation repeats: the newest that fit beside the crop; none for a model that knows its two queries alone."""
    room = card.reply_limits.zoomed_regions - 1 if card.answers_questions else 0
    return tuple(earlier[-room:]) if room > 0 else ()


@dataclass(frozen=True, slots=True)
class Dialogue:
    """A look among its likes, all pixels at hand."""

    asked: AskedLook
    image: ScanImage
    earlier: tuple[tuple[EarlierLook, Crop], ...]
    crop: Crop

    @property
    def number(self) -> int:
        """Of the crop's region in the conversation, from 1."""
        return len(self.earlier) + 1

    def turns(self, card: ModelCard, prompts: PromptSet, wording: LookPrompts) -> tuple[Turn, ...]:
        """The conversation. A model that answers no questions is asked as its zoom was, about a single region."""
        scan = self.asked.scan
        said = scan.reply if prompts.zoom_shows_scan_verdict else without_verdict(scan.reply)
        turns = [*recorded_turns(scan, self.image), Turn("assistant", (said,))]
        for number, (one, crop) in enumerate(self.earlier, start=1):
            shown = self._shown(number, one.box, crop, card, prompts)
            turns += [Turn("user", (*shown, wording.asked(one.question))), Turn("assistant", (without_verdict(one.reply),))]
        text = wording.asked(self.asked.question) if card.answers_questions else prompts.zoom
        return (*turns, Turn("user", (*self._shown(self.number, self.asked.box, self.crop, card, prompts), text)))

    def _shown(self, number: int, box: Box, crop: Crop, card: ModelCard, prompts: PromptSet) -> tuple[str, ImagePart]:
        told = in_model_coordinates(box, card.coordinates, self.image.sent, self.image.original)
        return prompts.region(number, told), ImagePart(uuid=crop.evidence.facts.sha256, pixels=crop.pixels)


def recorded_turns(scan: RecordedScan, image: ScanImage) -> tuple[Turn, ...]:
    """The scan's turns, text for text, with the image's pixels where the trace names it. Raises RejectedError `trace_unreadable`."""
    try:
        turns = tuple(Turn(turn["role"], tuple(_part(part, image) for part in turn["parts"])) for turn in scan.turns)
    except (KeyError, TypeError) as error:
        raise _unreadable() from error
    if not any(isinstance(part, ImagePart) for turn in turns for part in turn.parts):  # a crop would be shown beside nothing
        raise _unreadable()
    return turns


def _unreadable() -> RejectedError:
    return RejectedError("trace_unreadable", "The recorded scan cannot be continued: its trace is not in a form known here.")


def _part(part: Any, image: ScanImage) -> str | ImagePart:
    if isinstance(part, str):
        return part
    if part["image"] != image.evidence.facts.sha256:
        raise KeyError(part["image"])
    return ImagePart(uuid=image.evidence.facts.sha256, pixels=image.pixels)


async def _fitting_reply(
    dialogue: Dialogue, case: Case, tools: Tools, wording: LookPrompts
) -> tuple[ZoomReply | None, Answer | None, Dialogue]:
    """The reply, and the dialogue that it answers: the oldest looks are forgotten until the rest fits into what the model can read."""
    while True:
        try:
            return *await _reply(dialogue, case, tools, wording), dialogue
        except RejectedError as error:
            if error.code != PROMPT_TOO_LONG or not dialogue.earlier:
                raise
            dialogue = replace(dialogue, earlier=dialogue.earlier[1:])


async def _reply(dialogue: Dialogue, case: Case, tools: Tools, wording: LookPrompts) -> tuple[ZoomReply | None, Answer | None]:
    """The read reply; nothing when two could not be read, which the case's traces show."""
    card = tools.vision.card
    question = Question(
        turns=dialogue.turns(card, tools.prompts, wording),
        reply_schema=look_schema(card, dialogue.number),
        max_tokens=card.zoom_max_tokens,
        urgent=True,  # somebody waits
    )
    try:
        return await ask(question, stage=Stage.ZOOM, read=read_zoom, attainable=lambda _: None, vision=tools.vision, case=case)
    except UnreadableReplyError:
        return None, None


def look_schema(card: ModelCard, number: int) -> dict[str, Any]:
    """The zoom's schema, with exactly one finding: of region `number`."""
    schema = zoom_schema(card.reply_limits)
    findings = schema["properties"]["findings"]
    findings |= {"minItems": 1, "maxItems": 1}
    findings["items"]["properties"]["region"] |= {"minimum": number, "maximum": number}
    return schema


def _answer(
    dialogue: Dialogue, card: ModelCard, wording: str, traces: Sequence[StageTrace], reply: ZoomReply | None, answer: Answer | None
) -> LookAnswer:
    crop = dialogue.crop
    looked = LookAnswer(
        box=dialogue.asked.box,
        crop_box=crop.box,
        scale=crop.scale,
        evidence=crop.evidence.facts,
        question_put=bool(dialogue.asked.question) and card.answers_questions,
        wording=wording,
        traces=tuple(traces),
    )
    if reply is None or answer is None:
        return looked
    return replace(
        looked,
        finding=reply.findings.get(dialogue.number, ""),
        explanation=reply.explanation,
        verdict=reply.verdict,
        p_generated=probability_generated(answer.verdict_logprobs),
    )
