import pytest

from worker.moderation.errors import TransientError
from worker.vision.model import Question, Turn, VisionModel
from worker.vision.scripted import ScriptedVision, ScriptExhaustedError

QUESTION = Question(turns=(Turn("user", ("real or generated?",)),), reply_schema={}, max_tokens=8)


async def test_list_is_answered_in_order_and_questions_are_kept() -> None:
    vision: VisionModel = ScriptedVision(["one", "two"])
    assert [(await vision.answer(QUESTION)).text for _ in range(2)] == ["one", "two"]
    assert isinstance(vision, ScriptedVision)
    assert vision.questions == [QUESTION, QUESTION]


async def test_function_sees_the_question() -> None:
    vision = ScriptedVision(lambda question: f"at most {question.max_tokens}")
    assert (await vision.answer(QUESTION)).text == "at most 8"


async def test_scripted_error_is_raised() -> None:
    vision = ScriptedVision([TransientError("engine_request_failed", "again")])
    with pytest.raises(TransientError):
        await vision.answer(QUESTION)


async def test_question_beyond_the_script_is_a_failure_of_the_test() -> None:
    with pytest.raises(ScriptExhaustedError):
        await ScriptedVision([]).answer(QUESTION)
