"""Items whose image is a task's once more: the same bytes, or one that looks alike. Always within a tenant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from worker.moderation.duplicates import NEAR, bands_nearby
from worker.moderation.identifiers import RegionPlace
from worker.moderation.outcomes import Verdict
from worker.moderation.review import TaskKind
from worker.store.decisions import find_decisions
from worker.store.models import DecisionRow, RegionRow, ReviewTaskRow
from worker.store.results import address_of
from worker.store.review_tasks import Claimant, find_task
from worker.store.task_standings import TaskStanding, task_image, task_standings

MOST_EXACT, MOST_NEAR = 100, 20  # shown; what waits for people comes first
LOOKED_AT = 2_000  # newest copies, and as many with a band in common per band: beyond it they are a black square
MOST_MS = 2_000  # likenesses are a hint: whoever judges does not wait for them
QUERY_CANCELED = "57014"

TIMEOUT = text(
    """
    -- timeout: of the statements that follow, to the transaction's or savepoint's end; what it was before
    SELECT current_setting('statement_timeout') AS before, set_config('statement_timeout', :most, true)
    """
)

SAME_BYTES = """
    SELECT o.batch_id, o.ordinal, o.revision, 0 AS distance
      FROM outcomes AS o JOIN batches AS b ON b.id = o.batch_id AND b.tenant_id = :tenant_id
     WHERE o.image_sha256 = :sha256 ORDER BY o.batch_id DESC LIMIT :looked_at
"""
ALIKE = """
    SELECT DISTINCT n.* FROM unnest(CAST(:bands AS integer[])) AS band (bits)
     CROSS JOIN LATERAL (
           SELECT o.batch_id, o.ordinal, o.revision, o.image_sha256,
                  bit_count(CAST(o.perceptual_hash # CAST(:hash AS bigint) AS bit(64))) AS distance
             FROM outcomes AS o JOIN batches AS b ON b.id = o.batch_id AND b.tenant_id = :tenant_id
            WHERE o.perceptual_hash IS NOT NULL AND perceptual_bands(o.perceptual_hash) @> ARRAY[band.bits]
            LIMIT :looked_at) AS n
     WHERE n.distance <= :near AND n.image_sha256 IS DISTINCT FROM :sha256
"""
FOUND = """
    -- found: other items of the tenant whose newest outcome is one of these; those that wait for people first, then the likest and newest
    SELECT f.*, i.custom_id, i.bucket, i.key, o.verdict, o.p_generated, o.sent_sha256 IS NOT NULL AS shown, d.id AS decision_id
      FROM (SELECT c.*, t.id AS task_id
              FROM ({copies}) AS c
              LEFT JOIN LATERAL (
                   SELECT t.id FROM review_tasks AS t
                    WHERE t.batch_id = c.batch_id AND t.ordinal = c.ordinal AND t.kind <> 'golden'
                      AND t.state IN ('open', 'held', 'escalated')
                    ORDER BY t.kind = 'routing' DESC, t.id DESC LIMIT 1) AS t ON true
             WHERE (c.batch_id, c.ordinal) <> (:batch_id, :ordinal)
               AND NOT EXISTS (SELECT FROM outcomes AS n
                                WHERE n.batch_id = c.batch_id AND n.ordinal = c.ordinal AND n.revision > c.revision)
             ORDER BY t.id IS NULL, c.distance, c.batch_id DESC, c.ordinal LIMIT :most) AS f
      JOIN items AS i ON i.batch_id = f.batch_id AND i.ordinal = f.ordinal
      JOIN outcomes AS o ON o.batch_id = f.batch_id AND o.ordinal = f.ordinal AND o.revision = f.revision
      LEFT JOIN LATERAL (
           SELECT d.id FROM decisions AS d WHERE d.batch_id = f.batch_id AND d.ordinal = f.ordinal
              AND NOT EXISTS (SELECT FROM decisions AS l WHERE l.supersedes = d.id)) AS d ON true
     ORDER BY f.task_id IS NULL, f.distance, f.batch_id DESC, f.ordinal
"""
EXACT, NEARBY = text(FOUND.format(copies=SAME_BYTES)), text(FOUND.format(copies=ALIKE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Another item with the image, its newest outcome, and where it stands: an unfinished task, the decision that stands."""

    batch_id: UUID
    ordinal: int
    revision: int
    custom_id: str
    source: str
    distance: int
    verdict: Verdict | None
    p_generated: float | None
    shown: bool  # the model was sent it: it can be looked at
    crops: Sequence[RegionPlace]
    task: TaskStanding | None
    decision: DecisionRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicates:
    """`exact`: the same bytes. `near`: looks alike, a hint. `more`: there are others than these, or it took too long to look."""

    exact: Sequence[Duplicate]
    near: Sequence[Duplicate]
    more: bool


def find_duplicates(session: Session, task_id: int, claimant: Claimant) -> Duplicates:
    """Those of a task's image. None of a task that must be answered by itself, unswayed. Raises RejectedError `task_missing`."""
    task = find_task(session, task_id, claimant)
    image = task_image(session, task)
    if image is None or task.kind != TaskKind.ROUTING:
        return Duplicates(exact=[], near=[], more=False)
    place = {"tenant_id": task.tenant_id, "batch_id": task.batch_id, "ordinal": task.ordinal, "looked_at": LOOKED_AT}
    exact: Sequence[Row[Any]] = []
    near: Sequence[Row[Any]] | None = []
    if image.image_sha256 is not None:
        exact = session.execute(EXACT, {**place, "sha256": image.image_sha256, "most": MOST_EXACT + 1}).all()
    if image.perceptual_hash is not None:
        alike = {"hash": image.perceptual_hash, "bands": list(bands_nearby(image.perceptual_hash)), "near": NEAR}
        near = _in_time(session, {**place, **alike, "sha256": image.image_sha256, "most": MOST_NEAR + 1})
    given_up, near = near is None, near or []
    shown = [*exact[:MOST_EXACT], *near[:MOST_NEAR]]
    described = _describe(session, task, claimant, shown)
    return Duplicates(
        exact=described[: len(exact[:MOST_EXACT])],
        near=described[len(exact[:MOST_EXACT]) :],
        more=given_up or len(shown) < len(exact) + len(near),
    )


def _in_time(session: Session, parameters: Mapping[str, Any]) -> Sequence[Row[Any]] | None:
    """What looks alike; None when it takes too long. The transaction goes on."""
    try:
        with session.begin_nested():
            before = session.execute(TIMEOUT, {"most": str(MOST_MS)}).one().before
            near = session.execute(NEARBY, parameters).all()
            session.execute(TIMEOUT, {"most": before})
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != QUERY_CANCELED:
            raise
        return None
    return near


def _describe(session: Session, anchor: ReviewTaskRow, claimant: Claimant, rows: Sequence[Row[Any]]) -> list[Duplicate]:
    tasks = task_standings(session, anchor, claimant, {row.task_id: None for row in rows if row.task_id is not None})
    decisions = find_decisions(session, [row.decision_id for row in rows if row.decision_id is not None])
    crops = _crops(session, rows)
    return [
        Duplicate(
            batch_id=row.batch_id,
            ordinal=row.ordinal,
            revision=row.revision,
            custom_id=row.custom_id,
            source=address_of(row.bucket, row.key),
            distance=row.distance,
            verdict=Verdict(row.verdict) if row.verdict else None,
            p_generated=row.p_generated,
            shown=row.shown,
            crops=crops.get((row.batch_id, row.ordinal), []),
            task=tasks.get(row.task_id),
            decision=decisions.get(row.decision_id),
        )
        for row in rows
    ]


def _crops(session: Session, rows: Sequence[Row[Any]]) -> dict[tuple[UUID, int], list[RegionPlace]]:
    """The regions of each that have a crop, in the model's order."""
    region = RegionRow
    places = [(row.batch_id, row.ordinal, row.revision) for row in rows]
    key = (region.batch_id, region.ordinal, region.revision, region.position)
    found: dict[tuple[UUID, int], list[RegionPlace]] = {}
    query = select(*key).where(tuple_(*key[:3]).in_(places), region.crop_sha256.is_not(None)).order_by(*key)
    for place in session.execute(query) if places else ():
        found.setdefault((place.batch_id, place.ordinal), []).append(RegionPlace(*place))
    return found
