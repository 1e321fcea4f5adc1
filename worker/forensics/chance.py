"""What a map's mass inside boxes is to be measured against: boxes of the same sides at random places. No torch."""

import random
from collections.abc import Sequence

from worker.forensics.maps import ImageMap, covered_shares, mass_inside
from worker.moderation.boxes import Box

PLACEMENTS = 200  # draws: the mean's standard error is then a fourteenth of one draw's
SEED = 2025


def mass_in_random(image: ImageMap, boxes: Sequence[Box], placements: int = PLACEMENTS) -> float | None:
    """Mean mass inside boxes of the same sides, anywhere in the image; the same for the same input. None where the map is empty.

    Area-matched: boxes drawn apart may overlap more or less than the named ones, so each draw counts by the area that it covers.
    """
    wanted = _covered(image, boxes)
    if not boxes or wanted == 0:
        return None
    chance = random.Random(SEED)  # noqa: S311  a control, not a secret
    masses = []
    for _ in range(placements):
        drawn = [_placed(box, image.shows, chance) for box in boxes]
        mass = mass_inside(image, drawn)
        if mass is None:
            return None
        masses.append(mass * wanted / _covered(image, drawn))
    return sum(masses) / len(masses)


def _covered(image: ImageMap, boxes: Sequence[Box]) -> float:
    return float(covered_shares(boxes, image.shows, image.mass.shape).sum())


def _placed(box: Box, within: Box, chance: random.Random) -> Box:
    width, height = min(box.x1 - box.x0, within.x1 - within.x0), min(box.y1 - box.y0, within.y1 - within.y0)
    x = chance.uniform(within.x0, within.x1 - width)
    y = chance.uniform(within.y0, within.y1 - height)
    return Box(x, y, x + width, y + height)
