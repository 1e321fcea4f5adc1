"""What was seen of an image, and how closely: exact rectangles, and figures over them by area.

Resolution is sent pixels per original pixel of a side, the geometric mean of both sides, as in `Region.scale`: 0.25 means that four
pixels became one, more than 1 that pixels were enlarged. Where rectangles overlap, the closest look counts. Boxes are in original,
oriented pixels.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import Outcome, OutcomeKind, Region

HALF = 0.5
NATIVE = 0.95  # sides are rounded to whole patches of the model, which loses no detail: 1010 pixels become 1008


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle that was seen at `resolution`. `position` is that of its region, None for the whole image."""

    box: Box
    resolution: float
    position: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """The record of one verdict. `size` is the image's, `sent` that of the whole image as the scan saw it; shares are of its area."""

    size: Size
    sent: Size
    least: float
    mean: float
    share_half: float
    share_native: float


def seen_areas(size: Size, sent: Size, regions: Sequence[Region]) -> tuple[Area, ...]:
    """The whole image, then the crops in the order of their regions; a region that was not cut was seen with the whole image alone."""
    whole = Area(Box(0, 0, size.width, size.height), math.sqrt(sent.pixels / size.pixels))
    crops = [
        Area(region.crop_box, region.scale, position)
        for position, region in enumerate(regions, 1)
        if region.crop_box is not None and region.scale is not None
    ]
    return (whole, *crops)


def coverage_of(outcome: Outcome) -> Coverage | None:
    """The record of an outcome; None unless it is a verdict whose sizes are known."""
    size = outcome.source.size if outcome.source is not None else None
    if outcome.kind is not OutcomeKind.VERDICT or size is None or outcome.sent_size is None:
        return None
    return measure(size, outcome.sent_size, outcome.regions)


def measure(size: Size, sent: Size, regions: Sequence[Region]) -> Coverage:
    """The figures, exactly: the image falls into the cells between all edges, and each was seen at one resolution."""
    cells = list(_cells(seen_areas(size, sent, regions)))

    def share(bound: float) -> float:
        return sum(area for area, resolution in cells if resolution >= bound) / size.pixels

    return Coverage(
        size=size,
        sent=sent,
        least=min(resolution for _, resolution in cells),
        mean=sum(area * resolution for area, resolution in cells) / size.pixels,
        share_half=share(HALF),
        share_native=share(NATIVE),
    )


def _cells(areas: Sequence[Area]) -> Iterator[tuple[float, float]]:
    """Area and resolution of each; the first of `areas` covers all of them."""
    columns = sorted({x for area in areas for x in (area.box.x0, area.box.x1)})
    rows = sorted({y for area in areas for y in (area.box.y0, area.box.y1)})
    for x0, x1 in pairwise(columns):
        here = [area for area in areas if area.box.x0 <= x0 and area.box.x1 >= x1]
        for y0, y1 in pairwise(rows):
            closest = max(area.resolution for area in here if area.box.y0 <= y0 and area.box.y1 >= y1)
            yield (x1 - x0) * (y1 - y0), closest
