"""A claimed task as the page shows it: pure, made from the rows of its case."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.moderation.identifiers import RegionPlace, item_id, region_id
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import Band, PolicyVersion, Said
from worker.moderation.sentences import Sentence, sentences
from worker.moderation.text import clean
from worker.store.models import OutcomeRow, RegionRow
from worker.store.review_answers import WrittenReview
from worker.store.review_cases import Case
from worker.store.review_claims import Claim

LONGEST_EXPLANATION = 12_000  # characters; models write less, and what they write is bounded where it is read


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """A region with the address of its crop. `cut` and `sent` are sides in pixels, of the original and of what the model saw."""

    position: int
    box: tuple[int, int, int, int]
    reason: str
    finding: str | None
    crop: str | None
    cut: tuple[int, int] | None
    sent: tuple[int, int] | None
    scale: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreView:
    """P(generated) on its scale. Without a `band`, or with scores that mean nothing, there are no thresholds to draw."""

    p_generated: float
    raw: float | None
    calibrated: bool
    band: Band | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskView:
    """Everything that `task.html` shows."""

    claim: Claim
    case: Case
    item_id: str
    image: str | None
    regions: Sequence[RegionView]
    explanation: Sequence[Sentence]
    score: ScoreView | None
    answers: Sequence[WrittenReview]

    @property
    def boxes(self) -> list[dict[str, object]]:
        """As the viewer element reads them."""
        return [
            {"position": region.position, "box": list(region.box), "label": clean(region.finding or region.reason, 120)}
            for region in self.regions
        ]


def view_task(claim: Claim, case: Case, answers: Sequence[WrittenReview] = ()) -> TaskView:
    """The view of a claimed task; `answers` are those that its reviewer may see before giving one."""
    outcome, place = case.outcome, item_id(case.task.batch_id, case.task.ordinal)
    regions = [region_view(row) for row in case.regions]
    sent = outcome is not None and outcome.sent_sha256 is not None
    explanation = clean_lines(outcome.explanation if outcome is not None else None)
    return TaskView(
        claim=claim,
        case=case,
        item_id=place,
        image=f"/v1/items/{place}/image?revision={case.task.revision}" if sent else None,
        regions=regions,
        explanation=sentences(explanation, {region.position for region in regions}),
        score=score_view(outcome, case.policy) if outcome is not None else None,
        answers=answers,
    )


def clean_lines(text: str | None) -> str:
    """A model's text without hidden characters; its line breaks stay, since they part sentences."""
    return "\n".join(clean(line) for line in (text or "")[:LONGEST_EXPLANATION].splitlines())


def score_view(outcome: OutcomeRow, policy: PolicyVersion | None) -> ScoreView | None:
    """The score of an outcome; None where it has none."""
    if outcome.p_generated is None or outcome.verdict is None:
        return None
    agreed = outcome.scan_verdict in {None, outcome.verdict}
    return ScoreView(
        p_generated=outcome.p_generated,
        raw=outcome.p_generated_raw,
        calibrated=outcome.p_generated_raw is not None and outcome.p_generated_raw != outcome.p_generated,
        band=policy.band(Said(Verdict(outcome.verdict), agreed)) if policy is not None else None,
    )


def region_view(row: RegionRow) -> RegionView:
    """A region with where its crop is."""
    cut = None
    if row.crop_x0 is not None and row.crop_y0 is not None and row.crop_x1 is not None and row.crop_y1 is not None:
        cut = (row.crop_x1 - row.crop_x0, row.crop_y1 - row.crop_y0)
    name = region_id(RegionPlace(row.batch_id, row.ordinal, row.revision, row.position))
    return RegionView(
        position=row.position,
        box=(row.x0, row.y0, row.x1, row.y1),
        reason=row.reason,
        finding=row.finding,
        crop=f"/v1/regions/{name}/crop" if row.crop_sha256 is not None else None,
        cut=cut,
        sent=(round(cut[0] * row.scale), round(cut[1] * row.scale)) if cut is not None and row.scale is not None else None,
        scale=row.scale,
    )
