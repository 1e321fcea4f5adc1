"""Which way a sentence calls an image, real or generated: each verdict with the negations of its own clause."""

import re
from collections import Counter
from dataclasses import dataclass

from worker.moderation.translation.words import ENGLISH_ABSENCE, TurningWords

POINTS = re.compile("[\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")  # vowels and strokes that Hebrew and Arabic do without


@dataclass(frozen=True, slots=True)
class Stance:
    """What a sentence says of verdicts. A pole is a side, `real` or `fake`, after negation."""

    literals: tuple[tuple[str, bool], ...]  # the words real and generated, each with whether it is negated
    poles: Counter[str]  # of what else stands for a verdict
    asides: Counter[int]  # clauses without a verdict that negate, by how many verdicts stand before them
    negates: bool  # anywhere
    unclear: bool  # a negation in a clause with two verdicts: nobody knows whose it is


def stance(text: str, words: TurningWords, *, english: bool = False) -> Stance:
    """Of a sentence whose other facts are taken out."""
    literals: list[tuple[str, bool]] = []
    poles: Counter[str] = Counter()
    asides: Counter[int] = Counter()
    negates = unclear = False
    for clause in words.boundary.split(POINTS.sub("", text)):
        found = list(words.verdict.finditer(clause))
        negated = bool(words.negation.search(clause))
        negates |= negated
        unclear |= negated and len(found) > 1
        if not found and (negated or (english and ENGLISH_ABSENCE.search(clause))):
            asides[len(literals) + poles.total()] += 1
        for match in found:
            if match["literal"]:
                literals.append((match["literal"].lower(), negated))
            else:
                poles["real" if bool(match["real"]) != negated else "fake"] += 1
    return Stance(tuple(literals), poles, asides, negates, unclear)
