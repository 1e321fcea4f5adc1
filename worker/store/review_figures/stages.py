"""Stages: how often the zoom came to another verdict than the scan, over time and by release. It rises when a model drifts.

Outcomes are too many to count anew: whoever records some leaves a tally (`worker.store.stage_tallies`), and tallies are added up here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.shares import Share
from worker.store.review_figures.scope import FigureScope

TALLIED = text(
    """
    -- tallied: verdicts to which both stages came, and those on which they differ, by step and release
    SELECT date_bin(:step, created_at, :since) AS at, release_id, sum(verdicts) AS verdicts, sum(disagreed) AS disagreed
      FROM stage_tallies WHERE tenant_id = :tenant_id AND created_at >= :since GROUP BY 1, 2
    """
)


@dataclass(frozen=True, slots=True)
class ReleaseStages:
    """A release: the share of its verdicts on which scan and zoom differ, in all and for each step."""

    release: str
    total: Share
    steps: Sequence[tuple[datetime, Share]]


def read_stages(session: Session, scope: FigureScope) -> list[ReleaseStages]:
    """Of every release that judged in the window, those first that judged most. Outcomes are in no queue: all count."""
    rows = session.execute(TALLIED, scope.parameters).all()
    shares = {(row.release_id, row.at): Share(row.disagreed, row.verdicts) for row in rows}
    judged = Counter[str]()
    for row in rows:
        judged[row.release_id] += row.verdicts
    none = Share(0, 0)
    return [
        ReleaseStages(
            release=release,
            total=sum((share for (of, _), share in shares.items() if of == release), none),
            steps=[(at, shares.get((release, at), none)) for at in scope.moments],
        )
        for release, _ in judged.most_common()
    ]
