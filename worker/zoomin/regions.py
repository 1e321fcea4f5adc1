"""From what the scan named to what is cut: coordinates, filter, crop rectangles."""

import itertools
import math
import random
from collections.abc import Sequence
from typing import Protocol

from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.vision.model import Coordinates
from worker.zoomin.replies import ProposedRegion

LARGEST_SHARE = 0.5  # of the image's area: a box over this frames the subject instead of a detail
SAME_REGION_IOU = 0.7  # boxes that overlap this much are one region
CROP_MARGIN = 0.10  # of the box's side, on each side: scan boxes cut hands and captions
SMALLEST_CROP_SIDE = 32  # source pixels: less carries no texture to judge
THINNEST_CROP = 50  # sides' ratio; the image processor refuses 200, and a sliver shows nothing
MOST_GROWTH = 2  # of a crop's side, to reach the least pixels at native scale; more would bury the region in its surroundings
RANDOM_REASON = "placed at random, as a control"
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


def no_regions(proposed: Sequence[ProposedRegion], size: Size, limit: int) -> tuple[ProposedRegion, ...]:  # noqa: ARG001  a RegionChoice
    """A control: nothing is cut, and the whole image gets a second look."""
    return ()


def largest_regions(count: int) -> RegionChoice:
    """A control: of all the scan's usable boxes the `count` largest by area, in the scan's order."""

    def choose(proposed: Sequence[ProposedRegion], size: Size, limit: int) -> tuple[ProposedRegion, ...]:
        usable = scan_boxes(proposed, size, len(proposed))
        largest = sorted(usable, key=lambda region: -region.box.area)[: min(count, limit)]
        return tuple(region for region in usable if region in largest)

    choose.__name__ = f"largest_regions({count})"  # as the release names it
    return choose


def random_regions(seed: int) -> RegionChoice:
    """A control: as many boxes as `scan_boxes` keeps, of the same sides, anywhere in the image; the same for the same seed and scan."""

    def choose(proposed: Sequence[ProposedRegion], size: Size, limit: int) -> tuple[ProposedRegion, ...]:
        kept = scan_boxes(proposed, size, limit)
        chance = random.Random(repr((seed, size, [region.box for region in kept])))  # noqa: S311  a text seeds alike in every process
        return tuple(ProposedRegion(_placed(region.box, size, chance), RANDOM_REASON) for region in kept)

    choose.__name__ = f"random_regions({seed})"  # as the release names it
    return choose


def _placed(box: Box, size: Size, chance: random.Random) -> Box:
    x0, y0, x1, y1 = box.corners()
    x, y = chance.randint(0, size.width - (x1 - x0)), chance.randint(0, size.height - (y1 - y0))
    return Box(x, y, x + x1 - x0, y + y1 - y0)


def crop_box(box: Box, size: Size, limits: PixelLimits) -> Box:
    """What is cut for a `box` inside an image of `size`: whole original pixels, inside the image, around the box.

    Padded, at least 32 pixels a side and not too thin, as far as the image allows. Its sides are whole factors wherever they have room,
    so that a crop within `limits` is sent pixel for pixel: resampling would blur the very traces that are judged. For the same reason
    the margin gives way where it alone exceeds the limits, and a crop below them takes in surroundings, up to twice its own sides. What
    lies outside the limits even so is left to be shrunk or enlarged.
    """
    x0, y0, x1, y1 = box.outward().corners()
    longest = max(x1 - x0, y1 - y0) * (1 + 2 * CROP_MARGIN)
    least = max(SMALLEST_CROP_SIDE, math.ceil(longest / THINNEST_CROP))
    widths = _sides(x1 - x0, least, size.width, limits.factor)
    heights = _sides(y1 - y0, least, size.height, limits.factor)
    fitting = (sides for sides in itertools.product(widths, heights) if math.prod(sides) <= limits.max_pixels)
    width, height = _grown(max(fitting, key=math.prod, default=(widths[0], heights[0])), size, limits)
    x, y = _begin(x0, x1, width, size.width), _begin(y0, y1, height, size.height)
    return Box(x, y, x + width, y + height)


def _sides(box: int, least: int, image: int, factor: int) -> Sequence[int]:
    """Lengths for one side of a crop, padded first, then with less margin: whole factors; one odd length where none has room."""
    padded = math.ceil(max(box * (1 + 2 * CROP_MARGIN), least))
    longest = min(math.ceil(padded / factor), image // factor) * factor
    return range(longest, max(box, least) - 1, -factor) or (min(padded, image),)


def _grown(sides: tuple[int, int], size: Size, limits: PixelLimits) -> tuple[int, int]:
    """`sides` grown as little and as square as brings them to the least pixels; unchanged where growth cannot do it."""
    if math.prod(sides) >= limits.min_pixels:
        return sides
    widths, heights = (
        range(side, min(MOST_GROWTH * side, image) + 1, limits.factor) for side, image in zip(sides, (size.width, size.height), strict=True)
    )
    enough = (grown for grown in itertools.product(widths, heights) if limits.min_pixels <= math.prod(grown) <= limits.max_pixels)
    return min(enough, key=lambda grown: (max(grown), math.prod(grown)), default=sides)


def _begin(low: int, high: int, side: int, image: int) -> int:
    """Where a side begins that lies about the middle of low..high, moved into the image."""
    return min(max((low + high - side) // 2, 0), image - side)
