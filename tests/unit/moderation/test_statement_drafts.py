"""Drafts: every sentence names what it rests on, and nobody chooses what follows from the lineage."""

from dataclasses import replace
from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.boxes import Box
from worker.moderation.dsa_vocabulary import AutomatedDecision, ContentType, SourceType, Visibility, YesNo
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action, Route
from worker.moderation.review import DecisionBasis
from worker.moderation.statement_drafts import DecidedRegion, Lineage, draft_facts, draft_payload
from worker.moderation.statement_of_reasons import MOST_FACTS, Reasons

HAND = DecidedRegion(position=1, box=Box(1, 2, 30, 40), reason="a hand", finding="six fingers.", crop_sha256="0" * 64)
EAR = DecidedRegion(position=2, box=Box(5, 6, 7, 8), reason="an ear", finding=None, crop_sha256=None, rejected=True)
LINEAGE = Lineage(
    batch_id=UUID(int=1),
    ordinal=0,
    revision=1,
    basis=DecisionBasis.REVIEW,
    verdict=Verdict.GENERATED,
    action=Action.LABEL,
    decided_on=date(2026, 11, 26),
    model_verdict=Verdict.GENERATED,
    p_generated=0.94,
    release="nano-1",
    explanation="The hand\nis odd",
    policy_version="default@1",
    route=Route.FLAG,
    regions=(HAND, EAR),
)


def test_each_sentence_names_what_it_rests_on_and_rejected_regions_are_not_relied_on() -> None:
    facts = draft_facts(LINEAGE)
    assert facts is not None
    assert facts.splitlines() == [
        "Decision: taken by a person who reviewed the image; the image was found to be generated or altered by artificial intelligence.",
        "Outcome 1: P(generated) is 0.94, by nano-1; policy default@1 routed it to flag.",
        "Whole image: The hand is odd.",
        "Region 1 (1, 2, 30, 40): a hand; on a closer look: six fingers.",
    ]


def test_evidence_that_does_not_speak_for_the_decision_drafts_nothing() -> None:
    assert draft_facts(replace(LINEAGE, verdict=Verdict.REAL)) is None
    assert draft_facts(replace(LINEAGE, model_verdict=Verdict.REAL)) is None
    assert draft_facts(replace(LINEAGE, model_verdict=None)) is None


@given(st.lists(st.text(max_size=3_000), max_size=40))
def test_facts_fit_whatever_the_model_wrote(reasons: list[str]) -> None:
    regions = [replace(HAND, position=number, reason=reason) for number, reason in enumerate(reasons, 1)]
    facts = draft_facts(replace(LINEAGE, regions=regions))
    assert facts is not None
    assert len(facts) <= MOST_FACTS
    assert all(line.startswith(("Decision: ", "Outcome ", "Whole image: ", "Region ")) for line in facts.splitlines())


@pytest.mark.parametrize(
    ("basis", "model", "expected"),
    [
        (DecisionBasis.AUTOMATIC, Verdict.GENERATED, AutomatedDecision.AUTOMATED_DECISION_FULLY),
        (DecisionBasis.REVIEW, Verdict.GENERATED, AutomatedDecision.AUTOMATED_DECISION_PARTIALLY),
        (DecisionBasis.APPEAL, Verdict.REAL, AutomatedDecision.AUTOMATED_DECISION_PARTIALLY),
        (DecisionBasis.LEAD, None, AutomatedDecision.AUTOMATED_DECISION_NOT_AUTOMATED),
    ],
)
def test_how_far_machines_decided_follows_from_who_decided(
    basis: DecisionBasis, model: Verdict | None, expected: AutomatedDecision
) -> None:
    assert draft_payload(Reasons(), replace(LINEAGE, basis=basis, model_verdict=model), puid="p").automated_decision is expected


@pytest.mark.parametrize(
    ("source", "route", "expected"),
    [
        (SourceType.SOURCE_VOLUNTARY, Route.FLAG, YesNo.YES),
        (None, Route.REVIEW, YesNo.YES),
        (SourceType.SOURCE_ARTICLE_16, Route.FLAG, YesNo.NO),  # a notice found it
        (SourceType.SOURCE_VOLUNTARY, Route.PASS, YesNo.NO),  # a person did, the policy had let it pass
    ],
)
def test_detection_was_automated_when_the_policy_singled_it_out_and_no_notice_did(
    source: SourceType | None, route: Route, expected: YesNo
) -> None:
    assert draft_payload(Reasons(source_type=source), replace(LINEAGE, route=route), puid="p").automated_detection is expected


def test_what_the_platform_says_comes_before_what_is_derived() -> None:
    payload = draft_payload(Reasons(decision_facts="my own words", application_date=date(2026, 12, 1)), LINEAGE, puid="p")
    assert (payload.decision_facts, payload.application_date) == ("my own words", date(2026, 12, 1))
    assert payload.decision_visibility == (Visibility.DECISION_VISIBILITY_CONTENT_LABELLED,)
    assert payload.content_type == (ContentType.CONTENT_TYPE_IMAGE, ContentType.CONTENT_TYPE_SYNTHETIC_MEDIA)


def test_what_a_restriction_is_the_platform_must_say() -> None:
    assert draft_payload(Reasons(), replace(LINEAGE, action=Action.RESTRICT), puid="p").decision_visibility is None
