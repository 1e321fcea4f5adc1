"""Boxes: what reviewers made of the model's regions, by the artefact that each is about, and what it missed.

Golden images are left out: the same few are judged again and again. So is what was said of unfinished tasks.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.orm import Session

from worker.moderation.artefacts import Artefact, artefact_of
from worker.moderation.review import JudgementKind
from worker.moderation.shares import Share
from worker.store.review_figures.scope import SETTLED, FigureScope

NEWEST = 5_000  # reviews with judgements that are looked at: enough for intervals of ±1.5 %, whatever the window
WORDS = 200  # characters of a text that are read: what it is about stands at its beginning

JUDGED = text(
    f"""
    -- judged: what the newest reviews of the window said of boxes, by the words of their regions; those of erased images are gone
    WITH newest AS (
        SELECT r.id, t.batch_id, t.ordinal, t.revision
          FROM reviews AS r JOIN review_tasks AS t ON t.id = r.task_id
         WHERE r.created_at >= :since AND {SETTLED} AND t.kind <> 'golden'
           AND t.tenant_id = :tenant_id AND (CAST(:queue AS text) IS NULL OR t.queue = :queue)
           AND EXISTS (SELECT FROM region_judgements AS j WHERE j.review_id = r.id)
         ORDER BY r.created_at DESC LIMIT :newest
    )
    SELECT j.kind, left(g.reason, :words) AS reason, left(g.finding, :words) AS finding, count(*) AS judgements
      FROM newest AS n
      JOIN region_judgements AS j ON j.review_id = n.id
      LEFT JOIN regions AS g ON (g.batch_id, g.ordinal, g.revision, g.position) = (n.batch_id, n.ordinal, n.revision, j.position)
     WHERE j.kind = 'add' OR g.batch_id IS NOT NULL
     GROUP BY 1, 2, 3
    """  # noqa: S608  a constant of ours
)


@dataclass(frozen=True, slots=True)
class Precision:
    """Judgements of boxes about one artefact. A moved one was the right idea in the wrong place."""

    artefact: Artefact
    accepted: int
    moved: int
    rejected: int

    @property
    def share(self) -> Share:
        """Of boxes that were right as they stood."""
        return Share(self.accepted, self.accepted + self.moved + self.rejected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Boxes:
    """Precision by artefact, those first that were judged most; `missed`: boxes that reviewers added."""

    artefacts: Sequence[Precision]
    missed: int

    @property
    def share(self) -> Share:
        """Of all boxes that were right as they stood."""
        return sum((precision.share for precision in self.artefacts), Share(0, 0))


def read_boxes(session: Session, scope: FigureScope) -> Boxes:
    """Of the NEWEST reviews of the window that judged boxes."""
    counts: dict[Artefact, Counter[JudgementKind]] = {}
    missed = 0
    for row in session.execute(JUDGED, {**scope.parameters, "newest": NEWEST, "words": WORDS}):
        if row.kind == JudgementKind.ADD:
            missed += row.judgements
        else:
            counts.setdefault(artefact_of(row.reason, row.finding), Counter())[JudgementKind(row.kind)] += row.judgements
    found = [
        Precision(artefact, kinds[JudgementKind.ACCEPT], kinds[JudgementKind.MOVE], kinds[JudgementKind.REJECT])
        for artefact, kinds in counts.items()
    ]
    return Boxes(artefacts=sorted(found, key=lambda one: (-one.share.whole, one.artefact)), missed=missed)
