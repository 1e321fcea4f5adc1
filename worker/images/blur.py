"""How soft an image's edges are. Pillow and sums: NumPy's threads in a decode process would keep it from being cut off the network.

Zhuo and Sim's measure (2011): an edge that a Gaussian of σ made loses gradient when it is blurred once more, the more the sharper it was.
"""

import math
from bisect import bisect_left
from itertools import accumulate

from PIL import Image, ImageChops, ImageFilter

AGAIN = 1.0  # pixels, the deviation of the second blur
STRONG_SHARE = 0.03  # of the gradients: the strongest are edges, not texture
LEAST_GRADIENT = 16  # grey levels from pixel to pixel; of weaker ones too little is left to measure after the second blur
LEAST_EDGES = 50  # pixels
LEAST_SIDE = 32  # pixels
SHARPEST = 0.25  # of the edges: the rest may lie out of focus in a sharp picture
LOG_STEPS = 46  # per e-fold: 255 is the logarithm of 255
LOGARITHMS = [0, *(round(LOG_STEPS * math.log(level)) for level in range(1, 256))]
DEVIATIONS = [step / 50 for step in range(1, 301)]


def _left(deviation: float) -> float:
    """Gradient across one pixel of a step of height 1 that a Gaussian softened."""
    return math.erf(0.5 / deviation / math.sqrt(2))


RATIOS = [-_left(deviation) / _left(math.hypot(deviation, AGAIN)) for deviation in DEVIATIONS]  # negated: rising, for bisect


def edge_blur(grey: Image.Image) -> float | None:
    """Standard deviation in pixels of the sharpest quarter of the strong edges of an `L` image; None of one without edges.

    Where softness has left no strong ones, it is measured at half the size, and so on.
    """
    found = _edge_blur(grey)
    if found is not None or min(grey.size) < 2 * LEAST_SIDE:
        return found
    half = edge_blur(grey.reduce(2))
    return None if half is None else 2 * half


def _edge_blur(grey: Image.Image) -> float | None:
    again = grey.filter(ImageFilter.GaussianBlur(AGAIN))
    ratios = [0] * 256
    for across, down in ((1, 0), (0, 1)):
        before, after = _gradient(grey, across, down), _gradient(again, across, down)
        least = max(LEAST_GRADIENT, math.ceil(_quantile(before.histogram(), 1 - STRONG_SHARE)))
        strong = before.point([255 * (level >= least) for level in range(256)])
        lost = ImageChops.subtract(before.point(LOGARITHMS), after.point(LOGARITHMS))
        ratios = [known + new for known, new in zip(ratios, lost.histogram(strong), strict=True)]
    if sum(ratios) < LEAST_EDGES:
        return None
    ratio = math.exp(_quantile(ratios, 1 - SHARPEST) / LOG_STEPS)
    return 0.0 if -ratio <= RATIOS[0] else DEVIATIONS[min(bisect_left(RATIOS, -ratio), len(DEVIATIONS) - 1)]


def _gradient(grey: Image.Image, across: int, down: int) -> Image.Image:
    width, height = grey.size
    return ImageChops.difference(grey.crop((0, 0, width - across, height - down)), grey.crop((across, down, width, height)))


def _quantile(histogram: list[int], share: float) -> float:
    """Interpolated inside its level, so that the quantile is finer than the levels."""
    wanted = share * sum(histogram)
    for level, reached in enumerate(accumulate(histogram)):
        if histogram[level] and reached >= wanted:
            return level - (reached - wanted) / histogram[level]
    return 0.0
