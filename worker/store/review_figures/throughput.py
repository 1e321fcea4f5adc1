"""Throughput: how many answers people give, how long one takes, and how long they looked. Answers that were taken back are none."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.store.review_figures.scope import SETTLED, FigureScope

MOST_REVIEWERS = 200  # those who answered most

ANSWERS = text(
    f"""
    -- answers: how many took so long, by step and by reviewer; one pass, and nothing is sorted. Whole seconds up to 100, then tens; none
    -- for what was answered together with another
    SELECT at, reviewer, grouping(at) AS of_reviewer, took, count(*) AS answers,
           count(*) FILTER (WHERE settled) AS settled, count(*) FILTER (WHERE settled AND verdict = 'unsure') AS unsure,
           count(exposure_seconds) AS measured, coalesce(sum(exposure_seconds), 0) AS exposed
      FROM (SELECT date_bin(:step, r.created_at, :since) AS at, r.reviewer, r.verdict, {SETTLED} AS settled, r.exposure_seconds,
                   (CASE WHEN r.answered_with IS NOT NULL THEN NULL WHEN r.seconds < 100 THEN round(r.seconds)
                         ELSE round(r.seconds / 10) * 10 END)::integer AS took
              FROM reviews AS r JOIN review_tasks AS t ON t.id = r.task_id
             WHERE r.created_at >= :since AND r.taken_back_at IS NULL
               AND t.tenant_id = :tenant_id AND (CAST(:queue AS text) IS NULL OR t.queue = :queue)) AS a
     GROUP BY GROUPING SETS ((at, took), (reviewer, took))
    """  # noqa: S608  a constant of ours
)
MIDDLE, SLOW = 0.5, 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Answers, and seconds from claim to answer: of the middle one, and what nine of ten took at most.

    `unsure` are among the `settled`, answers to finished tasks: of others nothing is told that was said.
    `exposed_seconds`: for how long pictures were visible unblurred, over the `measured` answers of which that is known.
    """

    answers: int = 0
    settled: int = 0
    unsure: int = 0
    median_seconds: int | None = None
    slow_seconds: int | None = None
    measured: int = 0
    exposed_seconds: float = 0.0

    @property
    def mean_exposure(self) -> float | None:
        """Seconds for which a picture was visible; None where none was measured."""
        return self.exposed_seconds / self.measured if self.measured else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """In all, for each step, and of each reviewer, those first who answered most."""

    total: Pace
    steps: Sequence[tuple[datetime, Pace]]
    reviewers: Sequence[tuple[str, Pace]]


def read_throughput(session: Session, scope: FigureScope) -> Throughput:
    """Answers of the window."""
    rows = session.execute(ANSWERS, scope.parameters).all()
    steps = _by([row for row in rows if not row.of_reviewer], lambda row: row.at)
    reviewers = _by([row for row in rows if row.of_reviewer], lambda row: row.reviewer)
    return Throughput(
        total=_pace([row for row in rows if row.of_reviewer]),
        steps=[(at, steps.get(at, Pace())) for at in scope.moments],
        reviewers=sorted(reviewers.items(), key=lambda pair: (-pair[1].answers, pair[0]))[:MOST_REVIEWERS],
    )


def _by(rows: Sequence[Row[Any]], key: Callable[[Row[Any]], Any]) -> dict[Any, Pace]:
    groups: dict[Any, list[Row[Any]]] = {}
    for row in rows:
        groups.setdefault(key(row), []).append(row)
    return {value: _pace(group) for value, group in groups.items()}


def _pace(rows: Sequence[Row[Any]]) -> Pace:
    took = Counter[int]()
    for row in rows:
        if row.took is not None:
            took[row.took] += row.answers
    return Pace(
        answers=sum(row.answers for row in rows),
        settled=sum(row.settled for row in rows),
        unsure=sum(row.unsure for row in rows),
        median_seconds=_quantile(took, MIDDLE),
        slow_seconds=_quantile(took, SLOW),
        measured=sum(row.measured for row in rows),
        exposed_seconds=sum(row.exposed for row in rows),
    )


def _quantile(took: Counter[int], share: float) -> int | None:
    """The least number of seconds within which that share of the answers came."""
    reached = accumulate(count for _, count in sorted(took.items()))
    return next((seconds for seconds, count in zip(sorted(took), reached, strict=True) if count >= share * took.total()), None)
