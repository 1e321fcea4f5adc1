"""Reading what became of a batch, item by item, in constant memory however many there are."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy import Engine, Row, text
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import OutcomeKind, Region, Verdict, ZoomPath
from worker.moderation.release import Training
from worker.store.session import transaction

PAGE = 1_000  # items per query: a few hundred kB, a few ms
Found = TypeVar("Found")

ITEMS = text(
    """
    -- items after an ordinal, each with its newest outcome, or that of one revision
    SELECT i.batch_id, i.ordinal, i.custom_id, i.bucket, i.key, i.version_id, o.kind, o.revision, o.verdict, o.p_generated, o.explanation,
           o.path, o.release_id, r.training, o.image_sha256, o.width, o.height, o.error_code, o.error_message,
           e.erased_at IS NOT NULL AS erased
      FROM items AS i
      LEFT JOIN erasures AS e ON e.batch_id = i.batch_id AND e.ordinal = i.ordinal
      LEFT JOIN LATERAL (
           SELECT * FROM outcomes AS n
            WHERE n.batch_id = i.batch_id AND n.ordinal = i.ordinal AND (CAST(:revision AS smallint) IS NULL OR n.revision = :revision)
            ORDER BY n.revision DESC LIMIT 1) AS o ON true
      LEFT JOIN releases AS r ON r.id = o.release_id
     WHERE i.batch_id = :batch_id AND i.ordinal > :after
     ORDER BY i.ordinal LIMIT :page
    """
)
REGIONS = text(
    """
    -- regions of a page of items, every revision of them
    SELECT ordinal, revision, x0, y0, x1, y1, reason, finding, crop_sha256, crop_x0, crop_y0, crop_x1, crop_y1, scale
      FROM regions
     WHERE batch_id = :batch_id AND ordinal BETWEEN :first AND :last
     ORDER BY ordinal, revision, position
    """
)
ROW_ERRORS = text(
    """
    -- row errors after a line
    SELECT line, code, message FROM row_errors WHERE batch_id = :batch_id AND line > :after ORDER BY line LIMIT :page
    """
)


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item has no verdict. `code` is stable, `message` for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemResult:
    """An item and its outcome. `outcome` is None while it has none. Boxes are in original, oriented pixels; so is `size`."""

    batch_id: UUID
    ordinal: int
    custom_id: str
    bucket: str
    key: str
    version_id: str | None  # as pinned by the submitter
    outcome: OutcomeKind | None = None
    revision: int | None = None
    verdict: Verdict | None = None
    p_generated: float | None = None
    regions: tuple[Region, ...] = ()
    explanation: str | None = None
    path: ZoomPath | None = None
    release: str | None = None
    training: Training | None = None
    image_sha256: str | None = None  # of the bytes that were judged
    size: Size | None = None
    error: ItemError | None = None
    erased: bool = False  # only numbers are left of it

    @property
    def source(self) -> str:
        """The reference as people write it; empty when it was erased."""
        return address_of(self.bucket, self.key)


def address_of(bucket: str, key: str) -> str:
    """A reference as people write it; empty where it was erased."""
    return f"s3://{bucket}/{key}" if bucket else ""


@dataclass(frozen=True, slots=True)
class RowError:
    """A row of the source that did not become an item."""

    line: int
    code: str
    message: str


def stream_results(engine: Engine, batch_id: UUID, revision: int | None = None) -> Iterator[ItemResult]:
    """Every item in order, with its newest outcome, or the one of `revision`. Raises TransientError."""
    return _pages(engine, lambda session, after: read_results(session, batch_id, after=after, revision=revision), lambda item: item.ordinal)


def stream_row_errors(engine: Engine, batch_id: UUID) -> Iterator[RowError]:
    """Every refused row, by line. Raises TransientError."""
    return _pages(engine, lambda session, after: read_row_errors(session, batch_id, after=after), lambda error: error.line)


def read_results(session: Session, batch_id: UUID, *, after: int = -1, revision: int | None = None, page: int = PAGE) -> list[ItemResult]:
    """Up to `page` items whose ordinals follow `after`."""
    rows = session.execute(ITEMS, {"batch_id": batch_id, "after": after, "revision": revision, "page": page}).all()
    if not rows:
        return []
    boxes = session.execute(REGIONS, {"batch_id": batch_id, "first": rows[0].ordinal, "last": rows[-1].ordinal})
    regions: dict[tuple[int, int], list[Region]] = {}
    for box in boxes:
        regions.setdefault((box.ordinal, box.revision), []).append(_region(box))
    return [_result(row, regions.get((row.ordinal, row.revision), ())) for row in rows]


def read_row_errors(session: Session, batch_id: UUID, *, after: int = -1, page: int = PAGE) -> list[RowError]:
    """Up to `page` row errors whose lines follow `after`."""
    rows = session.execute(ROW_ERRORS, {"batch_id": batch_id, "after": after, "page": page})
    return [RowError(row.line, row.code, row.message) for row in rows]


def _pages(engine: Engine, read: Callable[[Session, int], list[Found]], position: Callable[[Found], int]) -> Iterator[Found]:
    # A transaction per page, ended before anything is handed out: a reader may stop for a coffee (`| less`), and rows never change.
    after = -1
    while True:
        with transaction(engine) as session:
            page = read(session, after)
        yield from page
        if not page:
            return
        after = position(page[-1])


def _result(row: Row[Any], regions: Sequence[Region]) -> ItemResult:
    return ItemResult(
        batch_id=row.batch_id,
        ordinal=row.ordinal,
        custom_id=row.custom_id,
        bucket=row.bucket,
        key=row.key,
        version_id=row.version_id,
        outcome=OutcomeKind(row.kind) if row.kind else None,
        revision=row.revision,
        verdict=Verdict(row.verdict) if row.verdict else None,
        p_generated=row.p_generated,
        regions=tuple(regions),
        explanation=row.explanation,
        path=ZoomPath(row.path) if row.path else None,
        release=row.release_id,
        training=Training(row.training) if row.training else None,
        image_sha256=row.image_sha256,
        size=Size(row.width, row.height) if row.width else None,
        error=ItemError(row.error_code, row.error_message or "") if row.error_code else None,
        erased=row.erased,
    )


def _region(row: Row[Any]) -> Region:
    return Region(
        box=Box(row.x0, row.y0, row.x1, row.y1),
        reason=row.reason,
        finding=row.finding,
        crop_box=Box(row.crop_x0, row.crop_y0, row.crop_x1, row.crop_y1) if row.crop_x0 is not None else None,
        crop_sha256=row.crop_sha256,
        scale=row.scale,
    )
