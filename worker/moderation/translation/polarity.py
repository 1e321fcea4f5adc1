"""Which way a sentence calls an image, real or generated: each verdict with the negations of its clause, and what is written onto it."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from worker.moderation.translation.words import ENGLISH_ABSENCE, INSIDE, VERDICT, TurningWords

# Vowels and strokes that Hebrew and Arabic do without; not Hebrew's hyphen, which stands among them.
POINTS = re.compile("[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
TWICE = 2  # negations, of which one takes the other back; more are no clearer
JOINTS = "-‐‑‒–−־'’‘ʼ\"“”„«»‹›·・/+&"  # what may stand between a word and what is written onto it
ONTO = f"(?:{INSIDE}|[{JOINTS}])"
ONTO_BEFORE, ONTO_BEHIND = re.compile(f"{ONTO}+$"), re.compile(f"{ONTO}+")


@dataclass(frozen=True, slots=True)
class Stance:
    """What a sentence says of verdicts. A pole is a side, `real` or `fake`, after negation."""

    literals: tuple[tuple[str, int], ...]  # the words real and generated, each with how often it is negated, TWICE at most
    poles: Counter[str]  # of what else stands for a verdict
    asides: Counter[int]  # clauses without a verdict that negate, by how many verdicts stand before them
    negates: bool  # anywhere
    unclear: bool  # a negation in a clause with two verdicts: nobody knows whose it is

    @property
    def names_verdict(self) -> bool:
        """Whether it says anything of them."""
        return bool(self.literals or self.poles)


@dataclass(frozen=True, slots=True)
class Onto:
    """What is written onto a verdict without a space, before it or behind it."""

    before: bool
    text: str  # in small letters


def stance(text: str, words: TurningWords, *, english: bool = False) -> Stance:
    """Of a sentence whose other facts are taken out."""
    literals: list[tuple[str, int]] = []
    poles: Counter[str] = Counter()
    asides: Counter[int] = Counter()
    negates = unclear = False
    for clause in words.boundary.split(POINTS.sub("", text)):
        found = list(words.verdict.finditer(clause))
        times = _negations(words.verdict.sub(VERDICT, clause), words)
        negates |= times > 0
        unclear |= times > 0 and len(found) > 1
        if not found and (times or (english and ENGLISH_ABSENCE.search(clause))):
            asides[len(literals) + poles.total()] += 1
        for match in found:
            if match["literal"]:
                literals.append((match["literal"].lower(), times))
            else:
                poles["real" if bool(match["real"]) != (times == 1) else "fake"] += 1
    return Stance(tuple(literals), poles, asides, negates, unclear)


def written_onto(text: str, words: TurningWords) -> list[Onto]:
    """All that is written onto verdicts. Of other words than real and generated, endings are their own."""
    bare = POINTS.sub("", text)
    found: list[Onto] = []
    for match in words.verdict.finditer(bare):
        around = [(True, ONTO_BEFORE.search(bare[: match.start()]))]
        if match["literal"]:
            around.append((False, ONTO_BEHIND.match(bare, match.end())))
        found += [Onto(before, onto[0].lower()) for before, onto in around if onto and any(sign.isalpha() for sign in onto[0])]
    return found


def strange_to(language: TurningWords, onto: list[Onto], in_original: list[Onto]) -> Iterator[Onto]:
    """What neither the language's grammar nor the original writes onto a verdict: a negation may hide in it."""
    if language.before is None:
        return
    by_machine = any(one.before and one.text.startswith("ai") for one in in_original)
    for one in onto:
        usual = (language.before if one.before else language.behind).fullmatch(one.text)
        if one not in in_original and (not usual or (one.before and usual["machine"] and not by_machine)):
            yield one


def _negations(clause: str, words: TurningWords) -> int:
    """How often a clause negates; where a language says one negation in several words, these count once."""
    found = len(words.negation.findall(clause))
    return min(max(len(words.plain.findall(clause)), 1), TWICE) if found else 0
