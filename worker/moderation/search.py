"""What is searched for: a filter is a frozen value, and its address is the query string of a page, of the API and of what people save."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

from worker.moderation.degradation import DegradationBand
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Route
from worker.moderation.text import clean

MOST_WORDS = 200  # characters of words
LONGEST_QUERY = 2_000  # characters of an address
SCORE = re.compile(r"0(\.[0-9]{1,6})?|1(\.0{1,6})?")
DAY = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}")
NAME = re.compile(r"[^\x00-\x20\x7f]{1,200}")  # of actors and releases


class Decided(StrEnum):
    """What was decided of an image, or that nothing was."""

    REAL = "real"
    GENERATED = "generated"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which images, by their newest outcome; what is not set asks for nothing. Fields are the names in addresses, in their order.

    `words` are as web searches take them: "a phrase", -not, or. Days are UTC's, both included. `reviewer` finds what they answered.
    `seen_half_to`: at most this share of the image's area was seen at half resolution or more; 0 finds what was never looked at closely.
    """

    words: str = ""
    batch: UUID | None = None
    verdict: Verdict | None = None
    decided: Decided | None = None
    route: Route | None = None
    score_from: float | None = None
    score_to: float | None = None
    seen_half_to: float | None = None
    degradation: DegradationBand | None = None
    reviewer: str | None = None
    release: str | None = None
    day_from: date | None = None
    day_to: date | None = None

    def __post_init__(self) -> None:
        """Raises RejectedError `filter_invalid` where nothing can fit."""
        if self.score_from is not None and self.score_to is not None and self.score_from > self.score_to:
            raise _invalid("score_from", "it is above score_to")
        if self.day_from is not None and self.day_to is not None and self.day_from > self.day_to:
            raise _invalid("day_from", "it is after day_to")

    def parts(self) -> dict[str, str]:
        """What is set, by name, as texts."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: _written(value) for name, value in values.items() if value not in (None, "")}

    def query(self) -> str:
        """The canonical address: equal filters have equal ones. Empty when nothing is set."""
        return urlencode(self.parts())

    def without(self, name: str) -> "Filter":
        """The same, but asking for nothing by that name."""
        nothing: dict[str, Any] = {name: "" if name == "words" else None}
        return replace(self, **nothing)


def parse_filter(query: str) -> Filter:
    """The filter of an address. Empty values are as none: forms send them. Raises RejectedError `filter_invalid`."""
    if len(query) > LONGEST_QUERY:
        raise RejectedError("filter_invalid", f"A filter has {LONGEST_QUERY} characters at most.")
    return read_filter(parse_qsl(query, keep_blank_values=True))


def read_filter(pairs: Iterable[tuple[str, str]]) -> Filter:
    """The filter of names and values. Raises RejectedError `filter_invalid`, which says what is wrong with which."""
    read: dict[str, Any] = {}
    for name, value in pairs:
        if name not in READERS:
            raise _invalid(clean(name, 50), "there is no such filter")
        if name in read:
            raise _invalid(name, "it is there twice")
        if text := clean(value):
            read[name] = READERS[name](name, text)
    return Filter(**read)


def _words(name: str, text: str) -> str:
    if len(text) > MOST_WORDS:
        raise _invalid(name, f"{MOST_WORDS} characters at most")
    return text


def _batch(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise _invalid(name, "it must be a batch's id") from None


def _one_of(kinds: type[StrEnum]) -> Callable[[str, str], StrEnum]:
    def read(name: str, text: str) -> StrEnum:
        try:
            return kinds(text)
        except ValueError:
            raise _invalid(name, f"it must be one of {', '.join(kinds)}") from None

    return read


def _score(name: str, text: str) -> float:
    if not SCORE.fullmatch(text):
        raise _invalid(name, "it must be a number from 0 to 1, such as 0.85")
    return float(text)


def _name(name: str, text: str) -> str:
    if not NAME.fullmatch(text):
        raise _invalid(name, "it must be one word of 200 characters at most")
    return text


def _day(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text if DAY.fullmatch(text) else "")
    except ValueError:
        raise _invalid(name, "it must be a day, such as 2026-11-25") from None


READERS: Mapping[str, Callable[[str, str], Any]] = MappingProxyType(
    {
        "words": _words,
        "batch": _batch,
        "verdict": _one_of(Verdict),
        "decided": _one_of(Decided),
        "route": _one_of(Route),
        "score_from": _score,
        "score_to": _score,
        "seen_half_to": _score,
        "degradation": _one_of(DegradationBand),
        "reviewer": _name,
        "release": _name,
        "day_from": _day,
        "day_to": _day,
    }
)


def _written(value: Any) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _invalid(name: str, why: str) -> RejectedError:
    return RejectedError("filter_invalid", f"{name}: {why}.")
