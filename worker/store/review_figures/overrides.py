"""Overrides: how often people decide otherwise than the model said, by policy version and by release.

Of the images that people decided on, by the decision that stands. What was routed to people is no fair sample of what the model says, so
the share is no error rate; of images that a policy sampled from what it passed (occasion `qa`), it is.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.identifiers import first_uuid7
from worker.moderation.review import TaskKind
from worker.moderation.shares import Share
from worker.store.review_figures.scope import FigureScope

SKEW = timedelta(hours=1)  # ids begin with the time of whoever made them; the row's own time is the database's

DECIDED = text(
    """
    -- decided: people's decisions that stand, over outcomes with a verdict, by step, policy version, release, occasion and both verdicts
    SELECT date_bin(:step, d.created_at, :since) AS at, d.policy_version, o.release_id, t.kind, o.verdict AS said, d.verdict AS decided,
           count(*) AS decisions
      FROM decisions AS d
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (d.batch_id, d.ordinal, d.revision) AND o.verdict IS NOT NULL
      LEFT JOIN review_tasks AS t ON t.id = d.task_id
     WHERE d.tenant_id = :tenant_id AND d.id >= :first AND d.created_at >= :since AND d.basis <> 'automatic'
       AND (CAST(:queue AS text) IS NULL OR t.queue = :queue)
       AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.supersedes = d.id)
     GROUP BY 1, 2, 3, 4, 5, 6
    """
)


@dataclass(frozen=True, slots=True)
class Overridden:
    """Decisions, and those against the model: it had said generated and people real, or the other way round."""

    decisions: int
    to_real: int
    to_generated: int

    @property
    def share(self) -> Share:
        """Of decisions against the model."""
        return Share(self.to_real + self.to_generated, self.decisions)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """In all; for each step; by policy version, by release and by occasion, those first that were decided on most.

    None: without a policy version, without a release; decided by a lead without a task.
    """

    total: Overridden
    steps: Sequence[tuple[datetime, Overridden]]
    policies: Sequence[tuple[str | None, Overridden]]
    releases: Sequence[tuple[str | None, Overridden]]
    occasions: Sequence[tuple[TaskKind | None, Overridden]]


def read_overrides(session: Session, scope: FigureScope) -> Overrides:
    """Of decisions of the window."""
    rows = session.execute(DECIDED, {**scope.parameters, "first": first_uuid7(scope.since - SKEW)}).all()
    steps = dict(_by(rows, lambda row: row.at))
    return Overrides(
        total=_sum(rows),
        steps=[(at, steps.get(at, Overridden(0, 0, 0))) for at in scope.moments],
        policies=_by(rows, lambda row: row.policy_version),
        releases=_by(rows, lambda row: row.release_id),
        occasions=_by(rows, lambda row: TaskKind(row.kind) if row.kind else None),
    )


def _by(rows: Sequence[Row[Any]], key: Callable[[Row[Any]], Any]) -> list[tuple[Any, Overridden]]:
    keys = Counter[Any]()
    for row in rows:
        keys[key(row)] += row.decisions
    return [(value, _sum([row for row in rows if key(row) == value])) for value, _ in keys.most_common()]


def _sum(rows: Sequence[Row[Any]]) -> Overridden:
    counts = Counter[tuple[str, str]]()
    for row in rows:
        counts[row.said, row.decided] += row.decisions
    return Overridden(counts.total(), counts["generated", "real"], counts["real", "generated"])
