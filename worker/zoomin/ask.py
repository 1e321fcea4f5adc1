"""One question to the model: asked, read, traced; asked once more when the reply cannot be read."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from worker.moderation.outcomes import Stage, StageTrace
from worker.vision.model import Answer, Question, VisionModel
from worker.zoomin.case import Case
from worker.zoomin.replies import UnreadableReplyError

RETRY_TEMPERATURE = 0.4  # a greedy retry would repeat the unreadable reply word for word
ATTEMPTS = 2

Reply = TypeVar("Reply")


async def ask(
    question: Question,
    *,
    stage: Stage,
    read: Callable[[str], Reply],
    attainable: Callable[[Answer], int | None],
    vision: VisionModel,
    case: Case,
) -> tuple[Reply, Answer]:
    """The read reply and the answer it came in; every attempt leaves a trace. Raises UnreadableReplyError after the second."""
    unreadable = UnreadableReplyError("never asked")
    for attempt in range(1, ATTEMPTS + 1):
        asked = question if attempt == 1 else replace(question, temperature=RETRY_TEMPERATURE)
        start = time.perf_counter()
        with case.timed(stage.value):
            answer = await vision.answer(asked)
        case.traces.append(_trace(asked, answer, stage, attempt, attainable(answer), time.perf_counter() - start))
        try:
            return read(answer.text), answer
        except UnreadableReplyError as error:
            unreadable = error
    raise unreadable


def _trace(question: Question, answer: Answer, stage: Stage, attempt: int, attainable: int | None, seconds: float) -> StageTrace:
    return StageTrace(
        stage=stage,
        attempt=attempt,
        request=conversation(question),
        reply=answer.text,
        finish_reason=answer.finish_reason,
        prompt_tokens=answer.prompt_tokens,
        cached_tokens=answer.cached_tokens,
        attainable_tokens=attainable,
        completion_tokens=answer.completion_tokens,
        seconds=seconds,
    )


def conversation(question: Question) -> Mapping[str, Any]:
    """A question as plain JSON: texts as sent, images by their uuid and size. With the evidence it can be replayed."""
    return {
        "turns": [
            {
                "role": turn.role,
                "parts": [part if isinstance(part, str) else {"image": part.uuid, "size": list(part.pixels.size)} for part in turn.parts],
            }
            for turn in question.turns
        ],
        "max_tokens": question.max_tokens,
        "temperature": question.temperature,
        "schema_sha256": hashlib.sha256(repr(question.reply_schema).encode()).hexdigest(),
    }
