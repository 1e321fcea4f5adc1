"""The audit trail's hash chain: what is hashed, and how it is checked. Postgres computes the same (`migrations/…/audit_chain.py`).

A field is a netstring of its UTF-8 bytes, `5:hello,`, or `-,` where there is no value. A link covers the events of one INSERT:

leaf    sha256 of the fields id, occurred_at, actor, action, tenant_id, batch_id, ordinal, revision, payload_digest, detail
digest  sha256 (hex) of the leaves, one after the other, by id
head    sha256 (hex) of the fields previous, link, first_event, last_event, events, total, digest, created_at

Times are microseconds since 1970; detail is the text of the JSONB. A leaf proves its event without showing the others.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

GENESIS = "0" * 64  # what the first link names as its previous head


class ChainedEvent(NamedTuple):
    """An event as it is hashed. All are texts, as the database gives them, so that nothing is lost on the way."""

    id: str
    occurred_at: str
    actor: str
    action: str
    tenant_id: str | None
    batch_id: str | None
    ordinal: str | None
    revision: str | None
    payload_digest: str | None
    detail: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A link as the database keeps it. `total` counts the events of this link and all before; `created_at` is as it is hashed."""

    link: int
    first_event: int
    last_event: int
    events: int
    total: int
    digest: str
    previous: str
    head: str
    created_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """What somebody noted of the chain at a link. `place` says where, for people."""

    link: int
    head: str
    events: int  # the link's `total`
    place: str


@dataclass(frozen=True, slots=True)
class Start:
    """Where checking begins: behind a link of which a seal tells. The default is the chain's own beginning."""

    link: int = 0
    head: str = GENESIS
    last_event: int = 0
    events: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Where the chain first fails. `code` is stable, `message` for people; `link` and `event` as far as they are known."""

    code: str
    message: str
    link: int | None = None
    event: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What was checked until the end or the first break."""

    links: int
    events: int
    seals: int
    broken: Break | None


def field(value: str | None) -> bytes:
    """A value so that no two sequences of fields are the same bytes."""
    if value is None:
        return b"-,"
    data = value.encode()
    return b"%d:%b," % (len(data), data)


def leaf(event: Sequence[str | None]) -> bytes:
    """What stands for an event in its link's digest."""
    return hashlib.sha256(b"".join(map(field, event))).digest()


def digest_of(leaves: Iterable[bytes]) -> str:
    """A link's digest of its events' leaves."""
    return hashlib.sha256(b"".join(leaves)).hexdigest()


def head_of(link: Link) -> str:
    """What a link's head must be."""
    numbers = (link.link, link.first_event, link.last_event, link.events, link.total)
    fields = (link.previous, *map(str, numbers), link.digest, link.created_at)
    return hashlib.sha256(b"".join(map(field, fields))).hexdigest()


def verify(
    links: Iterable[Link],
    events: Iterable[ChainedEvent],
    seals: Iterable[Seal],
    *,
    start: Start = Start(),
    watch: Callable[[int], None] = lambda _: None,
) -> Verification:
    """Checks links and events, both in order, and seals in any order. Memory: a link's leaves, and the seals.

    Links come from `start`'s own on, events from behind it. `watch` is told the number of events checked so far.
    """
    links = iter(links)
    chain = _Chain(start, iter(events))
    sealed = _Seals(seals, start)
    broken = _unlike(start, next(links, None)) if start.link else None
    for link in links:
        if broken := broken or chain.broken_by(link) or sealed.contradicting(link):
            break
        watch(chain.events)
    broken = broken or chain.left_over() or sealed.beyond(chain.link)
    return Verification(links=chain.link - start.link, events=chain.events, seals=sealed.kept, broken=broken)


def _unlike(start: Start, link: Link | None) -> Break | None:
    if link is None or link.link != start.link:
        return Break(code="tail_missing", message=f"Link {start.link} was sealed, and is missing.", link=start.link)
    if (link.head, link.last_event, link.total) != (start.head, start.last_event, start.events):
        return Break(code="seal_contradicts", message=f"The newest seal says otherwise of link {start.link}.", link=start.link)
    return None


class _Chain:
    """As far as it was followed."""

    def __init__(self, start: Start, events: Iterator[ChainedEvent]) -> None:
        self.link, self._head, self._last_event = start.link, start.head, start.last_event
        self._before = start.events
        self.events = 0
        self._coming = events
        self._next = next(events, None)

    def broken_by(self, link: Link) -> Break | None:
        """Takes the next link with its events; why it does not fit, if so."""
        if broken := self._misplaced(link) or self._miscounted(link):
            return broken
        self.link, self._head, self._last_event = link.link, link.head, link.last_event
        self.events += link.events
        return None

    def left_over(self) -> Break | None:
        """An event behind the last link."""
        return self._uncovered() if self._next else None

    def _misplaced(self, link: Link) -> Break | None:
        if link.link != self.link + 1:
            return Break(code="link_missing", message=f"Link {self.link + 1} is missing: {link.link} follows.", link=self.link + 1)
        if link.previous != self._head:
            return Break(code="link_detached", message=f"Link {link.link} does not name the head of the one before.", link=link.link)
        if link.head != head_of(link):
            return Break(code="link_changed", message=f"Link {link.link} was changed: its head does not follow from it.", link=link.link)
        if not self._last_event < link.first_event <= link.last_event or link.total != self._before + self.events + link.events:
            return Break(code="link_overlaps", message=f"Link {link.link} does not continue the one before.", link=link.link)
        return None

    def _miscounted(self, link: Link) -> Break | None:
        leaves: list[bytes] = []
        first = int(self._next.id) if self._next else None
        if first is not None and first < link.first_event:
            return self._uncovered()
        while self._next and int(self._next.id) <= link.last_event:
            leaves.append(leaf(self._next))
            self._next = next(self._coming, None)
        if len(leaves) != link.events:
            span = f"events {link.first_event} to {link.last_event}"
            message = f"Link {link.link} covers {link.events} among {span}; there are {len(leaves)}."
            return Break(code="event_missing" if len(leaves) < link.events else "event_added", message=message, link=link.link)
        if digest_of(leaves) != link.digest:
            message = f"Among events {link.first_event} to {link.last_event} one was changed: they are not what link {link.link} covers."
            return Break(code="event_changed", message=message, link=link.link, event=link.first_event if link.events == 1 else None)
        return None

    def _uncovered(self) -> Break:
        event = int(self._next.id) if self._next else None
        return Break(code="event_uncovered", message=f"Event {event} is covered by no link.", event=event)


class _Seals:
    """Seals by link, of those behind the start; the one that the start is taken from counts as kept."""

    def __init__(self, seals: Iterable[Seal], start: Start) -> None:
        self._waiting = sorted((seal for seal in seals if seal.link > start.link), key=lambda seal: seal.link, reverse=True)
        self._kept_link = start.link
        self.kept = int(start.link > 0)

    def contradicting(self, link: Link) -> Break | None:
        """The first seal of the link that says otherwise."""
        while self._waiting and self._waiting[-1].link == link.link:
            seal = self._waiting.pop()
            if (seal.head, seal.events) != (link.head, link.total):
                return Break(code="seal_contradicts", message=f"{seal.place} says otherwise of link {seal.link}.", link=seal.link)
            self.kept += seal.link != self._kept_link  # a row and an object of the same link are one seal
            self._kept_link = seal.link
        return None

    def beyond(self, last: int) -> Break | None:
        """A seal of a link that the chain does not reach: its end was cut off."""
        if not self._waiting:
            return None
        seal = self._waiting[0]
        message = f"The chain ends with link {last}, but {seal.place} sealed link {seal.link}: {seal.events:,} events were there by then."
        return Break(code="tail_missing", message=message, link=last + 1)
