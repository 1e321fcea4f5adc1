"""What is shown of what a search found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.orm import Session

from worker.moderation.headlines import CLOSE, OPEN, Headline, headline
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.policy import Action, Route
from worker.moderation.release import Training
from worker.moderation.review import DecisionBasis
from worker.moderation.search import Filter
from worker.store.results import address_of
from worker.store.review_answers import CONCEALED, VISIBLE
from worker.store.review_tasks import Claimant
from worker.store.search import Key

LONGEST_HEADLINE = 400  # characters
LOOKED_AT = 20_000  # characters that matches are marked in; a model is allowed far fewer
MARKING = f'StartSel="{OPEN}", StopSel="{CLOSE}", HighlightAll=true'

SAID = f"""
    CASE WHEN CAST(:words AS text) = '' THEN search_text(left(t.said, {2 * LONGEST_HEADLINE}))
         ELSE ts_headline('english', search_text(left(t.said, {LOOKED_AT})),
                          websearch_to_tsquery('english', search_text(:words)), :marking) END
"""
AS_WRITTEN = text(
    """
    -- as written: the joins below all go from one key to one row; looking for a better order takes longer than they do
    SELECT set_config('join_collapse_limit', '1', true)
    """
)
FOUND = text(
    f"""
    -- found: what is shown of outcomes, in the order of their keys; reviewers are those whom :viewer may see
    SELECT o.batch_id, o.ordinal, o.revision, i.custom_id, i.bucket, i.key, o.kind, o.verdict, o.p_generated, g.route, o.release_id,
           l.training, o.sent_sha256 IS NOT NULL AS pictured, o.created_at AS judged_at, e.erased_at IS NOT NULL AS erased,
           d.id AS decision_id, d.verdict AS decided_verdict, d.action, d.basis, d.created_at AS decided_at, v.reviewers, {SAID} AS said
      FROM unnest(CAST(:batch_ids AS uuid[]), CAST(:ordinals AS integer[]), CAST(:revisions AS smallint[]))
           WITH ORDINALITY AS k (batch_id, ordinal, revision, place)
      JOIN outcomes AS o ON (o.batch_id, o.ordinal, o.revision) = (k.batch_id, k.ordinal, k.revision)
      JOIN items AS i ON (i.batch_id, i.ordinal) = (k.batch_id, k.ordinal)
      LEFT JOIN outcome_texts AS t ON (t.batch_id, t.ordinal, t.revision) = (k.batch_id, k.ordinal, k.revision)
      LEFT JOIN routings AS g ON (g.batch_id, g.ordinal, g.revision) = (k.batch_id, k.ordinal, k.revision) AND g.mode = 'live'
      LEFT JOIN releases AS l ON l.id = o.release_id
      LEFT JOIN erasures AS e ON (e.batch_id, e.ordinal) = (k.batch_id, k.ordinal)
      LEFT JOIN decisions AS d ON (d.batch_id, d.ordinal) = (k.batch_id, k.ordinal)
           AND NOT EXISTS (SELECT FROM decisions AS later WHERE later.supersedes = d.id)
           AND (k.batch_id, k.ordinal) NOT IN ({CONCEALED})
      LEFT JOIN LATERAL (SELECT array_agg(DISTINCT r.reviewer ORDER BY r.reviewer) AS reviewers
                           FROM review_tasks AS t JOIN reviews AS r ON r.task_id = t.id
                          WHERE (t.batch_id, t.ordinal) = (k.batch_id, k.ordinal) AND {VISIBLE}
                            AND (k.batch_id, k.ordinal) NOT IN ({CONCEALED})) AS v ON true
     ORDER BY k.place
    """  # noqa: S608  constants of ours
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDecision:
    """The decision that stands."""

    id: UUID
    verdict: Verdict
    action: Action
    basis: DecisionBasis
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An item as a search shows it, with its newest outcome. `pictured`: whether the model was sent an image of it."""

    batch_id: UUID
    ordinal: int
    revision: int
    custom_id: str
    source: str
    outcome: OutcomeKind
    verdict: Verdict | None
    p_generated: float | None
    route: Route | None
    release: str | None
    training: Training | None
    decision: FoundDecision | None
    reviewers: tuple[str, ...]
    judged_at: datetime
    headline: Headline
    pictured: bool
    erased: bool


def read_found(session: Session, claimant: Claimant, wanted: Filter, keys: Sequence[Key]) -> list[Found]:
    """What is shown of the keys, in their order, with the filter's words marked."""
    if not keys:
        return []
    columns = {
        "batch_ids": [key.batch_id for key in keys],
        "ordinals": [key.ordinal for key in keys],
        "revisions": [key.revision for key in keys],
    }
    viewer = {"viewer": claimant.reviewer, "lead": claimant.lead}
    session.execute(AS_WRITTEN)
    rows = session.execute(FOUND, {**columns, **viewer, "words": wanted.words, "marking": MARKING})
    return [_found(row) for row in rows]


def _found(row: Row[Any]) -> Found:
    return Found(
        batch_id=row.batch_id,
        ordinal=row.ordinal,
        revision=row.revision,
        custom_id=row.custom_id,
        source=address_of(row.bucket, row.key),
        outcome=OutcomeKind(row.kind),
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        route=Route(row.route) if row.route else None,
        release=row.release_id,
        training=Training(row.training) if row.training else None,
        decision=_decision(row) if row.decision_id else None,
        reviewers=tuple(row.reviewers or ()),
        judged_at=row.judged_at,
        headline=headline(row.said or "", LONGEST_HEADLINE),
        pictured=row.pictured and not row.erased,
        erased=row.erased,
    )


def _decision(row: Row[Any]) -> FoundDecision:
    return FoundDecision(
        id=row.decision_id,
        verdict=Verdict(row.decided_verdict),
        action=Action(row.action),
        basis=DecisionBasis(row.basis),
        decided_at=row.decided_at,
    )
