"""A VisionModel that says what it was told to say: for tests of everything around a model, and for replays."""

from collections.abc import Callable, Sequence

from worker.moderation.outcomes import Verdict
from worker.moderation.release import Training
from worker.vision.model import Answer, Coordinates, ModelCard, Question

SCRIPTED_CARD = ModelCard(
    name="scripted",
    training=Training.UNTRAINED,
    coordinates=Coordinates.ABSOLUTE,
    resize_factor=28,
    scan_min_pixels=56 * 56,
    scan_max_pixels=448 * 448,
    crop_min_pixels=112 * 112,
    crop_max_pixels=448 * 448,
    scan_max_tokens=512,
    zoom_max_tokens=512,
    cache_block_tokens=None,
    facts={"engine": "scripted"},
)


class ScriptExhaustedError(AssertionError):
    """More questions were asked than the script has answers for."""


class ScriptedVision:
    """Answers from a list, in order, or from a function of the question. An exception among the answers is raised."""

    def __init__(
        self,
        script: Sequence[Answer | str | Exception] | Callable[[Question], Answer | str | Exception],
        card: ModelCard = SCRIPTED_CARD,
    ) -> None:
        self._script = script if callable(script) else _in_order(script)
        self._card = card
        self.questions: list[Question] = []
        self.closed = False

    @property
    def card(self) -> ModelCard:
        """The model's card."""
        return self._card

    async def answer(self, question: Question) -> Answer:
        """The next answer; the question is kept. Raises what the script holds, or ScriptExhaustedError."""
        self.questions.append(question)
        said = self._script(question)
        if isinstance(said, Exception):
            raise said
        return scripted_answer(said) if isinstance(said, str) else said

    async def close(self) -> None:
        """Notes that it was called."""
        self.closed = True


def scripted_answer(text: str, verdict_logprobs: dict[Verdict, float] | None = None) -> Answer:
    """A complete answer around a reply's text."""
    return Answer(text=text, finish_reason="stop", verdict_logprobs=verdict_logprobs, prompt_tokens=0, completion_tokens=0)


def _in_order(answers: Sequence[Answer | str | Exception]) -> Callable[[Question], Answer | str | Exception]:
    left = iter(answers)

    def answer_next(_: Question) -> Answer | str | Exception:
        try:
            return next(left)
        except StopIteration:
            raise ScriptExhaustedError(f"the script holds {len(answers)} answers, and one more was asked for") from None

    return answer_next
