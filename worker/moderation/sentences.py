"""Which sentence of an explanation speaks of which region: what links a text to its boxes."""

import re
from collections.abc import Collection
from dataclasses import dataclass

# A full stop ends a sentence only before a space: not in "0.98". Models write line breaks between sentences, too.
BREAK = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
CITATION = re.compile(r"\b(?:regions?|box(?:es)?|crops?)\s+#?(\d{1,3}(?:\s*(?:,|and|&|,\s*and)\s*#?\d{1,3})*)", re.IGNORECASE)
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """`positions` are the regions it names, in the order of naming."""

    text: str
    positions: tuple[int, ...] = ()


def sentences(text: str, known: Collection[int]) -> list[Sentence]:
    """The sentences of a text, each with those of the `known` regions that it names."""
    return [Sentence(part, _cited(part, known)) for part in BREAK.split(text.strip()) if part]


def _cited(sentence: str, known: Collection[int]) -> tuple[int, ...]:
    named = (int(number) for match in CITATION.finditer(sentence) for number in NUMBER.findall(match[1]))
    return tuple(dict.fromkeys(position for position in named if position in known))
