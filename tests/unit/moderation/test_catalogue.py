"""nano's catalogues: everything it can say is in each, and the messages are those that it writes."""

import json
from collections.abc import Iterator

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.translation.catalogue import LOCALES, catalogue_languages, catalogue_of, in_catalogue, translate
from worker.moderation.translation.languages import Language, find_language
from worker.moderation.translation.messages import MESSAGES
from worker.moderation.translation.passages import Field, Passage
from worker.moderation.translation.verification import verify
from worker.translation.detection import judge_language
from worker.vision.nano.wording import Grade, scan_reply, zoom_reply

TAGS = [language.tag for language in catalogue_languages()]
BOX = Box(0, 0, 28, 28)


def sayings() -> Iterator[str]:
    """Every text that nano's language has, by its own writer."""
    for grade in Grade:
        scan = json.loads(scan_reply([(BOX, grade)], Verdict.REAL))
        yield from (scan["explanation"], scan["regions"][0]["reason"])
        for regions in ([], [grade], [Grade.NO, Grade.NO, grade]):
            zoom = json.loads(zoom_reply(regions, Verdict.REAL))
            yield zoom["explanation"]
            yield from (finding["finding"] for finding in zoom["findings"])


def po(tag: str) -> Catalog:
    with (LOCALES / tag.replace("-", "_") / "LC_MESSAGES" / "nano.po").open("rb") as file:
        return read_po(file, locale=tag.replace("-", "_"))


def test_there_are_enough_languages_and_some_read_from_right_to_left() -> None:
    assert len(TAGS) >= 8
    assert [language.tag for language in catalogue_languages() if language.direction == "rtl"] == ["ar", "he"]


def test_the_messages_are_what_nano_writes_no_more_and_no_less() -> None:
    said = {text.replace("Region 1 ", "Region %(number)s ").replace("Region 3 ", "Region %(number)s ") for text in sayings()}
    assert said == set(MESSAGES)


@pytest.mark.parametrize("tag", TAGS)
def test_each_catalogue_is_complete_and_up_to_date(tag: str) -> None:
    extracted = {message for _, _, message, _, _ in extract_from_dir(str(LOCALES / ".."), keywords={"N_": None}, options_map={})}
    assert extracted == set(MESSAGES)
    catalogue = po(tag)
    assert {message.id for message in catalogue if message.id} == extracted, "run `make catalogue`, then translate what is new"
    assert [message.id for message in catalogue if message.id and (message.fuzzy or not message.string)] == []
    assert not catalogue.obsolete
    assert [str(error) for message in catalogue for error in message.check(catalogue)] == []  # the same placeholders


@pytest.mark.parametrize("tag", TAGS)
def test_a_catalogue_passes_what_machines_must_pass(tag: str) -> None:
    language = find_language(tag)
    said = [Passage(Field.FINDING, 1, text) for text in dict.fromkeys(sayings())]
    translated = [passage.text for passage in translate(said, language)]
    for before, after in zip(said, translated, strict=True):
        assert verify(before.text, after, language) == ()
    assert judge_language(translated, language).problems == ()


def test_a_language_without_a_catalogue_is_served_by_its_kin_in_the_same_letters() -> None:
    def tag_of(tag: str) -> str | None:
        found: Language | None = catalogue_of(find_language(tag))
        return found.tag if found else None

    assert (tag_of("pt-BR"), tag_of("de-AT"), tag_of("zh"), tag_of("zh-Hant"), tag_of("ko")) == ("pt", "de", "zh-Hans", None, None)


def test_what_nano_does_not_say_is_not_in_the_catalogue() -> None:
    passage = Passage(Field.EXPLANATION, None, "Region 1000 shows strong traces of redrawing.")
    assert not in_catalogue([passage])
    assert not in_catalogue([])
    with pytest.raises(RejectedError, match="does not have the explanation") as refused:
        translate([passage], find_language("de"))
    assert refused.value.code == "text_not_in_catalogue"
    with pytest.raises(RejectedError) as refused:
        translate([passage], find_language("ko"))
    assert refused.value.code == "catalogue_missing"
