"""Figures of review: what waits, what is answered, how people and models agree."""

from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from api.answering import written
from api.cursors import plain_integer
from api.describing import problems
from api.finding import found
from api.reviewing import Watcher
from api.schemas import review_figures as bodies
from api.security.principal import Principal
from api.services import Services
from worker.moderation.agreement import Agreement
from worker.moderation.policy import NAME
from worker.moderation.scopes import Scope
from worker.moderation.shares import Share
from worker.store.golden import GoldenAccuracy, ReviewersAccuracy
from worker.store.review_figures.boxes import Boxes
from worker.store.review_figures.depth import AGES, QueueDepth
from worker.store.review_figures.overrides import Overridden, Overrides
from worker.store.review_figures.reading import ReviewFigures, read_figures
from worker.store.review_figures.scope import MOST_DAYS
from worker.store.review_figures.stages import ReleaseStages
from worker.store.review_figures.throughput import Pace, Throughput
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

router = APIRouter(prefix="/v1/review-figures", tags=["review"])

DEFAULT_DAYS = 7
Days = Annotated[
    int, Field(ge=1, le=MOST_DAYS), BeforeValidator(plain_integer), Query(description="How far back, in days.", examples=[DEFAULT_DAYS])
]
Queue = Annotated[str | None, Query(pattern=f"^{NAME.pattern}$", description="Of this queue alone; figures of outcomes are of all.")]


@router.get("", operation_id="readReviewFigures", response_model=bodies.ReviewFigures, responses=problems("not_found"))
def read_review_figures(principal: Watcher, services: Services, days: Days = DEFAULT_DAYS, queue: Queue = None) -> Response:
    """See how review goes: depth, age, throughput, overrides, agreement, golden accuracy, precision of boxes, scan against zoom.

    Team figures are for everybody here; single reviewers' are for leads and admins, and one's own for oneself.
    """
    with transaction(services.engine) as session:
        ensure_tenant(session, principal.tenant)
        figures = found(read_figures, session, principal.tenant, days=days, queue=queue, only=whose(principal))
    return written(describe_figures(figures))


def whose(principal: Principal) -> str | None:
    """Whose own figures a principal may see beside the team's; None: everybody's."""
    return None if principal.scopes & {Scope.LEAD, Scope.ADMIN} else principal.actor


def describe_figures(figures: ReviewFigures) -> bodies.ReviewFigures:
    """As the API shows them."""
    scope = figures.scope
    return bodies.ReviewFigures(
        since=scope.since,
        until=scope.until,
        step_seconds=int(scope.step.total_seconds()),
        queue=scope.queue,
        queues=[_depth(depth) for depth in figures.depths],
        flow=[bodies.FlowStep(at=one.at, opened=one.opened, closed=one.closed, waiting=one.waiting) for one in figures.flow],
        throughput=_throughput(figures.throughput),
        overrides=_overrides(figures.overrides),
        agreement=bodies.ReviewersAgreement(
            alpha=_coefficient(figures.agreement.alpha),
            pairs=[
                bodies.PairAgreement(one=pair.one, other=pair.other, kappa=_coefficient(pair.kappa)) for pair in figures.agreement.pairs
            ],
        ),
        golden=_golden(figures.golden) if figures.golden is not None else None,
        boxes=_boxes(figures.boxes),
        stages=[_stages(release) for release in figures.stages],
    )


def _depth(depth: QueueDepth) -> bodies.QueueDepth:
    bounds = [0.0, *(age.total_seconds() / 3_600 for age in AGES), None]
    ages = [
        bodies.AgeBucket(from_hours=low or 0.0, to_hours=high, tasks=tasks)
        for (low, high), tasks in zip(pairwise(bounds), depth.ages, strict=True)
    ]
    return bodies.QueueDepth(
        queue=depth.queue,
        tasks=depth.tasks,
        held=depth.held,
        escalated=depth.escalated,
        overdue=depth.overdue,
        oldest=depth.oldest,
        ages=ages,
    )


def _throughput(throughput: Throughput) -> bodies.Throughput:
    return bodies.Throughput(
        total=bodies.Pace(**_pace(throughput.total)),
        steps=[bodies.PaceStep(at=at, **_pace(pace)) for at, pace in throughput.steps],
        reviewers=[bodies.ReviewerPace(reviewer=reviewer, **_pace(pace)) for reviewer, pace in throughput.reviewers],
    )


def _overrides(overrides: Overrides) -> bodies.Overrides:
    return bodies.Overrides(
        total=bodies.Overridden(**_overridden(overrides.total)),
        steps=[bodies.OverriddenStep(at=at, **_overridden(one)) for at, one in overrides.steps],
        policies=[bodies.OverriddenPolicy(policy_version=name, **_overridden(one)) for name, one in overrides.policies],
        releases=[bodies.OverriddenRelease(release=name, **_overridden(one)) for name, one in overrides.releases],
        occasions=[bodies.OverriddenOccasion(kind=kind, **_overridden(one)) for kind, one in overrides.occasions],
    )


def _golden(golden: ReviewersAccuracy) -> bodies.Golden:
    return bodies.Golden(
        total=bodies.GoldenAnswers(**_accuracy(golden.overall)),
        reviewers=[bodies.ReviewerGolden(reviewer=name, **_accuracy(one)) for name, one in golden.reviewers],
    )


def _boxes(boxes: Boxes) -> bodies.Boxes:
    artefacts = [
        bodies.ArtefactPrecision(
            artefact=one.artefact, accepted=one.accepted, moved=one.moved, rejected=one.rejected, precision=_rate(one.share)
        )
        for one in boxes.artefacts
    ]
    return bodies.Boxes(precision=_rate(boxes.share), artefacts=artefacts, missed=boxes.missed)


def _stages(release: ReleaseStages) -> bodies.ReleaseStages:
    steps = [bodies.StageStep(at=at, **dict(_rate(share))) for at, share in release.steps]
    return bodies.ReleaseStages(release=release.release, differing=_rate(release.total), steps=steps)


def _pace(pace: Pace) -> dict[str, Any]:
    return {
        "answers": pace.answers,
        "settled": pace.settled,
        "unsure": pace.unsure,
        "median_seconds": pace.median_seconds,
        "slow_seconds": pace.slow_seconds,
        "measured": pace.measured,
        "exposed_seconds": pace.exposed_seconds,
    }


def _accuracy(one: GoldenAccuracy) -> dict[str, Any]:
    return {
        "accuracy": _rate(Share(one.correct, one.answers)),
        "unsure": one.unsure,
        "missed": one.missed,
        "false_alarms": one.false_alarms,
        "judged_boxes": one.judged_boxes,
        "box_iou": one.box_iou,
    }


def _overridden(one: Overridden) -> dict[str, Any]:
    return {"to_real": one.to_real, "to_generated": one.to_generated, "rate": _rate(one.share)}


def _rate(share: Share) -> bodies.Rate:
    interval = share.interval
    return bodies.Rate(
        part=share.part,
        whole=share.whole,
        value=share.value,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
    )


def _coefficient(agreement: Agreement) -> bodies.Coefficient:
    return bodies.Coefficient(value=agreement.coefficient, observed=agreement.observed, units=agreement.units)
