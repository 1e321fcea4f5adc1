"""How closely images were looked at: one row per verdict, written with its outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box, Size
from worker.moderation.coverage import Area, Coverage, coverage_of, seen_areas
from worker.moderation.outcomes import Outcome, Region
from worker.store.items import item_regions
from worker.store.models import CoverageRow, OutcomeRow, RegionRow
from worker.store.outcome_rows import Place


@dataclass(frozen=True, slots=True)
class SeenImage:
    """What was seen at a revision: the whole image first."""

    revision: int
    coverage: Coverage
    areas: Sequence[Area]


def keep_coverage(session: Session, place: Place, outcomes: Sequence[Outcome]) -> None:
    """Records new outcomes that are verdicts."""
    key = {"batch_id": place.batch_id, "revision": place.revision}
    rows = [{**key, "ordinal": each.ordinal, **_columns(seen)} for each in outcomes if (seen := coverage_of(each)) is not None]
    if rows:
        session.execute(insert(CoverageRow), rows)


def read_coverage(session: Session, batch_id: UUID, ordinal: int, revision: int | None) -> SeenImage | None:
    """Of a revision, by default of the newest outcome; None where nothing is recorded: no verdict, erased, or older than the record."""
    place: dict[str, Any] = {"batch_id": batch_id, "ordinal": ordinal}
    query = select(OutcomeRow.revision, OutcomeRow.width, OutcomeRow.height).filter_by(**place).order_by(OutcomeRow.revision.desc())
    if revision is not None:
        query = query.filter_by(revision=revision)
    outcome = session.execute(query.limit(1)).one_or_none()
    row = session.get(CoverageRow, (batch_id, ordinal, outcome.revision)) if outcome is not None else None
    if outcome is None or row is None or outcome.width is None or outcome.height is None:
        return None
    size, sent = Size(outcome.width, outcome.height), Size(row.sent_width, row.sent_height)
    regions = [_region(region) for region in item_regions(session, batch_id, ordinal, outcome.revision)]
    figures = {"least": row.least, "mean": row.mean, "share_half": row.share_half, "share_native": row.share_native}
    return SeenImage(outcome.revision, Coverage(size=size, sent=sent, **figures), seen_areas(size, sent, regions))


def _columns(seen: Coverage) -> dict[str, Any]:
    return {
        "sent_width": seen.sent.width,
        "sent_height": seen.sent.height,
        "least": seen.least,
        "mean": seen.mean,
        "share_half": seen.share_half,
        "share_native": seen.share_native,
    }


def _region(row: RegionRow) -> Region:
    crop = None
    if row.crop_x0 is not None and row.crop_y0 is not None and row.crop_x1 is not None and row.crop_y1 is not None:
        crop = Box(row.crop_x0, row.crop_y0, row.crop_x1, row.crop_y1)
    return Region(box=Box(row.x0, row.y0, row.x1, row.y1), reason=row.reason, crop_box=crop, scale=row.scale)
