"""Translations as pages show them: the original beside each text, and what was kept set apart, so that no direction turns it round."""

from collections.abc import Sequence
from dataclasses import dataclass

from api.translating import InLanguage, Overview
from worker.moderation.explanation_jobs import JobState
from worker.moderation.text import clean
from worker.moderation.translation.facts import Kind, find_facts
from worker.moderation.translation.languages import Language
from worker.moderation.translation.passages import Field, Passage
from worker.store.models import ExplanationJobRow, TranslationRow

TITLES = {
    Field.EXPLANATION: "Explanation",
    Field.SCAN_EXPLANATION: "What the scan had said",
    Field.REASON: "Box {}, scan",
    Field.FINDING: "Box {}, zoom",
}
COUNTED = {
    Kind.NUMBER: ("number", "numbers"),
    Kind.REGION: ("region reference", "region references"),
    Kind.BOX: ("box", "boxes"),
    Kind.VERDICT: ("verdict word", "verdict words"),
    Kind.LINK: ("link", "links"),
    Kind.MARKUP: ("sign of markup", "signs of markup"),
}


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text. A `fact` is written from left to right in every language."""

    text: str
    fact: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A text and its translation."""

    title: str
    original: Sequence[Part]
    translated: Sequence[Part]


@dataclass(frozen=True, slots=True)
class TranslationView:
    """One language."""

    row: TranslationRow
    language: Language
    pairs: Sequence[Pair]

    @property
    def kept(self) -> str:
        """What was verified to be unchanged, in words."""
        counted = [f"{count} {COUNTED[Kind(kind)][count != 1]}" for kind, count in self.row.verified["facts"].items()]
        return ", ".join(counted) or "there was nothing to keep"


@dataclass(frozen=True, slots=True)
class LanguageOffer:
    """A language that can be chosen, and how far it is."""

    language: Language
    there: bool
    job: ExplanationJobRow | None

    @property
    def state(self) -> str:
        """There | made | failed | none: for the page's script."""
        if self.there:
            return "there"
        if self.job is None:
            return "none"
        return "failed" if self.job.state == JobState.FAILED else "made"


def view_translations(there: Overview) -> tuple[list[TranslationView], list[LanguageOffer]]:
    """The languages there are, and those that are offered."""
    kept = {each.row.language: each for each in there.translations}
    jobs = {row.key: row for row in there.jobs}
    offered = [LanguageOffer(language, language.tag in kept, jobs.get(language.tag)) for language in there.offered]
    shown = {offer.language.tag for offer in offered}
    no_longer = [LanguageOffer(each.language, there=True, job=None) for tag, each in kept.items() if tag not in shown]
    return [_view(each) for each in there.translations], [*offered, *no_longer]


def _view(there: InLanguage) -> TranslationView:
    pairs = [_pair(before, after) for before, after in zip(there.original, there.passages, strict=True)]
    return TranslationView(there.row, there.language, pairs)


def _pair(before: Passage, after: Passage) -> Pair:
    # A translation was refused for what `clean` takes out, but for the joiners that Persian and Hindi are spelt with: those stay.
    return Pair(TITLES[before.field].format(before.position), _parts(clean(before.text), english=True), _parts(after.text, english=False))


def _parts(shown: str, *, english: bool) -> list[Part]:
    parts, end = [], 0
    for fact in find_facts(shown, english=english):
        parts += [Part(shown[end : fact.start]), Part(shown[fact.start : fact.end], fact=True)]
        end = fact.end
    return [part for part in (*parts, Part(shown[end:])) if part.text]
