"""Items one by one: where each stands, and everything that was recorded of it. Always within a tenant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import RegionPlace
from worker.moderation.outcomes import OutcomeKind
from worker.moderation.release import Training
from worker.store.models import OutcomeRow, RegionRow, TraceRow
from worker.store.results import ItemError, address_of

WINDOW = 5_000  # ordinals that a filtered page looks at: some 20 ms, however rare the state
MOST_REVISIONS = 100

COLUMNS = """
    i.batch_id, i.ordinal, i.custom_id, i.bucket, i.key, i.version_id, i.line, i.metadata,
    o.kind, o.revision, o.verdict, o.p_generated, o.explanation, o.path, o.release_id, r.training, o.error_code, o.error_message,
    e.erased_at
"""
NEWEST = """
      LEFT JOIN LATERAL (
           SELECT * FROM outcomes AS n WHERE n.batch_id = i.batch_id AND n.ordinal = i.ordinal
            ORDER BY n.revision DESC LIMIT 1) AS o ON true
      LEFT JOIN releases AS r ON r.id = o.release_id
      LEFT JOIN erasures AS e ON e.batch_id = i.batch_id AND e.ordinal = i.ordinal
"""
PAGE = text(
    f"""
    -- item page: items after an ordinal with their newest outcomes
    SELECT {COLUMNS} FROM items AS i {NEWEST}
     WHERE i.batch_id = :batch_id AND i.ordinal > :after ORDER BY i.ordinal LIMIT :limit
    """  # noqa: S608  constants of this module
)
STATE_PAGE = text(
    f"""
    -- item page by state: those of a window of ordinals whose newest outcome is of the kind, or missing
    SELECT {COLUMNS} FROM items AS i {NEWEST}
     WHERE i.batch_id = :batch_id AND i.ordinal > :after AND i.ordinal <= :last AND coalesce(o.kind, 'pending') = :state
     ORDER BY i.ordinal LIMIT :limit
    """  # noqa: S608  constants of this module
)
ONE = text(
    f"""
    -- one item of a tenant
    SELECT {COLUMNS} FROM batches AS b JOIN items AS i ON i.batch_id = b.id {NEWEST}
     WHERE b.id = :batch_id AND b.tenant_id = :tenant AND i.ordinal = :ordinal
    """  # noqa: S608  constants of this module
)
EXISTS = text(
    """
    -- exists: whether the tenant has the item
    SELECT FROM batches AS b JOIN items AS i ON i.batch_id = b.id
     WHERE b.id = :batch_id AND b.tenant_id = :tenant AND i.ordinal = :ordinal
    """
)
CROP = text(
    """
    -- crop: the evidence object of a tenant's region
    SELECT e.sha256, e.bucket, e.key, e.media_type, e.byte_count
      FROM batches AS b
      JOIN regions AS g ON g.batch_id = b.id AND g.ordinal = :ordinal AND g.revision = :revision AND g.position = :position
      LEFT JOIN evidence AS e ON e.sha256 = g.crop_sha256 AND e.removed_at IS NULL
     WHERE b.id = :batch_id AND b.tenant_id = :tenant
    """
)
ERASED = text(
    """
    -- erased: whether the tenant's item was
    SELECT FROM batches AS b JOIN erasures AS e ON e.batch_id = b.id
     WHERE b.id = :batch_id AND b.tenant_id = :tenant AND e.ordinal = :ordinal
    """
)

IMAGE = text(
    """
    -- image: the evidence object of the shrunken whole image of an item's revision, or of its newest
    SELECT o.revision, e.sha256, e.bucket, e.key, e.media_type, e.byte_count
      FROM (SELECT revision, sent_sha256 FROM outcomes
             WHERE batch_id = :batch_id AND ordinal = :ordinal AND revision = coalesce(:revision, revision)
             ORDER BY revision DESC LIMIT 1) AS o
      JOIN evidence AS e ON e.sha256 = o.sent_sha256 AND e.removed_at IS NULL
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemStanding:
    """An item and its newest outcome."""

    batch_id: UUID
    ordinal: int
    custom_id: str
    source: str
    version_id: str | None
    line: int
    metadata: dict[str, Any] | None
    state: OutcomeKind | None  # None: pending
    revision: int | None
    verdict: str | None
    p_generated: float | None
    explanation: str | None
    path: str | None
    release: str | None
    training: Training | None
    error: ItemError | None
    erased_at: datetime | None  # then it has neither a source nor metadata, nor words or hashes of its image


@dataclass(frozen=True, slots=True)
class ItemPage:
    """A page of items; `after` is where the next one begins, None on the last."""

    items: Sequence[ItemStanding]
    after: int | None


@dataclass(frozen=True, slots=True)
class StoredEvidence:
    """Where pixels that the model was sent are kept, and what they must be."""

    sha256: str
    bucket: str
    key: str
    media_type: str
    byte_count: int


@dataclass(frozen=True, slots=True)
class StoredImage:
    """The shrunken whole image that the model was sent at a revision."""

    revision: int
    evidence: StoredEvidence


def read_items(session: Session, batch_id: UUID, *, accepted: int, after: int, limit: int, state: str | None = None) -> ItemPage:
    """Items of a batch of `accepted` ones, behind an ordinal. With a `state`, at most WINDOW ordinals are looked at."""
    if state is None:
        rows = session.execute(PAGE, {"batch_id": batch_id, "after": after, "limit": limit + 1}).all()
        return ItemPage([_standing(row) for row in rows[:limit]], rows[limit - 1].ordinal if len(rows) > limit else None)
    last = after + WINDOW
    parameters = {"batch_id": batch_id, "after": after, "last": last, "state": state, "limit": limit}
    rows = session.execute(STATE_PAGE, parameters).all()
    reached = rows[-1].ordinal if len(rows) == limit else last
    return ItemPage([_standing(row) for row in rows], reached if reached < accepted - 1 else None)


def find_item(session: Session, tenant_id: str, batch_id: UUID, ordinal: int) -> ItemStanding:
    """Raises RejectedError `item_missing`, also for another tenant's."""
    row = session.execute(ONE, {"tenant": tenant_id, "batch_id": batch_id, "ordinal": ordinal}).one_or_none()
    if row is None:
        raise _missing(batch_id, ordinal)
    return _standing(row)


def check_item(session: Session, tenant_id: str, batch_id: UUID, ordinal: int) -> None:
    """Raises RejectedError `item_missing` unless the tenant has the item."""
    if session.execute(EXISTS, {"tenant": tenant_id, "batch_id": batch_id, "ordinal": ordinal}).one_or_none() is None:
        raise _missing(batch_id, ordinal)


def outcome_kind(session: Session, batch_id: UUID, ordinal: int, revision: int | None) -> tuple[int, OutcomeKind] | None:
    """Revision and kind of that outcome, by default of the newest; None where there is none."""
    query = select(OutcomeRow.revision, OutcomeRow.kind).filter_by(batch_id=batch_id, ordinal=ordinal)
    wanted = query if revision is None else query.filter_by(revision=revision)
    row = session.execute(wanted.order_by(OutcomeRow.revision.desc()).limit(1)).one_or_none()
    return None if row is None else (row.revision, OutcomeKind(row.kind))


def item_outcomes(session: Session, batch_id: UUID, ordinal: int) -> list[OutcomeRow]:
    """Newest revision first."""
    query = select(OutcomeRow).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(MOST_REVISIONS)
    return list(session.execute(query).scalars())


def item_regions(session: Session, batch_id: UUID, ordinal: int, revision: int | None) -> list[RegionRow]:
    """Those of a revision, by default of the newest outcome."""
    wanted = revision if revision is not None else _newest(session, batch_id, ordinal)
    query = select(RegionRow).filter_by(batch_id=batch_id, ordinal=ordinal, revision=wanted).order_by(RegionRow.position)
    return list(session.execute(query).scalars())


def item_traces(session: Session, batch_id: UUID, ordinal: int, revision: int | None) -> list[TraceRow]:
    """Those of a revision, by default of the newest outcome."""
    wanted = revision if revision is not None else _newest(session, batch_id, ordinal)
    query = select(TraceRow).filter_by(batch_id=batch_id, ordinal=ordinal, revision=wanted).order_by(TraceRow.stage, TraceRow.attempt)
    return list(session.execute(query).scalars())


def find_crop(session: Session, tenant_id: str, place: RegionPlace) -> StoredEvidence | None:
    """Where the crop is; None for a region without one, or whose term is over.

    Raises RejectedError `item_erased`; `region_missing`, also for another tenant's.
    """
    parameters = {"batch_id": place.batch_id, "ordinal": place.ordinal, "revision": place.revision, "position": place.position}
    row = session.execute(CROP, {**parameters, "tenant": tenant_id}).one_or_none()
    if row is None:
        _refuse_erased(session, tenant_id, place.batch_id, place.ordinal)
        raise RejectedError("region_missing", "There is no such region.")
    return StoredEvidence(*row) if row.sha256 else None


def find_image(session: Session, tenant_id: str, batch_id: UUID, ordinal: int, revision: int | None) -> StoredImage | None:
    """Where the shrunken whole image of a revision is, by default of the newest; None when the model was sent none, or its term is over.

    Raises RejectedError `item_erased`; `item_missing`, also for another tenant's.
    """
    check_item(session, tenant_id, batch_id, ordinal)
    _refuse_erased(session, tenant_id, batch_id, ordinal)
    row = session.execute(IMAGE, {"batch_id": batch_id, "ordinal": ordinal, "revision": revision}).one_or_none()
    return None if row is None else StoredImage(row.revision, StoredEvidence(*row[1:]))


def _refuse_erased(session: Session, tenant_id: str, batch_id: UUID, ordinal: int) -> None:
    if session.execute(ERASED, {"tenant": tenant_id, "batch_id": batch_id, "ordinal": ordinal}).one_or_none() is not None:
        raise RejectedError("item_erased", "The image was erased, and its crops with it.")


def _newest(session: Session, batch_id: UUID, ordinal: int) -> int | None:
    query = select(OutcomeRow.revision).filter_by(batch_id=batch_id, ordinal=ordinal).order_by(OutcomeRow.revision.desc()).limit(1)
    return session.execute(query).scalar_one_or_none()


def _missing(batch_id: UUID, ordinal: int) -> RejectedError:
    return RejectedError("item_missing", f"Batch {batch_id} has no item {ordinal}.")


def _standing(row: Row[Any]) -> ItemStanding:
    return ItemStanding(
        batch_id=row.batch_id,
        ordinal=row.ordinal,
        custom_id=row.custom_id,
        source=address_of(row.bucket, row.key),
        version_id=row.version_id,
        line=row.line,
        metadata=row.metadata,
        state=OutcomeKind(row.kind) if row.kind else None,
        revision=row.revision,
        verdict=row.verdict,
        p_generated=row.p_generated,
        explanation=row.explanation,
        path=row.path,
        release=row.release_id,
        training=Training(row.training) if row.training else None,
        error=ItemError(row.error_code, row.error_message or "") if row.error_code else None,
        erased_at=row.erased_at,
    )
