"""Translations as pages show them: each language spelt right, and what was kept set apart from its direction."""

from uuid import UUID

from api.review_page.translation_view import Part, view_translations
from api.translating import InLanguage, Overview
from worker.moderation.translation.languages import find_language
from worker.moderation.translation.passages import Field, Passage
from worker.store.models import TranslationRow


def shown(tag: str, english: str, text: str) -> list[Part]:
    row = TranslationRow(batch_id=UUID(int=1), ordinal=0, revision=1, language=tag, machine=True, verified={"facts": {}})
    original = [Passage(Field.FINDING, 1, english)]
    there = InLanguage(row=row, language=find_language(tag), original=original, passages=[Passage(Field.FINDING, 1, text)])
    (view,), _ = view_translations(Overview(revision=1, original=original, offered=[], translations=[there], jobs=[]))
    return list(view.pairs[0].translated)


def test_persian_keeps_the_joiners_that_it_is_spelt_with() -> None:
    assert shown("fa", "It becomes smooth.", "این صاف می\u200cشود.") == [Part("این صاف می\u200cشود.")]


def test_numbers_and_boxes_are_set_apart_in_text_from_right_to_left() -> None:
    assert shown("he", "Region 2 at [1, 2, 3, 4] is odd.", "אזור 2 בתוך [1, 2, 3, 4] מוזר.") == [
        Part("אזור "),
        Part("2", fact=True),
        Part(" בתוך "),
        Part("[1, 2, 3, 4]", fact=True),
        Part(" מוזר."),
    ]
