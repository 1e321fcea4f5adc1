"""Which regions a training picture holds, and where: half of all pictures are real, and half of those hold an interpolated region."""

from dataclasses import dataclass

import numpy as np

from worker.lab.layers import INTERPOLATED
from worker.lab.networks import Network
from worker.lab.placement import is_apart, random_box, random_count
from worker.moderation.boxes import Box, Size

DISTRACTED = 0.3  # share of generated pictures that also hold an interpolated region
TRIES = 12  # boxes tried for a region before the picture goes without it


@dataclass(frozen=True, slots=True)
class Arrangement:
    """`placed` boxes, apart, each with the layer it shows; pixels of the image they were arranged for."""

    placed: tuple[tuple[Box, str], ...]

    @property
    def drawn(self) -> tuple[Box, ...]:
        """Boxes that a network drew."""
        return tuple(box for box, layer in self.placed if layer != INTERPOLATED)

    @property
    def controls(self) -> tuple[Box, ...]:
        """Boxes that were only interpolated."""
        return tuple(box for box, layer in self.placed if layer == INTERPOLATED)


def arrange(size: Size, chance: np.random.Generator) -> Arrangement:
    """Regions for an image of `size`."""
    placed: list[tuple[Box, str]] = []
    for layer in _layers(chance):
        boxes = [box for box, _ in placed]
        free = (box for box in (random_box(size, chance) for _ in range(TRIES)) if is_apart(box, boxes))
        if (box := next(free, None)) is not None:
            placed.append((box, layer))
    return Arrangement(tuple(placed))


def _layers(chance: np.random.Generator) -> list[str]:
    count = random_count(chance)
    fate = chance.random()
    if fate < 0.25:
        return []
    if fate < 0.5:
        return [INTERPOLATED] * count
    network = list(Network)[int(chance.integers(len(Network)))].value
    return [network] * count + [INTERPOLATED] * int(chance.random() < DISTRACTED)
