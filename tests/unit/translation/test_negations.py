"""A negation that is added anywhere in a sentence which is otherwise translated well, word by word, in every language."""

import re
from collections.abc import Iterator

import pytest

from tests.unit.translation.adversary import NOT_IN
from tests.unit.translation.phrasebook import LANGUAGES, SENTENCES, TRANSLATIONS
from worker.moderation.translation.languages import find_language
from worker.moderation.translation.verification import verify

FILLED = {"{N}": "7", "{R}": "2", "{B}": "[10, 20, 30, 40]", "{V}": "generated", "{G}": "generated", "{L}": "www.example.com", "{M}": "<b>"}
SLOT = re.compile(r"\{[A-Z]\}")
ODD = {"The lighting on the face does not match the shadow.", "The letters on the sign are not readable."}  # they negate, and no verdict
UNNATURAL = "About {N} of the skin is unnaturally smooth."
PLACES = {
    "ja": re.compile(r"(?<=[はがにのをと、])(?!は)"),
    "zh-Hans": re.compile(r"(?<=[，的是上看])|(?<=示)(?!自然)"),
}  # where a word may end
BETWEEN_WORDS = re.compile(r"(?<=\s)(?=\S)|^")


def negated(said: str, language: str) -> Iterator[str]:
    """The sentence with a negation in each place that one may stand in."""
    gap = "" if language in PLACES else " "
    for place in PLACES.get(language, BETWEEN_WORDS).finditer(said):
        yield said[: place.start()] + NOT_IN[language] + gap + said[place.start() :]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_negation_that_is_added_is_refused_wherever_it_stands(language: str) -> None:
    told = find_language(language)
    tried = 0
    for template in SENTENCES:
        if template in ODD or template == UNNATURAL:
            continue
        values = [FILLED[slot] for slot in SLOT.findall(template)]
        english = SLOT.sub(lambda slot: FILLED[slot[0]], template)
        honest = TRANSLATIONS[language][template].format(*values)
        assert verify(english, honest, told) == ()
        for altered in negated(honest, language):
            assert verify(english, altered, told), altered
            tried += 1
    assert tried > 20
