"""Statements of reasons (DSA, article 17) as the Commission's transparency database takes them. Pure values, and every rule in one place.

Source of the rules: documentation and validator of API v2 (schema of 1 July 2025) in github.com/digital-services-act/transparency-database,
commit 69e80a0 of 24 June 2026. Where the documentation asks for more than the validator checks (the territorial scope, end dates), and
where the validator would silently drop a field (an `…_other` that nothing asks for), we ask for it: what is published must be whole.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from worker.moderation.dsa_vocabulary import (
    LANGUAGES,
    Account,
    AccountType,
    AutomatedDecision,
    Category,
    ContentType,
    Country,
    Ground,
    Keyword,
    Monetary,
    Provision,
    SourceType,
    Visibility,
    YesNo,
)

FIRST_CONTENT, FIRST_APPLICATION, LAST_DAY = date(2000, 1, 1), date(2020, 1, 1), date(2038, 1, 1)
MOST_FACTS = 5_000  # characters
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)

# The obvious only: a person reads and signs what no pattern can tell.
EMAIL = re.compile(r"[^\s@<>()\"',;:]+@[^\s@<>()\"',;:]+\.[^\W\d_]{2,}")
PHONE = re.compile(r"(?<![\w+./-])(?:\+[1-9]|0(?!\.))(?:[ ()/.-]{0,2}\d){7,14}(?![\w-])", re.ASCII)


def _day(value: Any) -> date:
    """Only YYYY-MM-DD is a day: Pydantic would take seconds since 1970, too."""
    if isinstance(value, date):
        return value
    if isinstance(value, str) and DAY.fullmatch(value):
        return date.fromisoformat(value)
    raise ValueError("must be a day, as YYYY-MM-DD")


Day = Annotated[date, BeforeValidator(_day)]
Short = Annotated[str, Field(max_length=500, pattern=r"\S")]
Long = Annotated[str, Field(max_length=2_000, pattern=r"\S")]
Ean13 = Annotated[str, Field(pattern=r"^[0-9]{13}$")]


class ContentId(BaseModel):
    """A product's number, the one identifier that is foreseen."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    ean_13: Annotated[Ean13, Field(alias="EAN-13")]


class Reasons(BaseModel):
    """What the platform says itself, in the database's own words; a draft may still lack what is required."""

    model_config = ConfigDict(frozen=True, extra="forbid", serialize_by_alias=True)

    decision_visibility: Annotated[tuple[Visibility, ...], Field(min_length=1, max_length=7)] | None = None
    decision_visibility_other: Short | None = None
    end_date_visibility_restriction: Day | None = None
    decision_monetary: Monetary | None = None
    decision_monetary_other: Short | None = None
    end_date_monetary_restriction: Day | None = None
    decision_provision: Provision | None = None
    end_date_service_restriction: Day | None = None
    decision_account: Account | None = None
    account_type: AccountType | None = None
    end_date_account_restriction: Day | None = None
    decision_ground: Ground | None = None
    decision_ground_reference_url: Annotated[str, Field(max_length=500, pattern=r"^https?://[^\s/?#@]+([/?#]\S*)?$")] | None = None
    illegal_content_legal_ground: Short | None = None
    illegal_content_explanation: Long | None = None
    incompatible_content_ground: Short | None = None
    incompatible_content_explanation: Long | None = None
    incompatible_content_illegal: YesNo | None = None
    content_type: Annotated[tuple[ContentType, ...], Field(min_length=1, max_length=8)] | None = None
    content_type_other: Short | None = None
    category: Category | None = None
    category_addition: Annotated[tuple[Category, ...], Field(max_length=16)] | None = None
    category_specification: Annotated[tuple[Keyword, ...], Field(max_length=69)] | None = None
    category_specification_other: Short | None = None
    territorial_scope: Annotated[tuple[Country, ...], Field(min_length=1, max_length=30)] | None = None
    content_language: Annotated[str, Field(json_schema_extra={"enum": sorted(LANGUAGES)})] | None = None
    content_date: Day | None = None
    content_id: ContentId | None = None
    application_date: Day | None = None
    decision_facts: Annotated[str, Field(max_length=MOST_FACTS, pattern=r"\S")] | None = None
    source_type: SourceType | None = None
    source_identity: Short | None = None


class Payload(Reasons):
    """What is sent. The last three are ours to say: they follow from how the decision came about."""

    automated_detection: YesNo
    automated_decision: AutomatedDecision
    puid: Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,500}$")]

    def as_sent(self) -> dict[str, Any]:
        """The JSON object, without what is not said."""
        return self.model_dump(mode="json", exclude_none=True)


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a payload breaks."""

    field: str
    code: str  # missing | not_applicable | repeated | out_of_range | unknown | personal_data
    message: str


def violations(payload: Payload) -> tuple[Violation, ...]:
    """Every rule that the payload breaks; none: it may be signed and sent."""
    found = (*_missing(payload), *_unasked(payload), *_sets(payload), *_days(payload), *_personal_data(payload))
    return tuple(sorted(found, key=lambda violation: (violation.field, violation.code)))


REQUIRED = (
    "decision_ground",
    "content_type",
    "category",
    "territorial_scope",
    "content_date",
    "application_date",
    "decision_facts",
    "source_type",
)
RESTRICTIONS = ("decision_visibility", "decision_monetary", "decision_provision", "decision_account")
END_DATES = (  # in the order of RESTRICTIONS
    "end_date_visibility_restriction",
    "end_date_monetary_restriction",
    "end_date_service_restriction",
    "end_date_account_restriction",
)
ILLEGAL = ("illegal_content_legal_ground", "illegal_content_explanation")
INCOMPATIBLE = ("incompatible_content_ground", "incompatible_content_explanation")


def _conditional(payload: Payload) -> Iterator[tuple[str, bool, str]]:
    """Fields that are asked for, or refused, by another: the field, whether it is asked for, and by what."""
    yield (
        "decision_visibility_other",
        Visibility.DECISION_VISIBILITY_OTHER in (payload.decision_visibility or ()),
        "DECISION_VISIBILITY_OTHER",
    )
    yield "decision_monetary_other", payload.decision_monetary is Monetary.DECISION_MONETARY_OTHER, "DECISION_MONETARY_OTHER"
    yield "content_type_other", ContentType.CONTENT_TYPE_OTHER in (payload.content_type or ()), "CONTENT_TYPE_OTHER"
    for field in ILLEGAL:
        yield field, payload.decision_ground is Ground.DECISION_GROUND_ILLEGAL_CONTENT, "DECISION_GROUND_ILLEGAL_CONTENT"
    for field in INCOMPATIBLE:
        yield field, payload.decision_ground is Ground.DECISION_GROUND_INCOMPATIBLE_CONTENT, "DECISION_GROUND_INCOMPATIBLE_CONTENT"


def _missing(payload: Payload) -> Iterator[Violation]:
    for field in REQUIRED:
        if getattr(payload, field) is None:
            yield Violation(field, "missing", "It is required.")
    if all(getattr(payload, field) is None for field in RESTRICTIONS):
        yield Violation("decision_visibility", "missing", f"One of {', '.join(RESTRICTIONS)} is required.")
    for field, asked, by in _conditional(payload):
        if asked and getattr(payload, field) is None:
            yield Violation(field, "missing", f"It is required with {by}.")


def _unasked(payload: Payload) -> Iterator[Violation]:
    """What the receiver would drop without a word."""
    only_with = [(field, asked, by) for field, asked, by in _conditional(payload)]
    keywords, ground = payload.category_specification or (), payload.decision_ground
    only_with += [
        ("category_specification_other", Keyword.KEYWORD_OTHER in keywords, "KEYWORD_OTHER"),
        ("incompatible_content_illegal", ground is Ground.DECISION_GROUND_INCOMPATIBLE_CONTENT, "DECISION_GROUND_INCOMPATIBLE_CONTENT"),
        ("source_identity", payload.source_type is not SourceType.SOURCE_VOLUNTARY, "a source other than SOURCE_VOLUNTARY"),
        ("account_type", payload.decision_account is not None, "decision_account"),
    ]
    only_with += [(end, getattr(payload, what) is not None, what) for what, end in zip(RESTRICTIONS, END_DATES, strict=True)]
    for field, asked, by in only_with:
        if not asked and getattr(payload, field) is not None:
            yield Violation(field, "not_applicable", f"It is said only with {by}.")


def _sets(payload: Payload) -> Iterator[Violation]:
    for field in ("decision_visibility", "content_type", "category_addition", "category_specification", "territorial_scope"):
        said = getattr(payload, field) or ()
        if len(set(said)) < len(said):
            yield Violation(field, "repeated", "Each is said once.")
    if payload.category is not None and payload.category in (payload.category_addition or ()):
        yield Violation("category_addition", "repeated", "It is the category already.")
    if payload.content_language is not None and payload.content_language not in LANGUAGES:
        yield Violation("content_language", "unknown", "It is not one of ISO 639-1's, in capitals.")


def _days(payload: Payload) -> Iterator[Violation]:
    first = payload.application_date or FIRST_APPLICATION
    for field, earliest in (
        ("content_date", FIRST_CONTENT),
        ("application_date", FIRST_APPLICATION),
        *((end, max(first, FIRST_APPLICATION)) for end in END_DATES),
    ):
        day = getattr(payload, field)
        if day is not None and not earliest <= day <= LAST_DAY:
            yield Violation(field, "out_of_range", f"It lies between {earliest} and {LAST_DAY}.")


def _personal_data(payload: Payload) -> Iterator[Violation]:
    for field, value in payload:
        if isinstance(value, str) and field != "puid":
            if EMAIL.search(value):
                yield Violation(field, "personal_data", "It seems to have an e-mail address in it. Statements are published.")
            if PHONE.search(value):
                yield Violation(field, "personal_data", "It seems to have a telephone number in it. Statements are published.")
