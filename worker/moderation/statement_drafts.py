"""Drafts of statements of reasons: facts out of the evidence, each sentence naming what it rests on; the rest by the platform and the law.

A draft is for a person to read, change and sign. `automated_detection` and `automated_decision` are nobody's to choose: they follow from
how the decision came about.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from worker.moderation.boxes import Box
from worker.moderation.dsa_vocabulary import AutomatedDecision, ContentType, SourceType, Visibility, YesNo
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Action, Route
from worker.moderation.review import DecisionBasis
from worker.moderation.statement_of_reasons import MOST_FACTS, Payload, Reasons
from worker.moderation.text import clean

LONGEST_SENTENCE = 600  # characters; models write less
NOTICES = frozenset(SourceType) - {SourceType.SOURCE_VOLUNTARY}
# `restrict` is for the platform to say: demoted, age-restricted, closed to interaction…
VISIBILITY = {Action.LABEL: Visibility.DECISION_VISIBILITY_CONTENT_LABELLED, Action.REMOVE: Visibility.DECISION_VISIBILITY_CONTENT_REMOVED}
BY_WHOM = {
    DecisionBasis.AUTOMATIC: "taken automatically, under an opt-in that the policy records",
    DecisionBasis.REVIEW: "taken by a person who reviewed the image",
    DecisionBasis.LEAD: "taken by a lead reviewer",
    DecisionBasis.APPEAL: "taken by another person after an appeal",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecidedRegion:
    """A region of the decided outcome. `rejected`: a reviewer said that it shows nothing."""

    position: int
    box: Box
    reason: str
    finding: str | None
    crop_sha256: str | None
    rejected: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """How a decision came about: the outcome it was decided on, how that was routed, and by whom it was decided."""

    batch_id: UUID
    ordinal: int
    revision: int
    basis: DecisionBasis
    verdict: Verdict
    action: Action
    decided_on: date
    model_verdict: Verdict | None  # None: unreadable, failed
    p_generated: float | None
    release: str | None
    explanation: str | None
    policy_version: str | None
    route: Route | None
    regions: Sequence[DecidedRegion]

    @property
    def detected(self) -> bool:
        """Whether automated means singled the image out."""
        return self.model_verdict is not None and self.route in {Route.REVIEW, Route.FLAG}


def draft_payload(reasons: Reasons, lineage: Lineage, *, puid: str) -> Payload:
    """The payload of what the platform says and what follows from the decision. It may still break rules."""
    said = reasons.model_dump(exclude_none=True)
    visibility = VISIBILITY.get(lineage.action)
    derived = {
        "content_type": _content_type(lineage),
        "application_date": lineage.decided_on,
        "decision_facts": draft_facts(lineage),
        **({"decision_visibility": (visibility,)} if visibility else {}),
    }
    noticed = reasons.source_type in NOTICES
    return Payload.model_validate(
        {
            **{field: value for field, value in derived.items() if value is not None},
            **said,
            "automated_detection": YesNo.YES if lineage.detected and not noticed else YesNo.NO,
            "automated_decision": automated_decision(lineage),
            "puid": puid,
        }
    )


def automated_decision(lineage: Lineage) -> AutomatedDecision:
    """Fully where no person looked, not at all where there was no machine's verdict to look at, else partially."""
    if lineage.basis is DecisionBasis.AUTOMATIC:
        return AutomatedDecision.AUTOMATED_DECISION_FULLY
    if lineage.model_verdict is None:
        return AutomatedDecision.AUTOMATED_DECISION_NOT_AUTOMATED
    return AutomatedDecision.AUTOMATED_DECISION_PARTIALLY


def draft_facts(lineage: Lineage) -> str | None:
    """One sentence a line, each naming what it rests on; None where the evidence does not speak for the decision: a person must say why.

    Regions that a reviewer rejected are not relied on.
    """
    if not lineage.verdict is lineage.model_verdict is Verdict.GENERATED:
        return None
    lines = [f"Decision: {BY_WHOM[lineage.basis]}; the image was found to be generated or altered by artificial intelligence."]
    if lineage.p_generated is not None:
        lines.append(f"Outcome {lineage.revision}: P(generated) is {lineage.p_generated:.2f}, by {lineage.release}{_routed(lineage)}.")
    if lineage.explanation:
        lines.append(_sentence("Whole image", lineage.explanation))
    lines += [_region(region) for region in lineage.regions if not region.rejected]
    return "\n".join(_within(lines, MOST_FACTS))


def _content_type(lineage: Lineage) -> tuple[ContentType, ...]:
    image = (ContentType.CONTENT_TYPE_IMAGE,)
    return (*image, ContentType.CONTENT_TYPE_SYNTHETIC_MEDIA) if lineage.verdict is Verdict.GENERATED else image


def _routed(lineage: Lineage) -> str:
    return f"; policy {lineage.policy_version} routed it to {lineage.route}" if lineage.route and lineage.policy_version else ""


def _region(region: DecidedRegion) -> str:
    said = f"{region.reason}; on a closer look: {region.finding}" if region.finding else region.reason
    return _sentence(f"Region {region.position} {region.box.corners()}", said)


def _sentence(source: str, said: str) -> str:
    return f"{source}: {clean(said, LONGEST_SENTENCE).rstrip('.')}."


def _within(lines: Sequence[str], limit: int) -> Sequence[str]:
    """As many whole lines as fit."""
    length = 0
    for number, line in enumerate(lines):
        length += len(line) + 1
        if length > limit + 1:
            return lines[:number]
    return lines
