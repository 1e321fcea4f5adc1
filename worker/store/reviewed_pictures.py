"""Pictures that people decided on, with what was judged and what reviewers said of each box: for making data of it.

Of reviews, those count whose verdict the decision shares, on the very outcome that was decided on, in tasks that are finished. Who was
overruled in the verdict is not asked about boxes, and an answer to an open task stays blind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, Row, text
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import Verdict
from worker.moderation.review import DecisionBasis
from worker.store import audit
from worker.store.items import item_regions
from worker.store.review_answers import WrittenReview, finished_reviews
from worker.store.session import transaction

PAGE = 200  # decisions per transaction: each reads its regions and reviews

STANDING = text(
    """
    -- standing: a tenant's decisions that no other supersedes, after one of them, with the bytes that were judged
    SELECT d.id, d.batch_id, d.ordinal, d.revision, d.verdict, d.basis, d.decided_by, d.task_id, d.policy_version, d.created_at,
           i.bucket, i.key, coalesce(o.version_id, i.version_id) AS version_id, o.image_sha256, o.media_type, o.width, o.height,
           o.release_id,
           EXISTS (SELECT FROM erasures AS e WHERE e.batch_id = d.batch_id AND e.ordinal = d.ordinal) AS erased,
           EXISTS (SELECT FROM legal_holds AS h WHERE h.batch_id = d.batch_id AND coalesce(h.ordinal, d.ordinal) = d.ordinal
                      AND h.released_at IS NULL) AS held,
           EXISTS (SELECT FROM appeals AS a WHERE a.decision_id = d.id AND a.state = 'open') AS contested,
           EXISTS (SELECT FROM golden_items AS g
                    WHERE g.tenant_id = d.tenant_id AND g.retired_at IS NULL
                      AND ((g.batch_id, g.ordinal) = (d.batch_id, d.ordinal)
                           OR EXISTS (SELECT FROM outcomes AS c
                                       WHERE (c.batch_id, c.ordinal) = (g.batch_id, g.ordinal)
                                         AND c.image_sha256 = o.image_sha256))) AS golden
      FROM decisions AS d
      JOIN items AS i ON i.batch_id = d.batch_id AND i.ordinal = d.ordinal
      LEFT JOIN outcomes AS o ON o.batch_id = d.batch_id AND o.ordinal = d.ordinal AND o.revision = d.revision
     WHERE d.tenant_id = :tenant_id AND d.id > :after
       AND NOT EXISTS (SELECT FROM decisions AS l WHERE l.supersedes = d.id)
       AND (CAST(:since AS timestamptz) IS NULL OR d.created_at >= :since)
       AND (CAST(:policy AS text) IS NULL OR :policy IN (d.policy_version, split_part(d.policy_version, '@', 1)))
       AND (CAST(:queue AS text) IS NULL
            OR EXISTS (SELECT FROM review_tasks AS t WHERE t.batch_id = d.batch_id AND t.ordinal = d.ordinal AND t.queue = :queue))
     ORDER BY d.id LIMIT :page
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Whose decisions, and which: since when, of which review queue, under which policy (a name, or `name@version`). None: all."""

    tenant_id: str
    since: datetime | None = None
    queue: str | None = None
    policy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewedPicture:
    """A picture, the decision about it that stands, and who shares it. Boxes are in original, oriented pixels; so is `size`.

    `image_sha256` is None when the bytes were never read, or are erased. `golden`: it, or a copy of its bytes, is in the golden set.
    """

    decision_id: UUID
    batch_id: UUID
    ordinal: int
    revision: int
    verdict: Verdict
    basis: DecisionBasis
    decided_by: str
    task_id: int | None
    policy_version: str | None
    decided_at: datetime
    bucket: str
    key: str
    version_id: str | None
    image_sha256: str | None
    media_type: str | None
    size: Size | None
    release: str | None
    erased: bool
    held: bool
    contested: bool
    golden: bool
    boxes: Mapping[int, Box]  # the model's, by position
    reviews: tuple[WrittenReview, ...]

    @property
    def people(self) -> frozenset[str]:
        """Who decided so: reviewers, and a lead who did without a task."""
        alone = {self.decided_by} if self.basis is DecisionBasis.LEAD and self.task_id is None else set[str]()
        return frozenset(alone | {review.reviewer for review in self.reviews})


def stream_reviewed(engine: Engine, wanted: Wanted) -> Iterator[ReviewedPicture]:
    """Oldest decision first. Raises TransientError."""
    after = UUID(int=0)
    while True:
        with transaction(engine) as session:
            page = _read_page(session, wanted, after)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].decision_id


def note_reviewed_export(engine: Engine, wanted: Wanted, *, decisions: int, actor: str) -> None:
    """Who takes how many decisions and their pictures out. Written before anything is. Raises TransientError."""
    with transaction(engine) as session:
        chosen = {"queue": wanted.queue, "policy": wanted.policy, "since": wanted.since.isoformat() if wanted.since else None}
        detail = {"format": "dataset", "decisions": decisions, **chosen}
        audit.record(session, actor=actor, action="reviews.exported", tenant_id=wanted.tenant_id, detail=detail)


def _read_page(session: Session, wanted: Wanted, after: UUID) -> list[ReviewedPicture]:
    parameters = {"tenant_id": wanted.tenant_id, "since": wanted.since, "queue": wanted.queue, "policy": wanted.policy}
    return [_picture(session, row) for row in session.execute(STANDING, {**parameters, "after": after, "page": PAGE})]


def _picture(session: Session, row: Row[Any]) -> ReviewedPicture:
    regions = item_regions(session, row.batch_id, row.ordinal, row.revision)
    reviews = finished_reviews(session, (row.batch_id, row.ordinal, row.revision))
    return ReviewedPicture(
        decision_id=row.id,
        batch_id=row.batch_id,
        ordinal=row.ordinal,
        revision=row.revision,
        verdict=Verdict(row.verdict),
        basis=DecisionBasis(row.basis),
        decided_by=row.decided_by,
        task_id=row.task_id,
        policy_version=row.policy_version,
        decided_at=row.created_at,
        bucket=row.bucket,
        key=row.key,
        version_id=row.version_id,
        image_sha256=row.image_sha256,
        media_type=row.media_type,
        size=Size(row.width, row.height) if row.width else None,
        release=row.release_id,
        erased=row.erased,
        held=row.held,
        contested=row.contested,
        golden=row.golden,
        boxes={region.position: Box(region.x0, region.y0, region.x1, region.y1) for region in regions},
        reviews=_sharing(row.verdict, reviews),
    )


def _sharing(verdict: str, reviews: Sequence[WrittenReview]) -> tuple[WrittenReview, ...]:
    return tuple(review for review in reviews if review.answer.verdict == verdict)
