"""Where a clue is: the grounder is asked twice, on two views of the picture, through our own engine. Replies are cached like paid ones."""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from worker.lab.annotation.fates import Grounding
from worker.lab.annotation.prompts import GROUNDER_SYSTEM, SUBJECT, VERSION, grounder_task
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.responses import Responses, Said
from worker.lab.annotation.views import View, Views
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError, TransientError
from worker.vision.model import Answer, ModelCard, Question, Turn, VisionModel
from worker.zoomin.ask import conversation
from worker.zoomin.replies import LARGEST_COORDINATE, UnreadableReplyError, read_scan

MOST_TOKENS = 96  # one box, with room for a fence around it
ATTEMPTS = 3  # at a request that the engine gave up on
FAILED = "failed"
GROUNDING_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "regions": {
            "type": "array",
            "maxItems": 1,
            "items": {
                "type": "object",
                "properties": {
                    "bbox_2d": {
                        "type": "array",
                        "items": {"type": "integer", "minimum": 0, "maximum": LARGEST_COORDINATE},
                        "minItems": 4,
                        "maxItems": 4,
                    }
                },
                "required": ["bbox_2d"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["regions"],
    "additionalProperties": False,
}


@dataclass(slots=True, kw_only=True)
class Grounder:
    """A Qwen2.5-VL, or whatever else the engine serves."""

    vision: VisionModel
    recipe: Recipe
    responses: Responses

    async def ground(self, views: Views, clue: str) -> tuple[Grounding, Grounding]:
        """Both looks for a clue. Raises EngineDiedError, MisconfiguredError, TransientError, OSError."""
        first, second = views.both
        return (
            await self._look(views, first, clue, temperature=0.0),
            await self._look(views, second, clue, temperature=self.recipe.second_grounding_temperature),
        )

    async def subject(self, views: Views) -> Box | None:
        """The main subject's box, where the grounder names one. Raises as `ground`."""
        return (await self._look(views, views.whole, SUBJECT, temperature=0.0)).box

    async def _look(self, views: Views, view: View, clue: str, *, temperature: float) -> Grounding:
        card = self.vision.card
        question = Question(
            turns=(Turn("system", (GROUNDER_SYSTEM,)), Turn("user", (view.part, grounder_task(clue, view.sent, card.coordinates)))),
            reply_schema=GROUNDING_SCHEMA,
            max_tokens=MOST_TOKENS,
            temperature=temperature,
        )
        said = await self._said(question)
        if said.finish_reason == FAILED:
            return Grounding(None, readable=False)
        box, readable = _read(said.text)
        inside = view.in_original(box, card.coordinates, views.facts.size) if box is not None else None
        return Grounding(inside if inside is not None and inside.area > 0 else None, readable=readable)

    async def _said(self, question: Question) -> Said:
        key = _key(self.vision.card, question)
        known = self.responses.known(key)
        if known is not None:
            return known
        began = time.monotonic()
        try:
            answer = await self._answer(question)
        except RejectedError as error:  # too long, or refused: another look at it would be, too
            return self.responses.note(key, error.message, FAILED, 0.0)
        return self.responses.note(key, answer.text, answer.finish_reason, time.monotonic() - began)

    async def _answer(self, question: Question) -> Answer:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self.vision.answer(question)
            except TransientError:
                continue
        return await self.vision.answer(question)


def _read(text: str) -> tuple[Box | None, bool]:
    """The box of a reply and whether it could be read; an empty list is an answer: nothing there."""
    try:
        return read_scan(text).regions[0].box, True
    except (UnreadableReplyError, IndexError):
        return None, _says_nothing_there(text)


def _says_nothing_there(text: str) -> bool:
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and value.get("regions") == []


def _key(card: ModelCard, question: Question) -> str:
    named = {"model": card.name, "facts": dict(card.facts), "prompts": VERSION, **conversation(question)}
    return hashlib.sha256(json.dumps(named, sort_keys=True, default=str).encode()).hexdigest()
