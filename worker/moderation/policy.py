"""What to do with an outcome. A policy version is a frozen value; routing with it is a pure function."""

from dataclasses import dataclass
from enum import StrEnum

from worker.moderation.outcomes import Outcome, OutcomeKind, RetentionClass


class Route(StrEnum):
    """Where an outcome goes. Nothing is acted on automatically."""

    PASS = "pass"  # noqa: S105  a route, not a password
    REVIEW = "review"
    FLAG = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyVersion:
    """Thresholds on P(generated): below `pass_below` passes, at or above `flag_from` is flagged, between is reviewed."""

    name: str
    pass_below: float
    flag_from: float


@dataclass(frozen=True, slots=True)
class Routing:
    """A route and the reason, for people."""

    route: Route
    reason: str


DEFAULT_POLICY = PolicyVersion(name="default@1", pass_below=0.2, flag_from=0.8)


def route(outcome: Outcome, policy: PolicyVersion, *, scores_mean_something: bool) -> Routing | None:
    """The routing of an outcome; None for a cancelled item. An unscored, untrained or contradicted image goes to a person."""
    if outcome.kind is OutcomeKind.CANCELLED:
        return None
    if outcome.kind is not OutcomeKind.VERDICT or outcome.p_generated is None:
        return Routing(Route.REVIEW, f"no verdict: {outcome.kind}")
    if not scores_mean_something:
        return Routing(Route.REVIEW, "the release is untrained or zero-shot: its scores decide nothing")
    if outcome.scan_verdict is not None and outcome.scan_verdict is not outcome.verdict:
        return Routing(Route.REVIEW, f"scan said {outcome.scan_verdict}, zoom said {outcome.verdict}")
    if outcome.p_generated < policy.pass_below:
        return Routing(Route.PASS, f"P(generated) < {policy.pass_below}")
    if outcome.p_generated >= policy.flag_from:
        return Routing(Route.FLAG, f"P(generated) ≥ {policy.flag_from}")
    return Routing(Route.REVIEW, f"P(generated) between {policy.pass_below} and {policy.flag_from}")


def retention_class(routing: Routing | None) -> RetentionClass:
    """Evidence of what passes is routine; of everything else, part of a case."""
    return RetentionClass.ROUTINE if routing is not None and routing.route is Route.PASS else RetentionClass.CASE
