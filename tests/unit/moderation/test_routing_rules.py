from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.calibration import Accuracy
from worker.moderation.degradation import DegradationBand
from worker.moderation.errors import RejectedError
from worker.moderation.faithfulness import Faithfulness
from worker.moderation.outcomes import Outcome, OutcomeKind, RetentionClass, Verdict
from worker.moderation.policy import (
    DEFAULT_BANDS,
    Action,
    AutomaticAction,
    Band,
    Explaining,
    PolicyVersion,
    Route,
    Routing,
    Said,
    retention_class,
    route,
)

POLICY = PolicyVersion(policy="default", version=3, bands=DEFAULT_BANDS)
SCORES = st.floats(0, 1)


def outcome(p: float | None, *, verdict: Verdict = Verdict.GENERATED, scan: Verdict | None = Verdict.GENERATED) -> Outcome:
    return Outcome(ordinal=0, kind=OutcomeKind.VERDICT, verdict=verdict, p_generated=p, scan_verdict=scan)


def routed(of: Outcome, policy: PolicyVersion = POLICY, *, means: bool = True) -> Route | None:
    routing = route(of, policy, scores_mean_something=means)
    return None if routing is None else routing.route


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0, Route.PASS), (0.19, Route.PASS), (0.2, Route.REVIEW), (0.79, Route.REVIEW), (0.8, Route.FLAG), (1.0, Route.FLAG)],
)
def test_below_passes_from_flags_between_is_reviewed(p: float, expected: Route) -> None:
    assert routed(outcome(p)) is expected


@given(p=SCORES)
def test_scan_and_zoom_at_odds_are_a_person_s_to_settle_unless_a_version_says_otherwise(p: float) -> None:
    at_odds = outcome(p, scan=Verdict.REAL)
    assert routed(at_odds) is Route.REVIEW
    bold = PolicyVersion(policy="bold", version=1, bands={Said(Verdict.GENERATED, agreed=False): Band(0.0, 0.0)})
    assert routed(at_odds, bold) is Route.FLAG


@given(p=SCORES)
def test_an_untrained_score_and_a_missing_one_decide_nothing_under_any_policy(p: float) -> None:
    flags_all = PolicyVersion(
        policy="all", version=1, bands={said: Band(0.0, 0.0) for said in (Said(Verdict.GENERATED), Said(Verdict.REAL))}
    )
    assert routed(outcome(p), flags_all, means=False) is Route.REVIEW
    assert route(outcome(None), flags_all, scores_mean_something=True) == Routing(Route.REVIEW, "a verdict without a score")


MEASURED = {DegradationBand.BLURRED: Accuracy(0.71, 0.62, 0.79, 120), DegradationBand.CLEAN: Accuracy(0.8, 0.75, 0.84, 400)}


@pytest.mark.parametrize(
    ("band", "reason"),
    [
        (DegradationBand.CLEAN, "P(generated) ≥ 0.8"),
        (
            DegradationBand.BLURRED,
            "abstains: on blurred images this release was right 71 % (62 to 79 %, N = 120), below the policy's floor of 80 %",
        ),
        (
            DegradationBand.FRAMED,
            "abstains: how often this release is right on framed images was not measured; the policy's floor is 80 %",
        ),
        (None, "abstains: what the image went through was not estimated; the policy's floor is 80 %"),
    ],
)
def test_under_a_floor_a_release_abstains_where_it_was_right_too_rarely_and_where_nobody_knows(
    band: DegradationBand | None, reason: str
) -> None:
    flagged = replace(outcome(0.95), degradation_band=band)
    routing = route(flagged, replace(POLICY, accuracy_floor=0.8), scores_mean_something=True, accuracies=MEASURED)
    assert routing is not None
    assert routing.reason == reason
    assert routing.route is (Route.FLAG if band is DegradationBand.CLEAN else Route.REVIEW)
    without = route(flagged, POLICY, scores_mean_something=True, accuracies=MEASURED)
    assert without is not None
    assert without.route is Route.FLAG


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_evidence_of_what_passes_is_routine_and_of_the_rest_part_of_a_case(p: float) -> None:
    routing = route(outcome(p), POLICY, scores_mean_something=True)
    assert routing is not None
    assert (retention_class(routing) is RetentionClass.ROUTINE) == (routing.route is Route.PASS) == (p == 0.1)


def test_labels_have_thresholds_of_their_own() -> None:
    bands = {Said(Verdict.GENERATED): Band(0.0, 0.6), Said(Verdict.REAL): Band(0.5, None)}
    policy = PolicyVersion(policy="by-label", version=1, bands=bands)
    assert routed(outcome(0.7), policy) is Route.FLAG
    assert routed(outcome(0.4, verdict=Verdict.REAL, scan=Verdict.REAL), policy) is Route.PASS
    assert routed(outcome(0.99, verdict=Verdict.REAL, scan=Verdict.REAL), policy) is Route.REVIEW


def test_what_a_version_does_not_mention_is_reviewed() -> None:
    assert routed(outcome(0.99), PolicyVersion(policy="empty", version=1)) is Route.REVIEW


def test_errors_are_reviewed_and_cancelled_items_are_not_routed() -> None:
    assert routed(Outcome(ordinal=0, kind=OutcomeKind.FAILED)) is Route.REVIEW
    assert routed(Outcome(ordinal=0, kind=OutcomeKind.UNREADABLE)) is Route.REVIEW
    assert routed(Outcome(ordinal=0, kind=OutcomeKind.CANCELLED)) is None


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.4), (-0.1, 0.5), (0.1, 1.1), (1.1, None), (float("nan"), 0.5)])
def test_bands_out_of_order_are_refused(low: float, high: float | None) -> None:
    with pytest.raises(RejectedError, match="pass_below"):
        Band(low, high)


@pytest.mark.parametrize("opt_in", [(Action.NONE, "ann", "why"), (Action.LABEL, " ", "why"), (Action.LABEL, "ann", "")])
def test_an_automatic_action_without_a_recorded_opt_in_is_refused(opt_in: tuple[Action, str, str]) -> None:
    with pytest.raises(RejectedError, match="opted in"):
        AutomaticAction(*opt_in)


@given(p=SCORES)
def test_a_verdict_whose_explanation_does_not_move_its_score_goes_to_a_person_whatever_the_bands_say(p: float) -> None:
    for drop, control in ((0.0, 0.0), (0.3, 0.28), (-0.2, 0.1)):
        routing = route(replace(outcome(p), faithfulness=Faithfulness(drop=drop, control_drop=control)), POLICY, scores_mean_something=True)
        assert routing == Routing(Route.REVIEW, "its explanation does not move its score")


@given(p=SCORES)
def test_one_that_moves_it_and_one_that_leaves_no_room_for_a_control_change_no_route(p: float) -> None:
    for found in (Faithfulness(drop=0.4, control_drop=0.1), Faithfulness(error_code="no_room_for_control")):
        assert routed(replace(outcome(p), faithfulness=found)) is routed(outcome(p))


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("nothing_cited", "it cites nothing that could be tested"),
        ("check_timed_out", "its explanation could not be tested: check_timed_out"),
    ],
)
@given(p=SCORES)
def test_what_was_to_be_tested_and_could_not_be_is_reviewed_instead_of_flagged(code: str, reason: str, p: float) -> None:
    without = route(outcome(p), POLICY, scores_mean_something=True)
    routing = route(replace(outcome(p), faithfulness=Faithfulness(error_code=code)), POLICY, scores_mean_something=True)
    assert without is not None
    assert routing == (Routing(Route.REVIEW, reason) if without.route is Route.FLAG else without)


def test_how_much_is_enough_is_the_version_s_to_say() -> None:
    checked = replace(outcome(0.9), faithfulness=Faithfulness(drop=0.2, control_drop=0.1))
    assert routed(checked) is Route.FLAG
    assert routed(checked, replace(POLICY, explaining=Explaining(least_drop=0.11))) is Route.REVIEW
