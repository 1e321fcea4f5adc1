"""All figures of review at once, as far as whoever asks may see them: a reviewer's own are theirs and the leads'."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from worker.store.golden import ReviewersAccuracy, golden_accuracy
from worker.store.review_figures.agreement import ReviewersAgreement, read_agreement
from worker.store.review_figures.boxes import Boxes, read_boxes
from worker.store.review_figures.depth import Flow, QueueDepth, read_depths, read_flow
from worker.store.review_figures.overrides import Overrides, read_overrides
from worker.store.review_figures.scope import FigureScope, look_back
from worker.store.review_figures.stages import ReleaseStages, read_stages
from worker.store.review_figures.throughput import Throughput, read_throughput
from worker.store.review_queues import find_queue


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewFigures:
    """What each module of this package says of one scope. `golden` is for leads alone: a number that moves tells which image was golden."""

    scope: FigureScope
    depths: Sequence[QueueDepth]
    flow: Sequence[Flow]
    throughput: Throughput
    overrides: Overrides
    agreement: ReviewersAgreement
    golden: ReviewersAccuracy | None
    boxes: Boxes
    stages: Sequence[ReleaseStages]


def read_figures(session: Session, tenant_id: str, *, days: int, queue: str | None, only: str | None) -> ReviewFigures:
    """The last `days`. Beside the team's figures, everybody's, or with `only` none but that reviewer's own.

    Raises RejectedError `queue_missing`.
    """
    if queue is not None:
        find_queue(session, tenant_id, queue)
    scope = look_back(session, tenant_id, days=days, queue=queue)
    depths = read_depths(session, scope)
    return ReviewFigures(
        scope=scope,
        depths=depths,
        flow=read_flow(session, scope, waiting=sum(depth.tasks for depth in depths)),
        throughput=_own_pace(read_throughput(session, scope), only),
        overrides=read_overrides(session, scope),
        golden=golden_accuracy(session, tenant_id, scope.since) if only is None else None,
        agreement=_own_pairs(read_agreement(session, scope), only),
        boxes=read_boxes(session, scope),
        stages=read_stages(session, scope),
    )


def _own_pace(throughput: Throughput, only: str | None) -> Throughput:
    if only is None:
        return throughput
    return replace(throughput, reviewers=[(name, pace) for name, pace in throughput.reviewers if name == only])


def _own_pairs(agreement: ReviewersAgreement, only: str | None) -> ReviewersAgreement:
    """A pair is about two people: none but leads see any."""
    return agreement if only is None else replace(agreement, pairs=())
