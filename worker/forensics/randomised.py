"""The sanity check of Adebayo et al., "Sanity Checks for Saliency Maps" (NeurIPS 2018, arXiv 1810.03292): a map must not survive its model.

Weights are replaced by noise of each tensor's own mean and spread, so that activations keep their scale and only what was learnt is gone.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from worker.forensics.maps import ImageMap
from worker.forensics.reader import Reader

SEED = 2025


class Randomised(StrEnum):
    """How much is noise: from the top down, as in the paper's cascade."""

    LAST_LAYER = "the last layer"
    LANGUAGE = "the whole language part"
    EVERYTHING = "everything, the vision tower too"


def randomise(reader: Reader, what: Randomised, seed: int = SEED) -> None:
    """Replaces the reader's weights where they lie: load another reader for the real ones. The same noise for the same seed."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in _parts(reader.model, what):
            for weights in module.parameters():
                if weights.dim() > 1:  # gains and biases only scale and shift what the matrices make
                    noise = torch.randn(weights.shape, generator=chance).to(weights)
                    weights.copy_(noise * weights.std() + weights.mean())


def rank_correlation(one: ImageMap, other: ImageMap) -> float | None:
    """Spearman's, between two maps' cells; None where a map is flat."""
    first, second = (_ranks(image.mass.ravel()) for image in (one, other))
    if float(first.std()) == 0 or float(second.std()) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def _parts(model: Any, what: Randomised) -> Sequence[Any]:
    match what:
        case Randomised.LAST_LAYER:
            return [model.model.language_model.layers[-1]]
        case Randomised.LANGUAGE:
            return [model.model.language_model]
        case Randomised.EVERYTHING:
            return [model]


def _ranks(values: NDArray[np.float32]) -> NDArray[np.float64]:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    upper = counts.cumsum()
    ranks: NDArray[np.float64] = (upper - (counts - 1) / 2)[places]
    return ranks
