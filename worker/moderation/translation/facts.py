"""What a translation must keep as it is: numbers, boxes, region references, verdict words, links, markup; found by the same rules in both.

Numbers are digits of any script and what belongs to them: a sign, a fraction, a percent sign. English number words from two to ninety-nine
are numbers, too, and are carried over as digits. Ordinals, `one`, and whatever is above cannot be told from other words by rule.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from worker.moderation.sentences import CITATION

MARK_OPEN, MARK_CLOSE = "⟦", "⟧"  # around what stands for a fact while others translate; nobody's prose has them
UNITS = ["two", "three", "four", "five", "six", "seven", "eight", "nine"]
TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
SPOKEN = {
    **{word: number for number, word in enumerate([*UNITS, *TEENS], start=2)},
    **{word: 10 * number for number, word in enumerate(TENS, start=2)},
}
COMPOUND = {
    f"{ten}{unit}": 10 * tens + units for tens, ten in enumerate(TENS, start=2) for units, unit in enumerate(["one", *UNITS], start=1)
}
DIGITS = r"\d+(?:[.,:/×xX*·٫٬'’-]\d+)*"
# A hyphen behind a letter joins (Hebrew writes its `and` so); behind signs that stand for words, as in Japanese, it is a minus.
NUMBER = rf"(?:(?<![A-Za-z0-9\u00c0-\u1fff)\]{MARK_CLOSE}])[+\-−±])?{DIGITS}(?:\s?[%٪‰°])?"
PATTERNS = {
    "link": (
        r"(?:(?:https?|ftp)://|www\.)[!-~]*[A-Za-z0-9/=#]|[A-Za-z0-9.+-]+@[A-Za-z0-9-]+\.[A-Za-z]+"
        r"|(?<![A-Za-z0-9])[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?![A-Za-z0-9])"
    ),
    "box": r"[\[(]\s*-?\d+(?:\.\d+)?(?:\s*,\s*-?\d+(?:\.\d+)?){1,3}\s*[\])]",
    "markup": rf"</?[A-Za-z!][^<>]*>|<\|[^|<>]*\|>|&#?\w{{1,32}};|[<>{{}}\[\]|`*_#~^\\=$@{MARK_OPEN}{MARK_CLOSE}]+",
    "percent": rf"{DIGITS}\s+per\s?cent\b",
    "number": rf"{NUMBER}|(?<![A-Za-z])[IVXLC]{{2,}}(?![A-Za-z])",
    "spoken": rf"\b(?:(?:{'|'.join(TENS)})(?:[ -](?:one|{'|'.join(UNITS)}))?|{'|'.join([*TEENS, *UNITS])})\b",
    "verdict": r"(?<![A-Za-z])(?:real|generated)(?![A-Za-z])",
}
ENGLISH_ONLY = ("percent", "spoken")


class Kind(StrEnum):
    """What a fact is."""

    NUMBER = "number"
    REGION = "region"  # the number of a region that a sentence refers to
    BOX = "box"
    VERDICT = "verdict"
    LINK = "link"
    MARKUP = "markup"


NUMERIC = frozenset({Kind.NUMBER, Kind.REGION, Kind.BOX})


@dataclass(frozen=True, slots=True)
class Fact:
    """A part of a text that stays. `value` is what must be the same; characters [start, end) of the text."""

    kind: Kind
    value: str
    start: int
    end: int


def find_facts(text: str, *, english: bool = False) -> tuple[Fact, ...]:
    """The facts of a text in their order. Of an `english` one, number words count, and which numbers refer to regions is known."""
    references = [match.span(1) for match in CITATION.finditer(text)] if english else []
    facts = [_fact(match, references) for match in _pattern(english=english).finditer(text)]
    return tuple(sorted((*facts, *_strays(text, facts)), key=lambda fact: fact.start))


def without_facts(text: str, facts: tuple[Fact, ...], filler: str = " ") -> str:
    """The prose around the facts, each of which is a `filler`."""
    parts, end = [], 0
    for fact in facts:
        parts.append(text[end : fact.start])
        end = fact.end
    return filler.join([*parts, text[end:]])


@cache
def _pattern(*, english: bool) -> re.Pattern[str]:
    names = [name for name in PATTERNS if english or name not in ENGLISH_ONLY]
    return re.compile("|".join(f"(?P<{name}>{_cased(name)})" for name in names))


def _cased(name: str) -> str:
    return f"(?i:{PATTERNS[name]})" if name in {"percent", "spoken", "verdict"} else PATTERNS[name]


def _fact(match: re.Match[str], references: list[tuple[int, int]]) -> Fact:
    said = match[0]
    match match.lastgroup:
        case "spoken":
            return Fact(Kind.NUMBER, str(_spoken(said)), *match.span())
        case "percent":
            return Fact(Kind.NUMBER, said.split()[0] + "%", *match.span())
        case "number":
            refers = any(start <= match.start() and match.end() <= end for start, end in references)
            return Fact(Kind.REGION if refers else Kind.NUMBER, _plain_number(said), *match.span())
        case "box":
            return Fact(Kind.BOX, re.sub(r"\s+", "", said), *match.span())
        case "verdict":
            return Fact(Kind.VERDICT, said.lower(), *match.span())
        case name:
            return Fact(Kind(str(name)), said, *match.span())


def _spoken(said: str) -> int:
    words = re.sub(r"[^a-z]", "", said.lower())
    return SPOKEN.get(words) or COMPOUND[words]


def _plain_number(said: str) -> str:
    return re.sub(r"\s", "", said).replace("−", "-")


def _strays(text: str, facts: list[Fact]) -> Iterator[Fact]:
    """Signs that are numbers to Unicode and to no pattern: ², ½, Ⅳ, ③."""
    for place, sign in enumerate(text):
        if unicodedata.category(sign) in {"Nd", "Nl", "No"} and not any(fact.start <= place < fact.end for fact in facts):
            yield Fact(Kind.NUMBER, sign, place, place + 1)
