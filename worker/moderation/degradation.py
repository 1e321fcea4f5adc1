"""What an image went through before it came to us, and the band it is judged in: by what costs most of what a detector sees."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class DegradationBand(StrEnum):
    """A closed set that people understand. Of several that hold, the first one here names the image: `band` says when each does."""

    BLURRED = "blurred"
    RESCALED = "rescaled"
    COMPRESSED = "compressed"
    FRAMED = "framed"
    CLEAN = "clean"


@dataclass(frozen=True, slots=True)
class Border:
    """Width in pixels of what is uniform along each side of the oriented original: bars, frames, margins of a page."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    def __bool__(self) -> bool:
        return any((self.left, self.top, self.right, self.bottom))


@dataclass(frozen=True, slots=True, kw_only=True)
class Degradation:
    """Estimates, of the original's own pixels and file. None where there is nothing to estimate by."""

    jpeg_quality: int | None = None  # 1..100 on libjpeg's scale, from the file's tables; None: not a JPEG
    blur: float | None = None  # standard deviation, in pixels, of the Gaussian that would make its sharpest edges; None: no edges
    rescaling: float | None = None  # it was enlarged by this factor; 1.0: no trace of that; None: too small to tell
    border: Border = Border()


BLURRED_FROM = 0.6  # pixels
RESCALED_FROM = 1.05  # times: finer factors leave no measurable period
COMPRESSED_TO = 85  # JPEG quality
ESTIMATOR = 1  # rises when `worker.images.degradation` estimates otherwise: bands, and the scores calibrated by them, change with it


def band(degradation: Degradation) -> DegradationBand:
    """The band of an image. What could not be estimated does not count against it."""
    if (degradation.blur or 0.0) >= BLURRED_FROM:
        return DegradationBand.BLURRED
    if (degradation.rescaling or 1.0) >= RESCALED_FROM:
        return DegradationBand.RESCALED
    if (degradation.jpeg_quality or 100) <= COMPRESSED_TO:
        return DegradationBand.COMPRESSED
    return DegradationBand.FRAMED if degradation.border else DegradationBand.CLEAN


def estimator_facts() -> dict[str, Any]:
    """What decides the band of an image, for releases: plain JSON."""
    return {"version": ESTIMATOR, "blurred_from": BLURRED_FROM, "rescaled_from": RESCALED_FROM, "compressed_to": COMPRESSED_TO}
