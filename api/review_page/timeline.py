"""What happened to an image, one thing after the other. Pure, made from the rows of its life."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.store.item_life import ItemLife
from worker.store.models import (
    AppealRow,
    DecisionRow,
    ErasureRow,
    LegalHoldRow,
    OutcomeRow,
    ReviewTaskRow,
    RoutingRow,
    StatementRow,
)
from worker.store.review_answers import WrittenReview

Told = OutcomeRow | RoutingRow | ReviewTaskRow | WrittenReview | DecisionRow | AppealRow | StatementRow | LegalHoldRow | ErasureRow


class Happening(StrEnum):
    """Kinds of entries, in the order of cause and effect: rows of one transaction share their time."""

    JUDGED = "judged"
    ROUTED = "routed"
    ASKED = "asked"
    ANSWERED = "answered"
    CLOSED = "closed"
    DECIDED = "decided"
    CONTESTED = "contested"
    APPEAL_ENDED = "appeal ended"
    STATED = "stated"
    SIGNED = "signed"
    SENT = "sent"
    HELD = "held"
    RELEASED = "released"
    ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened. `row` is what the record holds of it."""

    at: datetime
    kind: Happening
    row: Told


def timeline(life: ItemLife) -> list[Entry]:
    """Oldest first. Who is being asked is not told when it was judged to be asked about: a golden image was, long before."""
    order = list(Happening)
    return sorted(_entries(life), key=lambda entry: (entry.at, order.index(entry.kind)))


def _entries(life: ItemLife) -> Iterator[Entry]:
    for outcome in life.outcomes:
        yield Entry(outcome.created_at, Happening.JUDGED, outcome)
    for routing in () if life.asked else life.routings:
        yield Entry(routing.created_at, Happening.ROUTED, routing)
    yield from _reviews(life)
    for decision in life.decisions:
        yield Entry(decision.created_at, Happening.DECIDED, decision)
    yield from _contests(life)
    for hold in life.holds:
        yield Entry(hold.placed_at, Happening.HELD, hold)
        if hold.released_at is not None:
            yield Entry(hold.released_at, Happening.RELEASED, hold)
    if life.erasure is not None:
        yield Entry(life.erasure.erased_at, Happening.ERASED, life.erasure)


def _reviews(life: ItemLife) -> Iterator[Entry]:
    for task in life.tasks:
        if not life.asked:
            yield Entry(task.created_at, Happening.ASKED, task)
        if task.closed_at is not None:
            yield Entry(task.closed_at, Happening.CLOSED, task)
        for answer in life.answers.get(task.id, ()):
            yield Entry(answer.created_at, Happening.ANSWERED, answer)


def _contests(life: ItemLife) -> Iterator[Entry]:
    for appeal in life.appeals:
        yield Entry(appeal.created_at, Happening.CONTESTED, appeal)
        if appeal.decided_at is not None:
            yield Entry(appeal.decided_at, Happening.APPEAL_ENDED, appeal)
    for statement in life.statements:
        yield Entry(statement.created_at, Happening.STATED, statement)
        if statement.signed_at is not None:
            yield Entry(statement.signed_at, Happening.SIGNED, statement)
        if statement.submitted_at is not None:
            yield Entry(statement.submitted_at, Happening.SENT, statement)
