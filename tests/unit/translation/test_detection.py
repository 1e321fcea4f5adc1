"""The language test: right languages pass, wrong ones and English do not, and kin are not told apart."""

import pytest

from tests.unit.translation.phrasebook import BLEND, HAND, LANGUAGES, LIGHT, NOTES, SIGN, TRANSLATIONS
from worker.moderation.errors import RejectedError
from worker.moderation.translation.languages import find_language
from worker.translation.detection import check_known, judge_language

ENGLISH = [LIGHT, SIGN, "The edges blend into the background.", HAND]


def said(language: str) -> list[str]:
    return [TRANSLATIONS[language][sentence].replace("{}", " ") for sentence in (LIGHT, SIGN, BLEND, HAND)]


@pytest.mark.parametrize("tag", LANGUAGES)
def test_each_language_is_told_from_all_others_and_from_english(tag: str) -> None:
    language = find_language(tag)
    assert judge_language(said(tag), language).problems == ()
    for other in (*LANGUAGES, "en"):
        wrong = ENGLISH if other == "en" else said(other)
        if other != tag:
            assert [problem.code for problem in judge_language(wrong, language).problems] == ["wrong_language"], other


@pytest.mark.parametrize("tag", LANGUAGES)
def test_one_sentence_left_in_english_is_found_among_the_others(tag: str) -> None:
    assert judge_language([*said(tag), LIGHT], find_language(tag)).problems != ()


def test_short_notes_pass_in_their_language_and_are_not_mistaken_for_another() -> None:
    for tag in LANGUAGES:
        for note in NOTES:
            assert judge_language([TRANSLATIONS[tag][note]], find_language(tag)).problems == (), (tag, note)


def test_a_few_letters_are_not_judged() -> None:
    assert judge_language(["Hand"], find_language("de")).language is None


def test_kin_of_a_language_is_no_wrong_language() -> None:
    danish = ["Lyset på ansigtet passer ikke til skyggen.", "Bogstaverne på skiltet er ikke læselige."]
    assert judge_language(danish, find_language("nb")).problems == ()
    assert judge_language(danish, find_language("sv")).problems != ()


def test_a_language_that_cannot_be_told_is_refused() -> None:
    check_known(find_language("nb"))
    with pytest.raises(RejectedError) as refused:
        check_known(find_language("gsw"))
    assert refused.value.code == "language_unsupported"
