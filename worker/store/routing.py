"""Routing: what the policies in force make of outcomes, as rows; and what a live routing brings about: a task, or an automatic decision."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from worker.moderation.calibration import UNMEASURED, Accuracies
from worker.moderation.opening import OutcomePlace, Question, question
from worker.moderation.outcomes import Outcome, RetentionClass
from worker.moderation.policy import PolicyMode, PolicyVersion, Route, Routing, retention_class, route
from worker.store.decisions import decide_automatically
from worker.store.models import RoutingRow
from worker.store.outcome_rows import Place
from worker.store.policies import PoliciesInForce
from worker.store.review_withdrawal import withdraw_tasks

OPEN_TASKS = text(
    """
    -- open tasks: one per outcome that a person is asked about, due as its queue says
    INSERT INTO review_tasks (tenant_id, queue, batch_id, ordinal, revision, kind, route, reason, priority, slots, due_at)
    SELECT b.tenant_id, q.name, b.id, t.ordinal, :revision, t.kind, t.route, t.reason,
           b.priority + CASE t.route WHEN 'flag' THEN 1 ELSE 0 END, q.slots + t.more_slots, now() + make_interval(hours => q.due_hours)
      FROM batches AS b
     CROSS JOIN unnest(CAST(:ordinals AS integer[]), CAST(:kinds AS text[]), CAST(:queues AS text[]), CAST(:routes AS text[]),
                       CAST(:reasons AS text[]), CAST(:more_slots AS smallint[])) AS t (ordinal, kind, queue, route, reason, more_slots)
      JOIN review_queues AS q ON q.tenant_id = b.tenant_id AND q.name = t.queue
     WHERE b.id = :batch_id
     ORDER BY t.ordinal
    ON CONFLICT (batch_id, ordinal, revision) WHERE kind IN ('routing', 'qa') DO NOTHING
    """
)
JUDGED_ANEW = "a newer revision was judged"


@dataclass(frozen=True, slots=True)
class Routed:
    """What each policy version in force makes of each outcome, by ordinal; None for a cancelled item. The live one asks questions."""

    policies: PoliciesInForce
    live: Mapping[int, Routing | None]
    shadows: tuple[Mapping[int, Routing | None], ...]
    questions: Mapping[int, Question]

    def only(self, ordinals: Collection[int]) -> "Routed":
        """Of these outcomes alone."""

        def some(routings: Mapping[int, Routing | None]) -> Mapping[int, Routing | None]:
            return {ordinal: routing for ordinal, routing in routings.items() if ordinal in ordinals}

        questions = {ordinal: asked for ordinal, asked in self.questions.items() if ordinal in ordinals}
        return Routed(self.policies, some(self.live), tuple(map(some, self.shadows)), questions)

    def retention(self, ordinal: int) -> RetentionClass:
        """Of an outcome's evidence: what people are asked about is part of a case, also when it passed."""
        return RetentionClass.CASE if ordinal in self.questions else retention_class(self.live[ordinal])


def route_outcomes(
    outcomes: Sequence[Outcome],
    policies: PoliciesInForce,
    place: Place,
    *,
    scores_mean_something: bool,
    accuracies: Accuracies = UNMEASURED,
) -> Routed:
    """The routings, and the questions that follow; pure."""
    how = partial(route, scores_mean_something=scores_mean_something, accuracies=accuracies)

    def routed(version: PolicyVersion) -> Mapping[int, Routing | None]:
        return {outcome.ordinal: how(outcome, version) for outcome in outcomes}

    live = routed(policies.live)
    asked = {
        outcome.ordinal: question(
            outcome, live[outcome.ordinal], policies.live, OutcomePlace(place.batch_id, outcome.ordinal, place.revision)
        )
        for outcome in outcomes
    }
    questions = {ordinal: one for ordinal, one in asked.items() if one is not None}
    return Routed(policies, live, tuple(map(routed, policies.shadows)), questions)


def write_routings(session: Session, place: Place, outcomes: Sequence[Outcome], routed: Routed) -> None:
    """Writes all routings of new outcomes, and what the live ones bring about. Writes audit events: call it late in a transaction."""
    live, shadows = routed.policies.live, routed.policies.shadows
    rows = _rows(place, routed.live, live, PolicyMode.LIVE)
    for version, watched in zip(shadows, routed.shadows, strict=True):
        rows += _rows(place, watched, version, PolicyMode.SHADOW)
    if rows:
        session.execute(insert(RoutingRow), rows)
    if place.revision > 1 and outcomes:
        withdraw_tasks(session, place.batch_id, routed.live, before=place.revision, reason=JUDGED_ANEW)
    if live.automatic is not None:
        flagged = [outcome for outcome in outcomes if (r := routed.live[outcome.ordinal]) is not None and r.route is Route.FLAG]
        decide_automatically(session, place, flagged, live)
    if routed.questions:
        _open_tasks(session, place, routed.questions)


def _open_tasks(session: Session, place: Place, questions: Mapping[int, Question]) -> None:
    asked = list(questions.values())
    columns = {
        "ordinals": list(questions),
        "kinds": [one.kind.value for one in asked],
        "queues": [one.queue for one in asked],
        "routes": [one.route.value for one in asked],
        "reasons": [one.reason for one in asked],
        "more_slots": [one.more_slots for one in asked],
    }
    session.execute(OPEN_TASKS, {"batch_id": place.batch_id, "revision": place.revision, **columns})


def _rows(place: Place, routings: Mapping[int, Routing | None], policy: PolicyVersion, mode: PolicyMode) -> list[dict[str, Any]]:
    key: dict[str, UUID | int] = {"batch_id": place.batch_id, "revision": place.revision}
    return [
        {**key, "ordinal": ordinal, "policy_version": policy.name, "mode": mode, "route": routing.route, "reason": routing.reason}
        for ordinal, routing in routings.items()
        if routing is not None
    ]
