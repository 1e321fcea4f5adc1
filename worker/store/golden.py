"""How reviewers fare on images whose answer is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

ACCURACY = text(
    """
    -- accuracy: of each reviewer, and in a row without a name of all together
    SELECT reviewer, count(*) AS answers, count(*) FILTER (WHERE correct) AS correct, count(*) FILTER (WHERE answered = 'unsure') AS unsure,
           count(*) FILTER (WHERE expected = 'generated' AND answered = 'real') AS missed,
           count(*) FILTER (WHERE expected = 'real' AND answered = 'generated') AS false_alarms,
           count(box_iou) AS judged_boxes, avg(box_iou) AS box_iou
      FROM moderation_v1.golden_answers
     WHERE tenant_id = :tenant_id AND answered_at >= :since
     GROUP BY GROUPING SETS ((reviewer), ())
     ORDER BY reviewer
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenAccuracy:
    """Answers on golden images: `answers` = correct + unsure + missed + false_alarms.

    `missed`: generated, and called real. `box_iou` is the mean over the `judged_boxes` answers that judged boxes of images whose boxes are
    known; None where there are none.
    """

    answers: int
    correct: int
    unsure: int
    missed: int
    false_alarms: int
    judged_boxes: int
    box_iou: float | None

    @property
    def accuracy(self) -> float | None:
        """Correct answers of all; None of none."""
        return self.correct / self.answers if self.answers else None


@dataclass(frozen=True, slots=True)
class ReviewersAccuracy:
    """Of all reviewers together, and of each by name."""

    overall: GoldenAccuracy
    reviewers: Sequence[tuple[str, GoldenAccuracy]]


def golden_accuracy(session: Session, tenant_id: str, since: datetime) -> ReviewersAccuracy:
    """Of the answers given since, by the answers as they are known now."""
    rows = [row._asdict() for row in session.execute(ACCURACY, {"tenant_id": tenant_id, "since": since})]
    found = [(row.pop("reviewer"), GoldenAccuracy(**row)) for row in rows]
    overall = next(accuracy for reviewer, accuracy in found if reviewer is None)
    return ReviewersAccuracy(overall, [pair for pair in found if pair[0] is not None])
