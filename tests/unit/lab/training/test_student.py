from pathlib import Path

import pytest
import torch

from worker.lab.training.student import COORDINATE_WEIGHT, FRAME_WEIGHT, GRADE_WEIGHT, VERDICT_WEIGHT, Student
from worker.moderation.outcomes import Verdict
from worker.vision.nano.wording import LARGEST_MULTIPLE, Grade


def test_neighbouring_coordinates_are_embedded_more_alike_than_far_ones(nano_folder: Path) -> None:
    own = Student.untrained(nano_folder, 3)
    own.order_coordinates()
    chat = own.speaker.chat
    tokens = [chat.encode_text(str(28 * multiple))[0] for multiple in range(LARGEST_MULTIPLE + 1)]
    table = own.model.get_input_embeddings().weight.detach()[tokens]
    alike = torch.nn.functional.cosine_similarity(table[:, None], table[None], dim=-1)
    near = torch.stack([alike[index, index + 1] for index in range(LARGEST_MULTIPLE)])
    far = torch.stack([alike[index, index + 10] for index in range(LARGEST_MULTIPLE - 9)])
    assert near.min() > far.max()


def test_verdicts_grades_and_coordinates_weigh_more_than_the_frame(student: Student) -> None:
    weights, chat = student.token_weights(), student.speaker.chat
    assert {float(weights[chat.encode_text(verdict.value)[0]]) for verdict in Verdict} == {VERDICT_WEIGHT}
    assert float(weights[chat.encode_text("112")[0]]) == COORDINATE_WEIGHT
    for grade in Grade:
        name = grade.name.lower()
        for text in (f'"{name} traces', f"Region 1 shows {name} traces"):
            assert any(float(weights[token]) == GRADE_WEIGHT for token in chat.encode_text(text))
    for token in (chat.encode_text("{")[0], chat.end_of_turn):
        assert float(weights[token]) == pytest.approx(FRAME_WEIGHT)


def test_a_coordinate_near_the_right_one_counts_for_something_and_a_word_only_for_itself(student: Student) -> None:
    targets, chat = student.token_targets(), student.speaker.chat
    at = [chat.encode_text(str(28 * multiple))[0] for multiple in range(LARGEST_MULTIPLE + 1)]
    right, near, far = (float(targets[at[4], at[other]]) for other in (4, 5, 7))
    assert right > near > 10 * far > 0
    assert float(targets[at[4], at[3]]) == pytest.approx(near)
    assert torch.allclose(targets.sum(1), torch.ones(len(targets)))
    word = chat.encode_text(Verdict.REAL.value)[0]
    assert float(targets[word, word]) == 1.0


def test_the_same_seed_gives_the_same_student(nano_folder: Path, student: Student) -> None:
    again = Student.untrained(nano_folder, 3)
    weights = zip(student.model.parameters(), again.model.parameters(), strict=True)
    assert all(torch.equal(one, other) for one, other in weights)
