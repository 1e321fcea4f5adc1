from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.errors import RejectedError
from worker.moderation.opening import SAMPLED, OutcomePlace, Question, drawn, question
from worker.moderation.outcomes import Outcome, OutcomeKind, Verdict
from worker.moderation.policy import DEFAULT_BANDS, PLAIN, Action, AutomaticAction, Band, Opening, PolicyVersion, Route, Said, route
from worker.moderation.review import TaskKind

BATCH, KEY = uuid4(), uuid4()
PLACES = [OutcomePlace(BATCH, ordinal, 1) for ordinal in range(4_000)]
BANDS = {**DEFAULT_BANDS, **{Said(verdict, agreed=False): Band(0.1, 0.9) for verdict in Verdict}}


def version(opening: Opening = PLAIN, *, number: int = 1, key: UUID = KEY, automatic: AutomaticAction | None = None) -> PolicyVersion:
    return PolicyVersion(policy="default", version=number, bands=BANDS, automatic=automatic, opening=replace(opening, key=key))


def asked(of: PolicyVersion, p: float, *, agreed: bool = True, place: OutcomePlace = PLACES[0]) -> Question | None:
    said = Verdict.GENERATED if p >= 0.5 else Verdict.REAL
    scan = said if agreed else next(other for other in Verdict if other is not said)
    outcome = Outcome(ordinal=0, kind=OutcomeKind.VERDICT, verdict=said, p_generated=p, scan_verdict=scan)
    return question(outcome, route(outcome, of, scores_mean_something=True), of, place)


def sample(of: PolicyVersion, purpose: str, share: float) -> set[int]:
    return {place.ordinal for place in PLACES if drawn(purpose, share, of, place)}


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_sample_has_about_its_share(share: float) -> None:
    assert abs(len(sample(version(), "qa", share)) / len(PLACES) - share) < 0.04


def test_a_sample_is_the_same_however_often_it_is_drawn_and_grows_with_its_share() -> None:
    assert sample(version(), "qa", 0.1) == sample(version(), "qa", 0.1) < sample(version(), "qa", 0.2)


def test_samples_of_other_purposes_versions_keys_and_revisions_are_others() -> None:
    first = sample(version(), "qa", 0.5)
    others = [sample(version(), "double", 0.5), sample(version(number=2), "qa", 0.5), sample(version(key=uuid4()), "qa", 0.5)]
    others.append({p.ordinal for p in PLACES if drawn("qa", 0.5, version(), OutcomePlace(BATCH, p.ordinal, 2))})
    for other in others:
        assert 0.4 < len(first & other) / len(first) < 0.6


@given(place=st.builds(OutcomePlace, st.uuids(), st.integers(0, 2**31 - 1), st.integers(1, 2**15 - 1)))
def test_a_share_of_nothing_draws_none_and_of_everything_all(place: OutcomePlace) -> None:
    assert not drawn("qa", 0.0, version(), place)
    assert drawn("qa", 1.0, version(), place)


def test_what_passes_is_asked_about_when_it_is_sampled_and_nobody_is_told_why() -> None:
    assert asked(version(), 0.05) is None
    assert asked(version(Opening(qa_share=1.0, double_share=1.0)), 0.05) == Question(
        kind=TaskKind.QA, queue="default", route=Route.PASS, reason=SAMPLED
    )


@pytest.mark.parametrize(("p", "expected"), [(0.6, Route.REVIEW), (0.95, Route.FLAG)])
def test_what_is_reviewed_or_flagged_is_asked_one_reviewer_more_when_it_is_sampled(p: float, expected: Route) -> None:
    once, twice = asked(version(), p), asked(version(Opening(double_share=1.0)), p)
    assert once is not None
    assert twice is not None
    assert (once.kind, once.route, once.more_slots, twice.more_slots) == (TaskKind.ROUTING, expected, 0, 1)


def test_disagreements_and_flags_go_where_the_version_says_and_disagreements_first() -> None:
    plain, own = version(), version(Opening(flag_queue="flags", disagreement_queue="odds"))
    cases = ((0.6, True), (0.95, True), (0.6, False), (0.95, False))
    assert [q.queue for p, agreed in cases if (q := asked(plain, p, agreed=agreed))] == ["default"] * 4
    assert [q.queue for p, agreed in cases if (q := asked(own, p, agreed=agreed))] == ["default", "flags", "odds", "odds"]


def test_nobody_is_asked_about_what_is_acted_on_automatically_or_was_cancelled() -> None:
    bold = version(Opening(double_share=1.0), automatic=AutomaticAction(Action.LABEL, "ann", "why"))
    assert asked(bold, 0.95) is None
    assert asked(bold, 0.6) is not None
    cancelled = Outcome(ordinal=0, kind=OutcomeKind.CANCELLED)
    assert question(cancelled, None, version(Opening(qa_share=1.0)), PLACES[0]) is None


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(RejectedError, match="qa_share is a share"):
        Opening(qa_share=share)
    with pytest.raises(RejectedError, match="double_share is a share"):
        Opening(double_share=share)
