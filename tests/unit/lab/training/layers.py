"""Photographs as layers."""

import numpy as np

from worker.lab.layers import LAYERS

SIZE = (336, 280)


def flat_layers(size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    """Each layer of one colour, the photograph black."""
    return {layer: np.full((size[1], size[0], 3), 60 * number, np.uint8) for number, layer in enumerate(LAYERS)}
