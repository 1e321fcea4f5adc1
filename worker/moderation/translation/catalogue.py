"""nano's texts in other languages, from gettext catalogues, translated once: nothing is asked, and nothing can be corrupted.

The `.po` files are read as they are: a compiled copy beside them could be older than they are.
"""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files

from babel.messages.pofile import read_po

from worker.moderation.errors import RejectedError
from worker.moderation.translation.languages import Language, find_language
from worker.moderation.translation.messages import MESSAGES
from worker.moderation.translation.passages import Passage

LOCALES = files("worker.moderation.translation") / "locale"
NUMBER = "%(number)s"
SOURCE_NAME = "catalogue"  # what a translation from here says of where it is from


@cache
def catalogue_languages() -> tuple[Language, ...]:
    """The languages that have a catalogue, by tag."""
    tags = sorted(folder.name.replace("_", "-") for folder in LOCALES.iterdir() if folder.is_dir())
    return tuple(find_language(tag) for tag in tags)


def catalogue_of(wanted: Language) -> Language | None:
    """The catalogue that serves a language: its own, or that of the same language in the same letters, `pt` for `pt-BR`."""
    same = [each for each in catalogue_languages() if (each.primary, each.script) == (wanted.primary, wanted.script)]
    return next((each for each in same if each.tag == wanted.tag), same[0] if same else None)


def in_catalogue(passages: Sequence[Passage]) -> bool:
    """Whether the catalogue has every text: then nano, or somebody who speaks as it does, said them."""
    return bool(passages) and all(_message(passage.text) for passage in passages)


def translate(passages: Sequence[Passage], language: Language) -> tuple[Passage, ...]:
    """The passages in the language. Raises RejectedError: catalogue_missing, text_not_in_catalogue."""
    chosen = catalogue_of(language)
    if chosen is None:
        raise RejectedError("catalogue_missing", f"There is no catalogue in {language.name}.")
    messages, translated = _messages(chosen.tag), []
    for passage in passages:
        found = _message(passage.text)
        if found is None:
            raise RejectedError("text_not_in_catalogue", f"The catalogue does not have the {passage.place}.")
        message, numbers = found
        translated.append(Passage(passage.field, passage.position, messages[message] % numbers))
    return tuple(translated)


@cache
def _messages(tag: str) -> Mapping[str, str]:
    with (LOCALES / tag.replace("-", "_") / "LC_MESSAGES" / "nano.po").open("rb") as file:
        catalogue = read_po(file, locale=tag.replace("-", "_"))
    return {str(message.id): str(message.string) for message in catalogue if message.id and message.string and not message.fuzzy}


def _message(text: str) -> tuple[str, dict[str, str]] | None:
    """The message that a text is, and its numbers."""
    for message, pattern in _patterns():
        if match := pattern.fullmatch(text):
            return message, match.groupdict()
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (message, re.compile(re.escape(message).replace(re.escape(NUMBER), r"(?P<number>[1-9]\d{0,2})", 1))) for message in MESSAGES
    )
