"""Where to regenerate: boxes of random shape, most detailed first. Pixels of the image given; deterministic from the generator's seed."""

from collections.abc import Iterator

import numpy as np
from PIL import Image

from worker.moderation.boxes import Box, Size, intersection_over_union

SIDES = (96, 208)  # pixels, both included: large enough to be seen by a scan, small enough to need a zoom
LARGEST_SHARE = 0.5  # of the image's side; a region is a part, not the picture
COUNTS = (0.6, 0.25, 0.15)  # shares of pictures with one, two, three regions
TRIALS = 48  # boxes drawn before the most detailed are taken


def detailed_boxes(image: Image.Image, generator: np.random.Generator) -> Iterator[Box]:
    """TRIALS random boxes inside `image`, the most detailed first, since a box on a flat sky changes nothing."""
    luma = np.asarray(image.convert("L"), dtype=np.float32)
    boxes = [random_box(Size(*image.size), generator) for _ in range(TRIALS)]
    yield from sorted(boxes, key=lambda box: _detail(luma, box), reverse=True)


def random_box(size: Size, generator: np.random.Generator) -> Box:
    """A box with whole-pixel corners, sides within SIDES where the image allows it, anywhere inside `size`."""
    width, height = (_random_side(side, generator) for side in (size.width, size.height))
    x0 = int(generator.integers(0, size.width - width, endpoint=True))
    y0 = int(generator.integers(0, size.height - height, endpoint=True))
    return Box(x0, y0, x0 + width, y0 + height)


def random_count(generator: np.random.Generator) -> int:
    """How many regions a picture has, where they fit."""
    return int(generator.choice(len(COUNTS), p=COUNTS)) + 1


def is_apart(box: Box, others: list[Box]) -> bool:
    """Whether `box` overlaps none of `others`."""
    return all(intersection_over_union(box, other) == 0 for other in others)


def _random_side(image_side: int, generator: np.random.Generator) -> int:
    largest = max(1, min(SIDES[1], int(image_side * LARGEST_SHARE)))
    return int(generator.integers(min(SIDES[0], largest), largest, endpoint=True))


def _detail(luma: np.ndarray, box: Box) -> float:
    # Mean absolute step between neighbouring pixels, the measure on which regenerating depends most.
    x0, y0, x1, y1 = box.corners()
    patch = luma[y0:y1, x0:x1]
    return float(np.abs(np.diff(patch, axis=0)).mean() + np.abs(np.diff(patch, axis=1)).mean())
