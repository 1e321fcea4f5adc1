"""A statement of reasons as the page shows it: its facts sentence by sentence, and a draft's fields with what is wrong at each."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from worker.moderation.dsa_vocabulary import LANGUAGES, Category, ContentType, Country, Ground, SourceType, Visibility, YesNo
from worker.moderation.sentences import Sentence, sentences
from worker.moderation.statement_of_reasons import MOST_FACTS, Violation
from worker.moderation.text import clean
from worker.store.models import DecisionRow, StatementRow
from worker.store.statements_of_reasons import WaitsFor

LONG, SHORT = 2_000, 500  # characters, as the transparency database has them
PREFIXES = ("DECISION_VISIBILITY_", "DECISION_GROUND_", "CONTENT_TYPE_", "SOURCE_TYPE_", "SOURCE_", "STATEMENT_CATEGORY_")
ILLEGAL = ("decision_ground", (Ground.DECISION_GROUND_ILLEGAL_CONTENT.value,))
INCOMPATIBLE = ("decision_ground", (Ground.DECISION_GROUND_INCOMPATIBLE_CONTENT.value,))
OTHERWISE_VISIBLE = ("decision_visibility", (Visibility.DECISION_VISIBILITY_OTHER.value,))
OTHER_CONTENT = ("content_type", (ContentType.CONTENT_TYPE_OTHER.value,))
NOTICED = ("source_type", (SourceType.SOURCE_TRUSTED_FLAGGER.value, SourceType.SOURCE_TYPE_OTHER_NOTIFICATION.value))


class Control(StrEnum):
    """How a field is filled in."""

    CHOICE = "choice"
    CHOICES = "choices"
    LINE = "line"
    TEXT = "text"
    DAY = "day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of the payload, of `most` characters. With `beside` it is asked for only when that other field says one of these."""

    name: str
    label: str
    control: Control
    options: Mapping[str, str] | None = None
    beside: tuple[str, tuple[str, ...]] | None = None
    most: int = SHORT


@dataclass(frozen=True, slots=True)
class FilledField:
    """A field of a draft: what it says, and what is wrong with that."""

    field: Field
    value: str | Sequence[str]
    problems: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """A statement. `facts` cite regions of the decided outcome; `elsewhere` are problems of fields that the page has no place for."""

    row: StatementRow
    decision: DecisionRow
    facts: Sequence[Sentence]
    fields: Sequence[FilledField]
    elsewhere: Sequence[Violation]
    broken: int
    waits_for: WaitsFor | None


def _named(words: type[StrEnum]) -> dict[str, str]:
    return {word.value: _plain(word.value) for word in words}


def _plain(word: str) -> str:
    prefix = next((prefix for prefix in PREFIXES if word.startswith(prefix)), "")
    return word.removeprefix(prefix).replace("_", " ").capitalize()


FIELDS = (
    Field(name="decision_facts", label="Facts, one sentence a line", control=Control.TEXT, most=MOST_FACTS),
    Field(name="decision_visibility", label="What is done to the image", control=Control.CHOICES, options=_named(Visibility)),
    Field(name="decision_visibility_other", label="Another restriction, in words", control=Control.LINE, beside=OTHERWISE_VISIBLE),
    Field(name="decision_ground", label="Ground", control=Control.CHOICE, options=_named(Ground)),
    Field(name="incompatible_content_ground", label="Clause of the terms", control=Control.LINE, beside=INCOMPATIBLE),
    Field(name="incompatible_content_explanation", label="Why it breaks them", control=Control.TEXT, beside=INCOMPATIBLE, most=LONG),
    Field(name="incompatible_content_illegal", label="Illegal as well", control=Control.CHOICE, options=_named(YesNo), beside=INCOMPATIBLE),
    Field(name="illegal_content_legal_ground", label="Law", control=Control.LINE, beside=ILLEGAL),
    Field(name="illegal_content_explanation", label="Why it breaks the law", control=Control.TEXT, beside=ILLEGAL, most=LONG),
    Field(name="decision_ground_reference_url", label="Address of the terms or the law", control=Control.LINE),
    Field(name="category", label="Category", control=Control.CHOICE, options=_named(Category)),
    Field(name="content_type", label="Content", control=Control.CHOICES, options=_named(ContentType)),
    Field(name="content_type_other", label="Other content, in words", control=Control.LINE, beside=OTHER_CONTENT),
    Field(name="content_language", label="Language", control=Control.CHOICE, options={code: code for code in sorted(LANGUAGES)}),
    Field(name="content_date", label="Posted on", control=Control.DAY),
    Field(name="application_date", label="Applies from", control=Control.DAY),
    Field(name="end_date_visibility_restriction", label="Applies until, if it ends", control=Control.DAY),
    Field(name="territorial_scope", label="Where it applies", control=Control.CHOICES, options={str(code): str(code) for code in Country}),
    Field(name="source_type", label="How you came upon it", control=Control.CHOICE, options=_named(SourceType)),
    Field(name="source_identity", label="Who told you", control=Control.LINE, beside=NOTICED),
)


def view_statement(
    row: StatementRow, decision: DecisionRow, known: Collection[int], broken: Sequence[Violation], waits_for: WaitsFor | None
) -> StatementView:
    """The view of a statement; `known` are the decided outcome's regions, `broken` the rules that a draft breaks."""
    names = {field.name for field in FIELDS}
    return StatementView(
        row=row,
        decision=decision,
        facts=[_fact(line, known) for line in str(row.payload.get("decision_facts", "")).splitlines() if line.strip()],
        fields=[_filled(field, row.payload, broken) for field in FIELDS],
        elsewhere=[violation for violation in broken if violation.field not in names],
        broken=len(broken),
        waits_for=waits_for,
    )


def _fact(line: str, known: Collection[int]) -> Sentence:
    cited = dict.fromkeys(position for sentence in sentences(line, known) for position in sentence.positions)
    return Sentence(line, tuple(cited))


def _filled(field: Field, payload: Mapping[str, Any], broken: Sequence[Violation]) -> FilledField:
    value = payload.get(field.name, [] if field.control is Control.CHOICES else "")
    if isinstance(value, str):
        value = "\n".join(map(clean, value.splitlines()))
    return FilledField(field, value, [violation.message for violation in broken if violation.field == field.name])
