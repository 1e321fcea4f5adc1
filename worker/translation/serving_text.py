"""The serving model as a translator: the very engine that judges, in turns without images."""

from worker.translation.text_model import TextReply, TextRequest
from worker.vision.model import Question, Turn, VisionModel


class ServingText:
    """A TextModel over a VisionModel. Its answers cost nothing that is billed, but count all the same."""

    def __init__(self, vision: VisionModel) -> None:
        self._vision = vision

    @property
    def name(self) -> str:
        """The model's name."""
        return self._vision.card.name

    async def reply(self, request: TextRequest) -> TextReply:
        """One reply. Raises as VisionModel.answer."""
        question = Question(
            turns=(Turn("system", (request.system,)), Turn("user", (request.user,))),
            reply_schema=request.reply_schema,
            max_tokens=request.max_tokens,
            temperature=request.temperature,
        )
        answer = await self._vision.answer(question)
        return TextReply(
            text=answer.text,
            finish_reason=answer.finish_reason,
            prompt_tokens=answer.prompt_tokens,
            completion_tokens=answer.completion_tokens,
        )
