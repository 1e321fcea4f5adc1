"""A region that a network drew, with an exact box: shrink it fourfold, enlarge it by the network, paste it back.

`interpolate` is the matched control: the same loss of detail, no network. Without it a detector would learn "blurred".
Images are RGB; boxes have whole-pixel corners in the space of the image given.
"""

import math
from typing import Protocol

import numpy as np
from PIL import Image

from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError

FACTOR = 4  # of our networks; every fourth pixel's worth of detail is then invented
FEATHER = 8  # pixels inside the box over which the old pixels give way to the new; hides the seam, keeps the box exact
CONTEXT = 16  # pixels around the box that are shrunk along, so that the network does not draw its own border artefacts
VISIBLE_BELOW = 32.0  # dB; a flat sky regenerated is the same sky, and deserves no label


class Enlarger(Protocol):
    """Whatever draws an image FACTOR times as large."""

    def enlarge(self, image: Image.Image) -> Image.Image:
        """`image` at FACTOR times its width and height."""
        ...


class Lanczos:
    """Enlarges by arithmetic: the control."""

    def enlarge(self, image: Image.Image) -> Image.Image:
        """`image` at FACTOR times its width and height."""
        return image.resize((image.width * FACTOR, image.height * FACTOR), Image.Resampling.LANCZOS)


def regenerate(image: Image.Image, box: Box, network: Enlarger) -> Image.Image:
    """A copy of `image` in which `network` drew what lies inside `box`; no pixel outside differs.

    Raises RejectedError for a box that is fractional, not wholly inside the image, or too small to hold its feather.
    """
    x0, y0, x1, y1 = _checked_corners(image, box)
    surroundings = _cut_with_context(image, (x0, y0, x1, y1))
    drawn = network.enlarge(surroundings.reduce(FACTOR)).crop((CONTEXT, CONTEXT, CONTEXT + x1 - x0, CONTEXT + y1 - y0))
    result = image.copy()
    result.paste(drawn, (x0, y0), _feathered_mask(drawn.width, drawn.height))
    return result


def interpolate(image: Image.Image, box: Box) -> Image.Image:
    """The matched control of `regenerate`: as blurred, but no network had a part in it. Label it real."""
    return regenerate(image, box, Lanczos())


def visible_change(before: Image.Image, after: Image.Image, box: Box) -> float:
    """PSNR in dB between the two images inside `box`; infinite when nothing changed. Visible when below VISIBLE_BELOW."""
    corners = _checked_corners(before, box)
    old, new = (np.asarray(image.crop(corners), dtype=np.float64) for image in (before, after))
    mean_square = float(np.mean((old - new) ** 2))
    return 10 * math.log10(255**2 / mean_square) if mean_square else math.inf


def feathered_opacity(width: int, height: int) -> np.ndarray:
    """Opacity of a region, height × width in 0..1: rises linearly over FEATHER px from the box's edge inwards, 0 beyond it."""
    across, down = (np.minimum(np.arange(n) + 0.5, n - np.arange(n) - 0.5) / FEATHER for n in (width, height))
    opacity: np.ndarray = np.minimum(across[None, :], down[:, None]).clip(0, 1)
    return opacity


def _checked_corners(image: Image.Image, box: Box) -> tuple[int, int, int, int]:
    x0, y0, x1, y1 = box.corners()
    if box != Box(x0, y0, x1, y1) or box != box.clamped(Size(*image.size)) or min(x1 - x0, y1 - y0) <= 2 * FEATHER:
        raise RejectedError(
            "box_unusable",
            f"Box {box.x0:g},{box.y0:g},{box.x1:g},{box.y1:g} must have whole-pixel corners inside the {image.width}×{image.height} image"
            f" and sides over {2 * FEATHER} px.",
        )
    return x0, y0, x1, y1


def _cut_with_context(image: Image.Image, corners: tuple[int, int, int, int]) -> Image.Image:
    # Sides are rounded up to multiples of FACTOR; beyond the image's border its outermost pixels repeat.
    x0, y0, x1, y1 = corners
    width, height = (math.ceil((side + 2 * CONTEXT) / FACTOR) * FACTOR for side in (x1 - x0, y1 - y0))
    left, top, right, bottom = x0 - CONTEXT, y0 - CONTEXT, x0 - CONTEXT + width, y0 - CONTEXT + height
    inside = (max(left, 0), max(top, 0), min(right, image.width), min(bottom, image.height))
    beyond = ((inside[1] - top, bottom - inside[3]), (inside[0] - left, right - inside[2]), (0, 0))
    return Image.fromarray(np.pad(np.asarray(image.crop(inside)), beyond, mode="edge"))


def _feathered_mask(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.rint(feathered_opacity(width, height) * 255).astype(np.uint8))
