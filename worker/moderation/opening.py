"""Which questions to people a policy version opens about an outcome: pure, and the same however often it is asked.

What is sampled follows from a keyed hash over the outcome's place, so that routing again samples the same, and nobody who lacks the
version's key can foretell which images will be looked at.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from worker.moderation.outcomes import Outcome
from worker.moderation.policy import PolicyVersion, Route, Routing, stages_agree
from worker.moderation.review import TaskKind

SAMPLED = "sampled for quality"  # all that a reviewer is told of why: not that it passed, nor by how much
ShownKind = Literal[TaskKind.ROUTING, TaskKind.QA, TaskKind.APPEAL]
LOT_BYTES = 6  # 48 bits: every value is a float exactly, and none rounds up to 1
LOTS = 1 << 8 * LOT_BYTES


@dataclass(frozen=True, slots=True)
class OutcomePlace:
    """Which outcome of which item."""

    batch_id: UUID
    ordinal: int
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A task to be opened. `more_slots` are asked beside those of its queue."""

    kind: TaskKind
    queue: str
    route: Route
    reason: str
    more_slots: int = 0


def question(outcome: Outcome, routing: Routing | None, version: PolicyVersion, place: OutcomePlace) -> Question | None:
    """What people are asked of an outcome that the version routed; None where nobody is."""
    if routing is None or (routing.route is Route.FLAG and version.automatic is not None):
        return None
    opening = version.opening
    if routing.route is Route.PASS:
        if not drawn("qa", opening.qa_share, version, place):
            return None
        return Question(kind=TaskKind.QA, queue=queue_of(outcome, routing, version), route=Route.PASS, reason=reason_of(routing))
    return Question(
        kind=TaskKind.ROUTING,
        queue=queue_of(outcome, routing, version),
        route=routing.route,
        reason=reason_of(routing),
        more_slots=int(drawn("double", opening.double_share, version, place)),
    )


def drawn(purpose: str, share: float, version: PolicyVersion, place: OutcomePlace) -> bool:
    """Whether the outcome is in the sample: `share` of all outcomes are, and samples of two purposes are independent."""
    if share <= 0.0:
        return False
    text = f"{purpose}/{version.name}/{place.batch_id}/{place.ordinal}/{place.revision}"
    digest = hashlib.blake2b(text.encode(), key=version.opening.key.bytes, digest_size=LOT_BYTES).digest()
    return int.from_bytes(digest) / LOTS < share


def reason_of(routing: Routing) -> str:
    """What a reviewer is told of why they are asked."""
    return SAMPLED if routing.route is Route.PASS else routing.reason


def shown_kind(kind: TaskKind, route: Route) -> ShownKind:
    """What people are told of a task's kind: a golden one is shown as what it stands in for."""
    if kind is TaskKind.GOLDEN:
        return TaskKind.QA if route is Route.PASS else TaskKind.ROUTING
    return kind


def queue_of(outcome: Outcome, routing: Routing, version: PolicyVersion) -> str:
    """Where it waits. A disagreement is more telling than a flag: it says that the stages need looking at, whatever the score."""
    opening = version.opening
    if opening.disagreement_queue is not None and not stages_agree(outcome):
        return opening.disagreement_queue
    if opening.flag_queue is not None and routing.route is Route.FLAG:
        return opening.flag_queue
    return version.queue
