"""What a map's mass inside boxes is to be measured against: boxes of the same sides at random places. No torch."""

import random
from collections.abc import Sequence

from worker.forensics.maps import ImageMap, covered_shares, mass_inside
from worker.moderation.boxes import Box

PLACEMENTS = 200  # draws: the mean's standard error is then a fourteenth of one draw's
SEED = 2025


def mass_in_random(image: ImageMap, boxes: Sequence[Box]) -> float | None:
    """Expected mass inside the boxes, moved together by a random shift that wraps around the image's edges; None where nothing is covered.

    Every pixel is then covered equally often and the covered area stays as it is, so the expectation is exactly the boxes' share of the
    area: no draws are needed. A map that knows nothing of the boxes has this much in them, wherever it has it.
    """
    share = float(covered_shares(boxes, image.shows, image.mass.shape).mean())
    return share or None


def mass_in_placed(image: ImageMap, boxes: Sequence[Box], placements: int = PLACEMENTS) -> float | None:
    """Mean mass inside boxes of the same sides, each drawn anywhere inside the image; the same for the same input. A stricter control.

    Without wrapping, large boxes cover an image's middle far more often than its edges, so that a map that merely lies in the middle, as
    photographs' subjects do, has more than its area's share in them. Draws count by the area that they cover, since they may overlap.
    """
    wanted = _covered(image, boxes)
    if wanted == 0 or image.mass.sum() <= 0:
        return None
    chance = random.Random(SEED)  # noqa: S311  a control, not a secret
    masses = []
    for _ in range(placements):
        drawn = [_placed(box, image.shows, chance) for box in boxes]
        masses.append((mass_inside(image, drawn) or 0.0) * wanted / _covered(image, drawn))
    return sum(masses) / len(masses)


def _covered(image: ImageMap, boxes: Sequence[Box]) -> float:
    return float(covered_shares(boxes, image.shows, image.mass.shape).sum())


def _placed(box: Box, within: Box, chance: random.Random) -> Box:
    width, height = min(box.x1 - box.x0, within.x1 - within.x0), min(box.y1 - box.y0, within.y1 - within.y0)
    x = chance.uniform(within.x0, within.x1 - width)
    y = chance.uniform(within.y0, within.y1 - height)
    return Box(x, y, x + width, y + height)
