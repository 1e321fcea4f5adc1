"""What `search.html` shows: pure, made from a filter and what it found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlencode

from worker.moderation.identifiers import item_id
from worker.moderation.search import Filter
from worker.store.search_results import Found

PATH = "/review/search"
PICTURES = "pictures"
LABELS: Mapping[str, str] = MappingProxyType(
    {
        "words": "Words",
        "batch": "Batch",
        "verdict": "The model said",
        "decided": "Decided",
        "route": "The policy",
        "score_from": "Score from",
        "score_to": "Score to",
        "seen_half_to": "Seen closely, at most",
        "degradation": "The image is",
        "reviewer": "Answered by",
        "release": "Release",
        "day_from": "Judged from",
        "day_to": "Judged to",
    }
)


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that is asked for, and where one looks without asking for it."""

    label: str
    value: str
    without: str


@dataclass(frozen=True, slots=True)
class FoundView:
    """An image that was found, and where its links lead."""

    found: Found
    item_id: str
    picture: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchView:
    """A search as it was asked for. `typed` is what the form's fields say, also where it is no filter; `error` is why, then."""

    typed: Mapping[str, str]
    pictures: bool
    wanted: Filter | None = None
    found: Sequence[FoundView] = ()
    following: str | None = None  # the cursor of the next page
    continued: bool = False  # whether this is a later page
    error: str | None = None

    @property
    def parts(self) -> list[Part]:
        """What is asked for, in the order of the form."""
        wanted = self.wanted or Filter()
        return [Part(LABELS[name], value, self.href(wanted.without(name))) for name, value in wanted.parts().items()]

    @property
    def query(self) -> str:
        """The canonical filter."""
        return self.wanted.query() if self.wanted else ""

    def href(self, wanted: Filter | None = None, cursor: str | None = None) -> str:
        """Where a filter's results are, by default this one's."""
        asked = (wanted or self.wanted or Filter()).parts()
        more = {**({PICTURES: "yes"} if self.pictures else {}), **({"cursor": cursor} if cursor else {})}
        return f"{PATH}?{urlencode({**asked, **more})}"

    def narrowed(self, name: str, value: Any) -> str:
        """Where one finds what fits that, too."""
        return self.href(replace(self.wanted or Filter(), **{name: value}))


def view_found(found: Found) -> FoundView:
    """The view of what was found."""
    place = item_id(found.batch_id, found.ordinal)
    return FoundView(found, place, f"/v1/items/{place}/image?revision={found.revision}" if found.pictured else None)


def in_words(message: str) -> str:
    """What is wrong with a filter, with the form's label instead of the field's name."""
    name, colon, why = message.partition(": ")
    return f"{LABELS[name]}{colon}{why}" if name in LABELS else message
