"""Filters and their addresses."""

import re
from datetime import date
from uuid import UUID

import pytest

from worker.moderation.degradation import DegradationBand
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Route
from worker.moderation.search import READERS, Decided, Filter, parse_filter

EVERYTHING = Filter(
    words='"six fingers" -cartoon & 100%',
    batch=UUID("0198c7a0-0000-7000-8000-000000000000"),
    verdict=Verdict.GENERATED,
    decided=Decided.NONE,
    route=Route.FLAG,
    score_from=0.000001,
    score_to=1.0,
    seen_half_to=0.5,
    degradation=DegradationBand.BLURRED,
    reviewer="person:0198c7a0-0000-7000-8000-000000000000",
    release="nano-0123456789ab",
    day_from=date(2026, 11, 1),
    day_to=date(2026, 11, 30),
)


def test_an_address_is_the_filter_and_the_filter_its_address() -> None:
    assert parse_filter(EVERYTHING.query()) == EVERYTHING
    assert list(EVERYTHING.parts()) == list(READERS)
    assert parse_filter("") == Filter()
    assert Filter().query() == ""


def test_equal_filters_have_one_address_however_they_were_written() -> None:
    written = parse_filter("score_from=0.50&words=%20six%0A%20fingers&batch=&verdict=generated")
    assert written.query() == "words=six+fingers&verdict=generated&score_from=0.5"
    assert parse_filter("verdict=generated&score_from=0.5&words=six+fingers") == written


def test_a_part_is_taken_out_and_the_rest_stays() -> None:
    for name in READERS:
        assert name not in EVERYTHING.without(name).parts()
        assert len(EVERYTHING.without(name).parts()) == len(READERS) - 1


def test_words_lose_what_cannot_be_seen() -> None:
    assert parse_filter("words=a%E2%80%AEb%00c").words == "abc"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("colour=red", "colour: there is no such filter."),
        ("%E2%80%AEevil=1", "evil: there is no such filter."),
        ("verdict=real&verdict=real", "verdict: it is there twice."),
        ("verdict=fake", "verdict: it must be one of real, generated."),
        ("decided=maybe", "decided: it must be one of real, generated, none."),
        ("route=nowhere", "route: it must be one of pass, review, flag."),
        ("batch=17", "batch: it must be a batch's id."),
        ("score_from=1.5", "score_from: it must be a number from 0 to 1, such as 0.85."),
        ("score_from=nan", "score_from: it must be a number from 0 to 1, such as 0.85."),
        ("score_to=1e-3", "score_to: it must be a number from 0 to 1, such as 0.85."),
        ("score_from=0.9&score_to=0.1", "score_from: it is above score_to."),
        ("day_from=2026-02-30", "day_from: it must be a day, such as 2026-11-25."),
        ("day_from=20261125", "day_from: it must be a day, such as 2026-11-25."),
        ("day_from=2026-11-02&day_to=2026-11-01", "day_from: it is after day_to."),
        ("reviewer=two+words", "reviewer: it must be one word of 200 characters at most."),
        ("words=" + "x" * 201, "words: 200 characters at most."),
        ("words=" + "x" * 2_000, "A filter has 2000 characters at most."),
    ],
)
def test_what_cannot_be_is_refused_by_name(query: str, said: str) -> None:
    with pytest.raises(RejectedError, match=re.escape(said)) as refused:
        parse_filter(query)
    assert (refused.value.code, refused.value.message) == ("filter_invalid", said)
