"""Routing: what the policies in force make of outcomes, as rows; and what a live routing brings about: a task, or an automatic decision."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from worker.moderation.outcomes import Outcome
from worker.moderation.policy import PolicyMode, PolicyVersion, Route, Routing, route
from worker.store.decisions import decide_automatically
from worker.store.models import RoutingRow
from worker.store.outcome_rows import Place
from worker.store.policies import PoliciesInForce
from worker.store.review_withdrawal import withdraw_tasks

OPEN_TASKS = text(
    """
    -- open tasks: one per outcome that a person must see, due as its queue says
    INSERT INTO review_tasks (tenant_id, queue, batch_id, ordinal, revision, kind, route, reason, priority, slots, due_at)
    SELECT b.tenant_id, q.name, b.id, t.ordinal, :revision, 'routing', t.route, t.reason,
           b.priority + CASE t.route WHEN 'flag' THEN 1 ELSE 0 END, q.slots, now() + make_interval(hours => q.due_hours)
      FROM batches AS b
      JOIN review_queues AS q ON q.tenant_id = b.tenant_id AND q.name = :queue
     CROSS JOIN unnest(CAST(:ordinals AS integer[]), CAST(:routes AS text[]), CAST(:reasons AS text[])) AS t (ordinal, route, reason)
     WHERE b.id = :batch_id
    ON CONFLICT DO NOTHING
    """
)
JUDGED_ANEW = "a newer revision was judged"


@dataclass(frozen=True, slots=True)
class Routed:
    """What each policy version in force makes of each outcome, by ordinal; None for a cancelled item."""

    policies: PoliciesInForce
    live: Mapping[int, Routing | None]
    shadows: tuple[Mapping[int, Routing | None], ...]

    def only(self, ordinals: Collection[int]) -> "Routed":
        """Of these outcomes alone."""

        def some(routings: Mapping[int, Routing | None]) -> Mapping[int, Routing | None]:
            return {ordinal: routing for ordinal, routing in routings.items() if ordinal in ordinals}

        return Routed(self.policies, some(self.live), tuple(map(some, self.shadows)))


def route_outcomes(outcomes: Sequence[Outcome], policies: PoliciesInForce, *, scores_mean_something: bool) -> Routed:
    """The routings; pure."""

    def routed(version: PolicyVersion) -> Mapping[int, Routing | None]:
        return {outcome.ordinal: route(outcome, version, scores_mean_something=scores_mean_something) for outcome in outcomes}

    return Routed(policies, routed(policies.live), tuple(map(routed, policies.shadows)))


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
    _act(session, place, outcomes, routed.live, live)


def _act(session: Session, place: Place, outcomes: Sequence[Outcome], live: Mapping[int, Routing | None], policy: PolicyVersion) -> None:
    asked = {ordinal: routing for ordinal, routing in live.items() if routing is not None and routing.route is not Route.PASS}
    if policy.automatic is not None:
        flagged = [outcome for outcome in outcomes if (r := live[outcome.ordinal]) is not None and r.route is Route.FLAG]
        decide_automatically(session, place, flagged, policy)
        asked = {ordinal: routing for ordinal, routing in asked.items() if routing.route is Route.REVIEW}
    if asked:
        parameters = {"batch_id": place.batch_id, "revision": place.revision, "queue": policy.queue, "ordinals": list(asked)}
        routes, reasons = [r.route.value for r in asked.values()], [r.reason for r in asked.values()]
        session.execute(OPEN_TASKS, {**parameters, "routes": routes, "reasons": reasons})


def _rows(place: Place, routings: Mapping[int, Routing | None], policy: PolicyVersion, mode: PolicyMode) -> list[dict[str, Any]]:
    key: dict[str, UUID | int] = {"batch_id": place.batch_id, "revision": place.revision}
    return [
        {**key, "ordinal": ordinal, "policy_version": policy.name, "mode": mode, "route": routing.route, "reason": routing.reason}
        for ordinal, routing in routings.items()
        if routing is not None
    ]
