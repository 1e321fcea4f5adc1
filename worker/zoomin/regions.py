"""From what the scan named to what is cut: coordinates, filter, crop rectangles."""

import math
from collections.abc import Sequence
from typing import Protocol

from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.vision.model import Coordinates
from worker.zoomin.replies import ProposedRegion

LARGEST_SHARE = 0.5  # of the image's area: a box over this frames the subject instead of a detail
SAME_REGION_IOU = 0.7  # boxes that overlap this much are one region
CROP_MARGIN = 0.10  # of the box's side, on each side: scan boxes cut hands and captions
SMALLEST_CROP_SIDE = 32  # source pixels: less carries no texture to judge
THINNEST_CROP = 50  # sides' ratio; the image processor refuses 200, and a sliver shows nothing
RELATIVE_SCALE = 1000


class RegionChoice(Protocol):
    """Which regions are zoomed. A strategy, not a flag: the controls of an evaluation are other strategies."""

    def __call__(self, proposed: Sequence[ProposedRegion], size: Size, limit: int) -> tuple[ProposedRegion, ...]:
        """At most `limit` regions; boxes in and out are in original, oriented pixels of an image of `size`."""
        ...


def in_original_pixels(region: ProposedRegion, coordinates: Coordinates, sent: Size, original: Size) -> ProposedRegion:
    """The region with its box mapped from the model's coordinates to original, oriented pixels."""
    if coordinates is Coordinates.ABSOLUTE:
        scale_x, scale_y = original.width / sent.width, original.height / sent.height
    else:
        scale_x, scale_y = original.width / RELATIVE_SCALE, original.height / RELATIVE_SCALE
    return ProposedRegion(region.box.scaled(scale_x, scale_y), region.reason)


def in_model_coordinates(box: Box, coordinates: Coordinates, sent: Size, original: Size) -> Box:
    """The inverse: a box in original pixels as the model was told it."""
    width, height = (sent.width, sent.height) if coordinates is Coordinates.ABSOLUTE else (RELATIVE_SCALE, RELATIVE_SCALE)
    return box.scaled(width / original.width, height / original.height)


def scan_boxes(proposed: Sequence[ProposedRegion], size: Size, limit: int) -> tuple[ProposedRegion, ...]:
    """The scan's own boxes: reversed corners swapped, clamped, empty and oversized ones dropped, duplicates merged, order kept."""
    chosen: list[ProposedRegion] = []
    for region in proposed:
        box = region.box.ordered().clamped(size)
        whole = Box(*box.corners())
        duplicate = any(intersection_over_union(whole, other.box) >= SAME_REGION_IOU for other in chosen)
        if whole.area > 0 and whole.area <= LARGEST_SHARE * size.pixels and not duplicate:
            chosen.append(ProposedRegion(whole, region.reason))
    return tuple(chosen[:limit])


def crop_box(box: Box, size: Size) -> Box:
    """What is cut for a region: padded, at least 32 source pixels a side and not too thin, as far as the image allows; whole pixels."""
    longest = max(box.x1 - box.x0, box.y1 - box.y0) * (1 + 2 * CROP_MARGIN)
    return box.padded(CROP_MARGIN, max(SMALLEST_CROP_SIDE, math.ceil(longest / THINNEST_CROP))).outward().moved_into(size).clamped(size)
