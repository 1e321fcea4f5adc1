"""The hash chain by itself: what it covers, and that every kind of change to it is found."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.audit_chain import GENESIS, ChainedEvent, Link, Seal, Start, Verification, digest_of, field, head_of, leaf, verify

texts = st.text(st.characters(exclude_categories=["Cs"]))


def event(number: int, detail: str | None = None) -> ChainedEvent:
    return ChainedEvent(str(number), "1764180000123456", "w", "outcome.recorded", "t", None, None, None, None, detail)


def link_over(events: Sequence[ChainedEvent], prior: Link | None = None) -> Link:
    link = Link(
        link=prior.link + 1 if prior else 1,
        first_event=int(events[0].id),
        last_event=int(events[-1].id),
        events=len(events),
        total=len(events) + (prior.total if prior else 0),
        digest=digest_of(map(leaf, events)),
        previous=prior.head if prior else GENESIS,
        head="",
        created_at="1764180000123457",
    )
    return replace(link, head=head_of(link))


EVENTS = [event(number) for number in (1, 2, 3, 5, 6, 9)]  # transactions that were rolled back leave gaps
FIRST = link_over(EVENTS[:3])
SECOND = link_over(EVENTS[3:5], FIRST)
THIRD = link_over(EVENTS[5:], SECOND)
LINKS = [FIRST, SECOND, THIRD]


def seal(link: Link) -> Seal:
    return Seal(link=link.link, head=link.head, events=link.total, place=f"seal {link.link}")


def checked(
    links: Sequence[Link] = LINKS, events: Sequence[ChainedEvent] = EVENTS, seals: Sequence[Seal] = (), start: Start | None = None
) -> Verification:
    return verify(links, events, seals, start=start or Start())


def broken(*, links: Sequence[Link] = LINKS, events: Sequence[ChainedEvent] = EVENTS, seals: Sequence[Seal] = ()) -> tuple[object, ...]:
    found = checked(links, events, seals).broken
    assert found is not None
    return found.code, found.link, found.event


def test_what_is_hashed_is_what_is_documented() -> None:
    spelt = b'1:7,16:1764180000123456,1:w,16:outcome.recorded,1:t,-,-,-,0:,13:{"a": "\xc3\xbc\xc3\xbc"},'
    assert (
        leaf(ChainedEvent("7", "1764180000123456", "w", "outcome.recorded", "t", None, None, None, "", '{"a": "üü"}'))
        == hashlib.sha256(spelt).digest()
    )


@given(st.lists(st.none() | texts, max_size=5), st.lists(st.none() | texts, max_size=5))
def test_different_fields_are_different_bytes(one: list[str | None], other: list[str | None]) -> None:
    assert (b"".join(map(field, one)) == b"".join(map(field, other))) == (one == other)


def test_an_untouched_chain_verifies_with_its_gaps_and_seals() -> None:
    told: list[int] = []
    found = verify(LINKS, EVENTS, [seal(SECOND), seal(THIRD), replace(seal(SECOND), place="object")], watch=told.append)
    assert found == Verification(links=3, events=6, seals=2, broken=None)
    assert told == [3, 5, 6]
    assert checked([], []) == Verification(links=0, events=0, seals=0, broken=None)


def test_checking_may_begin_behind_a_seal() -> None:
    start = Start(link=2, head=SECOND.head, last_event=6, events=5)
    assert checked(LINKS[1:], EVENTS[5:], [seal(FIRST), seal(SECOND)], start) == Verification(links=1, events=1, seals=1, broken=None)
    for other in (replace(start, head=FIRST.head), replace(start, events=4), replace(start, last_event=5)):
        found = checked(LINKS[1:], EVENTS[5:], [], other).broken
        assert found is not None
        assert (found.code, found.link) == ("seal_contradicts", 2)
    for links in ([], LINKS[2:]):
        found = checked(links, EVENTS[5:], [], start).broken
        assert found is not None
        assert (found.code, found.link) == ("tail_missing", 2)


@pytest.mark.parametrize("name", ChainedEvent._fields[1:])
def test_a_change_of_any_column_of_an_event_is_found(name: str) -> None:
    changed = [*EVENTS[:4], EVENTS[4]._replace(**{name: "other"}), EVENTS[5]]
    assert broken(events=changed) == ("event_changed", 2, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [("first_event", 4), ("last_event", 7), ("events", 1), ("total", 9), ("digest", "0"), ("head", "0"), ("created_at", "0")],
)
def test_a_change_of_any_column_of_a_link_is_found(name: str, value: object) -> None:
    assert broken(links=[FIRST, replace(SECOND, **{name: value}), THIRD]) == ("link_changed", 2, None)  # type: ignore[arg-type]


def test_what_is_missing_added_or_moved_is_found() -> None:
    assert broken(events=EVENTS[1:]) == ("event_missing", 1, None)
    assert broken(events=[*EVENTS[:3], event(4), *EVENTS[3:]]) == ("event_uncovered", None, 4)
    assert broken(events=[event(0), *EVENTS]) == ("event_uncovered", None, 0)
    assert broken(events=[*EVENTS, event(10)]) == ("event_uncovered", None, 10)
    wide = link_over([event(1), event(3)])
    assert broken(links=[wide], events=[event(1), event(2), event(3)]) == ("event_added", 1, None)
    assert broken(links=[FIRST, THIRD]) == ("link_missing", 2, None)
    assert broken(links=LINKS[1:]) == ("link_missing", 1, None)
    assert broken(links=LINKS[:2]) == ("event_uncovered", None, 9)
    swapped = [EVENTS[0], EVENTS[1]._replace(detail="3"), EVENTS[2]._replace(detail="2"), *EVENTS[3:]]
    assert broken(events=swapped) == ("event_changed", 1, None)


def test_links_that_were_made_anew_contradict_the_seals() -> None:
    forged = [event(1, "forged"), *EVENTS[1:]]
    first = link_over(forged[:3])
    second = link_over(forged[3:5], first)
    links = [first, second, link_over(forged[5:], second)]
    assert checked(links, forged).broken is None  # consistent in itself: only a seal can tell
    assert broken(links=links, events=forged, seals=[seal(SECOND)]) == ("seal_contradicts", 2, None)
    assert broken(links=[replace(SECOND, previous=GENESIS)], events=EVENTS) == ("link_missing", 1, None)


def test_an_end_that_was_cut_off_is_known_by_the_seals_alone() -> None:
    assert checked(LINKS[:2], EVENTS[:5]).broken is None
    assert broken(links=LINKS[:2], events=EVENTS[:5], seals=[seal(FIRST), seal(THIRD)]) == ("tail_missing", 3, None)
    assert broken(links=[], events=[], seals=[seal(FIRST)]) == ("tail_missing", 1, None)


def test_links_that_overlap_cover_nothing_twice() -> None:
    again = link_over(EVENTS[2:5], FIRST)
    assert broken(links=[FIRST, again, link_over(EVENTS[5:], again)]) == ("link_overlaps", 2, None)
    total = replace(SECOND, total=6)
    assert broken(links=[FIRST, replace(total, head=head_of(total))]) == ("link_overlaps", 2, None)
