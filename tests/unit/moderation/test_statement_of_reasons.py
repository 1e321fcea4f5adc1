"""The transparency database's rules, one by one; and that no draft is more than its parts."""

from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from worker.moderation.dsa_vocabulary import LANGUAGES, Country, Keyword
from worker.moderation.statement_of_reasons import Payload, Reasons, violations

WHOLE: dict[str, Any] = {
    "decision_visibility": ["DECISION_VISIBILITY_CONTENT_LABELLED"],
    "decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT",
    "incompatible_content_ground": "Terms of use, section 4: synthetic media are labelled",
    "incompatible_content_explanation": "The image was altered by artificial intelligence and was not labelled.",
    "content_type": ["CONTENT_TYPE_IMAGE", "CONTENT_TYPE_SYNTHETIC_MEDIA"],
    "category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
    "territorial_scope": ["DE", "FR"],
    "content_date": "2026-11-20",
    "application_date": "2026-11-26",
    "decision_facts": "Region 1 (12, 40, 220, 260): six fingers. Outcome 1: P(generated) is 0.94.",
    "source_type": "SOURCE_VOLUNTARY",
    "automated_detection": "Yes",
    "automated_decision": "AUTOMATED_DECISION_PARTIALLY",
    "puid": "0198c7a0000070008000000000000000",
}
ILLEGAL = {
    "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
    "incompatible_content_ground": None,
    "incompatible_content_explanation": None,
    "illegal_content_legal_ground": "§ 201b StGB",
    "illegal_content_explanation": "x",
}


def broken(**changes: Any) -> set[tuple[str, str]]:
    said = {field: value for field, value in {**WHOLE, **changes}.items() if value is not None}
    return {(violation.field, violation.code) for violation in violations(Payload.model_validate(said))}


def test_a_whole_statement_breaks_no_rule_and_is_sent_as_it_was_said() -> None:
    assert broken() == set()
    assert Payload.model_validate(WHOLE).as_sent() == WHOLE


@pytest.mark.parametrize(
    "field",
    [
        "decision_ground", "content_type", "category", "territorial_scope", "content_date", "application_date", "decision_facts",
        "source_type", "decision_visibility", "incompatible_content_ground", "incompatible_content_explanation",
    ],
)  # fmt: skip
def test_what_is_required_is_missed(field: str) -> None:
    assert (field, "missing") in broken(**{field: None})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decision_monetary", "DECISION_MONETARY_SUSPENSION"),
        ("decision_provision", "DECISION_PROVISION_TOTAL_SUSPENSION"),
        ("decision_account", "DECISION_ACCOUNT_SUSPENDED"),
    ],
)
def test_any_one_restriction_is_enough(field: str, value: str) -> None:
    assert broken(decision_visibility=None, **{field: value}) == set()


@pytest.mark.parametrize(
    ("changes", "missed"),
    [
        ({"decision_visibility": ["DECISION_VISIBILITY_OTHER"]}, {"decision_visibility_other"}),
        ({"decision_monetary": "DECISION_MONETARY_OTHER"}, {"decision_monetary_other"}),
        ({"content_type": ["CONTENT_TYPE_OTHER"]}, {"content_type_other"}),
        (
            {**ILLEGAL, "illegal_content_legal_ground": None, "illegal_content_explanation": None},
            {"illegal_content_legal_ground", "illegal_content_explanation"},
        ),
    ],
)
def test_what_another_field_asks_for_is_missed(changes: dict[str, Any], missed: set[str]) -> None:
    assert broken(**changes) == {(field, "missing") for field in missed}


def test_illegal_content_with_its_ground_breaks_no_rule() -> None:
    assert broken(**ILLEGAL) == set()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("decision_visibility_other", "x"), ("decision_monetary_other", "x"), ("content_type_other", "x"),
        ("category_specification_other", "x"), ("illegal_content_legal_ground", "x"), ("illegal_content_explanation", "x"),
        ("source_identity", "a notifier"), ("account_type", "ACCOUNT_TYPE_PRIVATE"), ("end_date_account_restriction", "2027-01-01"),
        ("end_date_monetary_restriction", "2027-01-01"), ("end_date_service_restriction", "2027-01-01"),
    ],
)  # fmt: skip
def test_what_the_receiver_would_drop_silently_is_refused(field: str, value: str) -> None:
    assert broken(**{field: value}) == {(field, "not_applicable")}


@pytest.mark.parametrize(
    ("field", "day", "fine"),
    [
        ("content_date", "2000-01-01", True), ("content_date", "1999-12-31", False), ("content_date", "2038-01-02", False),
        ("application_date", "2020-01-01", True), ("application_date", "2019-12-31", False),
        ("end_date_visibility_restriction", "2026-11-26", True), ("end_date_visibility_restriction", "2026-11-25", False),
        ("end_date_visibility_restriction", "2038-01-02", False),
    ],
)  # fmt: skip
def test_days_lie_where_the_database_takes_them(field: str, day: str, fine: bool) -> None:  # noqa: FBT001  a row's cell
    assert broken(**{field: day}) == (set() if fine else {(field, "out_of_range")})


@pytest.mark.parametrize("day", ["2026-1-1", "26-11-2026", "2026-02-30", 1_700_000_000, "2026-11-26T00:00:00Z", "٢٠٢٦-11-26"])
def test_only_a_day_is_a_day(day: Any) -> None:
    with pytest.raises(ValidationError):
        broken(content_date=day)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("puid", "with space"), ("puid", "ends\n"), ("puid", "x" * 501), ("puid", ""), ("decision_facts", "x" * 5_001),
        ("decision_facts", "  "), ("incompatible_content_explanation", "x" * 2_001), ("incompatible_content_ground", "x" * 501),
        ("territorial_scope", ["US"]), ("territorial_scope", []), ("category", "STATEMENT_CATEGORY_SYNTHETIC_MEDIA"),
        ("automated_decision", "Yes"), ("automated_detection", "yes"), ("decision_ground_reference_url", "javascript:alert(1)"),
        ("decision_ground_reference_url", "https://me:secret@example.com"), ("content_id", {"EAN-13": "123"}), ("url", "https://x.example"),
    ],
)  # fmt: skip
def test_what_the_schema_does_not_know_is_no_payload(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        broken(**{field: value})


def test_sets_say_each_thing_once_and_languages_are_those_of_the_list() -> None:
    assert broken(territorial_scope=["DE", "DE"]) == {("territorial_scope", "repeated")}
    assert broken(category_addition=[WHOLE["category"]]) == {("category_addition", "repeated")}
    assert broken(content_language="XX") == {("content_language", "unknown")}
    assert broken(content_language="FI") == set()


@pytest.mark.parametrize("text", ["write to ann.b+c@mail.example.org", "ring +49 (30) 1234-5678", "0151/23456789", "name@müller.de"])
def test_obvious_personal_data_is_refused(text: str) -> None:
    assert broken(decision_facts=text) == {("decision_facts", "personal_data")}


@pytest.mark.parametrize(
    "text",
    [
        "Region 2 (1204, 40, 2200, 2600): on 2026-11-26", "P(generated) is 0.94", "Regulation (EU) 2022/2065, Article 3",
        "crop 0123456789abcdef0123456789", "nano-0123456789ab", "score 0.941234567", "6 fingers @ the left",
    ],
)  # fmt: skip
def test_boxes_scores_dates_and_laws_are_no_personal_data(text: str) -> None:
    assert broken(decision_facts=text) == set()


@given(
    st.sets(st.sampled_from(Country), min_size=1),
    st.sets(st.sampled_from(Keyword)),
    st.sampled_from(sorted(LANGUAGES)),
    st.dates(date(2000, 1, 1), date(2038, 1, 1)),
)
def test_every_word_of_the_schema_survives_the_way_to_json_and_back(
    countries: set[Country], keywords: set[Keyword], language: str, day: date
) -> None:
    payload = Payload.model_validate(
        {**WHOLE, "territorial_scope": countries, "category_specification": keywords, "content_language": language, "content_date": day}
    )
    assert violations(payload) == ()
    assert Payload.model_validate(payload.as_sent()) == payload


@settings(suppress_health_check=[HealthCheck.too_slow])  # the first texts wait for hypothesis's tables
@given(st.dictionaries(st.sampled_from(sorted(Reasons.model_fields)), st.none() | st.text(max_size=20) | st.lists(st.text(max_size=5))))
def test_whatever_is_said_is_refused_or_judged_and_never_breaks_the_rules_themselves(said: dict[str, Any]) -> None:
    try:
        payload = Payload.model_validate({**WHOLE, **said})
    except ValidationError:
        return
    assert isinstance(violations(payload), tuple)
