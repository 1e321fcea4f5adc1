"""The sizes that Qwen's vision encoders accept, computed as their own processor does, so that its resize is a no-op."""

import math
from dataclasses import dataclass

from worker.moderation.boxes import Size
from worker.moderation.errors import RejectedError

MAX_ASPECT = 200  # long side over short; Qwen's smart_resize refuses more


@dataclass(frozen=True, slots=True)
class PixelLimits:
    """Sides become multiples of `factor`; width × height is kept within `min_pixels`..`max_pixels`."""

    factor: int
    min_pixels: int
    max_pixels: int

    def legal(self, size: Size) -> Size:
        """`legal_size` under these limits."""
        return legal_size(size, factor=self.factor, min_pixels=self.min_pixels, max_pixels=self.max_pixels)


def legal_size(size: Size, *, factor: int, min_pixels: int, max_pixels: int) -> Size:
    """The size to resize `size` to: Qwen's smart_resize. Raises RejectedError("aspect_extreme").

    As in the original, an extreme aspect near the limits may leave the area outside them by less than one factor a side.
    """
    width, height = size.width, size.height
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise RejectedError(
            "aspect_extreme",
            f"The image is {width}×{height}: one side is over {MAX_ASPECT} times the other, more than the model can see. Crop it.",
        )
    fitted = Size(round(width / factor) * factor, round(height / factor) * factor)
    if fitted.pixels > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        return Size(
            max(factor, math.floor(width / shrink / factor) * factor),
            max(factor, math.floor(height / shrink / factor) * factor),
        )
    if fitted.pixels < min_pixels:
        enlarge = math.sqrt(min_pixels / (height * width))
        return Size(math.ceil(width * enlarge / factor) * factor, math.ceil(height * enlarge / factor) * factor)
    return fitted
