"""Throughput: how many answers people give, and how long one takes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.store.review_figures.scope import FigureScope

MOST_REVIEWERS = 200  # those who answered most

ANSWERS = text(
    """
    -- answers: in all, by step, and by reviewer, with quantiles of their seconds; one pass
    SELECT at, reviewer, grouping(at, reviewer) AS grouped, count(*) AS answers, count(*) FILTER (WHERE verdict = 'unsure') AS unsure,
           percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median, percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds) AS slow
      FROM (SELECT date_bin(:step, r.created_at, :since) AS at, r.reviewer, r.verdict, r.seconds
              FROM reviews AS r JOIN review_tasks AS t ON t.id = r.task_id
             WHERE r.created_at >= :since AND t.tenant_id = :tenant_id AND (CAST(:queue AS text) IS NULL OR t.queue = :queue)) AS a
     GROUP BY GROUPING SETS ((), (at), (reviewer))
    """
)


@dataclass(frozen=True, slots=True)
class Pace:
    """Answers, those that were unsure, and seconds from claim to answer: of the middle one, and what nine of ten stay below."""

    answers: int = 0
    unsure: int = 0
    median_seconds: float | None = None
    slow_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """In all, for each step, and of each reviewer, those first who answered most."""

    total: Pace
    steps: Sequence[tuple[datetime, Pace]]
    reviewers: Sequence[tuple[str, Pace]]


def read_throughput(session: Session, scope: FigureScope) -> Throughput:
    """Answers of the window."""
    rows = session.execute(ANSWERS, scope.parameters).all()
    paces = [(row, Pace(row.answers, row.unsure, row.median, row.slow)) for row in rows]
    steps = {row.at: pace for row, pace in paces if row.grouped == 0b01}
    reviewers = [(row.reviewer, pace) for row, pace in paces if row.grouped == 0b10]
    return Throughput(
        total=next(pace for row, pace in paces if row.grouped == 0b11),
        steps=[(at, steps.get(at, Pace())) for at in scope.moments],
        reviewers=sorted(reviewers, key=lambda pair: (-pair[1].answers, pair[0]))[:MOST_REVIEWERS],
    )
