"""Excerpts of untrusted text with what was found in them marked by places, so that no markup has to be trusted."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from worker.moderation.text import HIDDEN_CATEGORIES

OPEN, CLOSE = "\x02", "\x03"  # around a match; a text that holds them loses them before it is marked, see `search_text` in the database,
JOINING = str.maketrans("\x04\x05\x06\x07\x0e", "</.@_")  # which also hides signs that join words from the parser


@dataclass(frozen=True, slots=True)
class Headline:
    """`text` is clean, on one line; matches are [start, end) in it, in characters (code points), in order and apart."""

    text: str
    matches: tuple[tuple[int, int], ...] = ()

    def pieces(self) -> list[tuple[str, bool]]:
        """The text cut up, each piece with whether it is a match."""
        cut: list[tuple[str, bool]] = []
        place = 0
        for start, end in self.matches:
            cut += [(self.text[place:start], False), (self.text[start:end], True)]
            place = end
        return [(piece, match) for piece, match in [*cut, (self.text[place:], False)] if piece]


def headline(marked: str, limit: int) -> Headline:
    """At most `limit` characters of a text whose matches stand between OPEN and CLOSE, cleaned like `worker.moderation.text.clean`."""
    shown: list[str] = []
    matches: list[tuple[int, int]] = []
    begun: int | None = None
    for character in marked.translate(JOINING):
        if character == OPEN:
            begun = len(shown)
        elif character == CLOSE:
            matches += [(begun, len(shown))] if begun is not None and begun < len(shown) else []
            begun = None
        elif character.isspace():
            shown += [" "] if shown and shown[-1] != " " else []
        elif unicodedata.category(character) not in HIDDEN_CATEGORIES:
            shown.append(character)
    return _window("".join(shown).rstrip(), matches, limit)


def _window(text: str, matches: Sequence[tuple[int, int]], limit: int) -> Headline:
    """What is shown of a longer text begins at a word some way before the first match."""
    begin = max(0, (matches[0][0] if matches else 0) - limit // 4) if len(text) > limit else 0
    begin = max(begin, text.find(" ", begin, matches[0][0]) + 1) if begin else 0
    head, tail = "…" if begin else "", "…" if len(text) - begin > limit - 1 else ""
    end = begin + limit - len(head) - len(tail) if tail else len(text)
    shift = len(head) - begin
    kept = [(start + shift, min(stop, end) + shift) for start, stop in matches if start < min(end, len(text))]
    return Headline(head + text[begin:end] + tail, tuple(kept))
