"""Facts become opaque marks before a text is translated, and come back after it. One sentence is one piece: nothing moves between them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.moderation.sentences import BREAK
from worker.moderation.translation.facts import MARK_CLOSE, MARK_OPEN, Kind, find_facts, without_facts
from worker.moderation.translation.languages import UNSPACED, Language
from worker.moderation.translation.passages import Passage, Problem

MARK = re.compile(rf"{MARK_OPEN}\s*([A-Z]\d+)\s*{MARK_CLOSE}")
LETTER = {Kind.NUMBER: "N", Kind.REGION: "R", Kind.BOX: "B", Kind.VERDICT: "V", Kind.LINK: "L", Kind.MARKUP: "M"}


@dataclass(frozen=True, slots=True)
class Piece:
    """One sentence of a passage. `marked` is what is sent; `marks` what each mark stands for. Without words, nothing is sent."""

    passage: int  # which one it is part of
    original: str
    marked: str
    marks: Mapping[str, str]

    @property
    def has_words(self) -> bool:
        """Whether there is anything to translate."""
        return any(sign.isalpha() for sign in MARK.sub(" ", self.marked))


def take_apart(passages: Sequence[Passage]) -> tuple[Piece, ...]:
    """The sentences of all passages in order. No two marks are alike, wherever they stand."""
    pieces: list[Piece] = []
    used = 0
    for number, passage in enumerate(passages):
        for sentence in BREAK.split(passage.text.strip()):
            if sentence:
                pieces.append(_piece(number, sentence, used))
                used += len(pieces[-1].marks)
    return tuple(pieces)


def restore(piece: Piece, translated: str) -> tuple[str, tuple[Problem, ...]]:
    """The translated sentence with its facts in place of the marks. A mark that is not this sentence's stays, and is a problem."""
    unknown = sorted({name for name in MARK.findall(translated) if name not in piece.marks})
    restored = MARK.sub(lambda match: piece.marks.get(match[1], match[0]), translated)
    problem = Problem("mark_unknown", f"It has {len(unknown)} mark(s) that stand for nothing in this sentence.")
    return restored, (problem,) if unknown else ()


def put_together(passages: Sequence[Passage], pieces: Sequence[Piece], sentences: Sequence[str], language: Language) -> tuple[Passage, ...]:
    """The passages with their sentences in the other language, in order."""
    space = "" if language.script in UNSPACED else " "
    said: dict[int, list[str]] = {}
    for piece, sentence in zip(pieces, sentences, strict=True):
        said.setdefault(piece.passage, []).append(sentence)
    return tuple(Passage(passage.field, passage.position, space.join(said.get(number, ()))) for number, passage in enumerate(passages))


def prose(text: str, *, english: bool = False) -> str:
    """A text without its facts."""
    return without_facts(text, find_facts(text, english=english))


def _piece(passage: int, sentence: str, used: int) -> Piece:
    marks: dict[str, str] = {}
    parts, end = [], 0
    for number, fact in enumerate(find_facts(sentence, english=True), start=used + 1):
        name = f"{LETTER[fact.kind]}{number}"
        # What others read as they like is kept as it was written: a verdict's capital, a box's spaces. Number words become digits.
        marks[name] = fact.value if fact.kind in {Kind.NUMBER, Kind.REGION} else sentence[fact.start : fact.end]
        parts += [sentence[end : fact.start], f"{MARK_OPEN}{name}{MARK_CLOSE}"]
        end = fact.end
    return Piece(passage, sentence, "".join([*parts, sentence[end:]]), marks)
