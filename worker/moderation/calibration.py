"""From the score a model gives to a probability that can be taken at its word: Platt scaling on the logit.

Per band of degradation where a release was measured on it, as is how often it was right there.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any

from worker.moderation.degradation import DegradationBand, estimator_facts

# Where a score counts as saturated. float64 tells 1 - P apart from 0 up to a logit of 36.7 only, but P from 0 up to 745: without one
# limit for both, "surely real" would carry more weight than "surely generated". At 30 (P within 1e-13 of 0 or 1) both are still exact.
LARGEST_LOGIT = 30.0


@dataclass(frozen=True, slots=True)
class Calibration:
    """p = sigmoid(scale · logit(p_raw) + offset). Raises ValueError unless both are finite and scale > 0: ranks must stay as they are."""

    scale: float
    offset: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and math.isfinite(self.offset) and self.scale > 0):
            raise ValueError(f"a calibration needs a finite scale above 0 and a finite offset, not {self.scale} and {self.offset}")

    def apply(self, p_raw: float) -> float:
        """The calibrated probability of a raw one, both in 0..1. A saturated 0 or 1 becomes what the largest logit becomes."""
        return sigmoid(self.scale * logit(p_raw) + self.offset)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Balanced accuracy on `images`, with its 95 % interval by photographs. A band's own calibration was not fitted to them.

    The overall one may have been, on those that came unaltered: two numbers, fitted to hundreds, which move little by any of them.
    """

    value: float
    low: float
    high: float
    images: int


@dataclass(frozen=True, slots=True)
class BandCalibration:
    """What holds for the images of one band. Without a calibration of its own, the overall one does."""

    calibration: Calibration | None
    accuracy: Accuracy | None


Accuracies = Mapping[DegradationBand, Accuracy]
UNMEASURED: Accuracies = MappingProxyType({})


def band_facts(bands: Mapping[DegradationBand, BandCalibration]) -> dict[str, Any]:
    """What of the bands belongs to a release: how images are told apart, and what holds for each. Plain JSON."""
    return {"estimator": estimator_facts(), "bands": {band.value: asdict(found) for band, found in bands.items()}}


def measured_accuracies(bands: Mapping[str, Any] | None) -> Accuracies:
    """The accuracies in the `bands` of a release's facts; those of bands that this version knows."""
    known = {DegradationBand(name): found["accuracy"] for name, found in (bands or {}).items() if name in set(DegradationBand)}
    return {band: Accuracy(**accuracy) for band, accuracy in known.items() if accuracy}


def logit(p: float) -> float:
    """ln(p / (1 - p)) of a probability in 0..1, limited to ±LARGEST_LOGIT. Calibrations are fitted on this. Raises ValueError outside."""
    if p in {0.0, 1.0}:
        return math.copysign(LARGEST_LOGIT, p - 0.5)
    return min(max(math.log(p) - math.log1p(-p), -LARGEST_LOGIT), LARGEST_LOGIT)


def sigmoid(z: float) -> float:
    """1 / (1 + e^-z) of any finite number, without overflow."""
    shrunk = math.exp(-abs(z))
    return 1 / (1 + shrunk) if z >= 0 else shrunk / (1 + shrunk)
