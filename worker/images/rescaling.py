"""Whether an image was enlarged, and by how much. Pillow and sums, as in `worker.images.blur`.

Interpolation leaves every so many pixels the same softness: the mean derivative along a line has a period (A. Gallagher, 2005), seen as a
peak in its spectrum. At a factor of exactly two both phases of the second derivative are alike, and the first one tells.
"""

import cmath
import math
from collections.abc import Callable, Sequence
from itertools import zip_longest
from statistics import median

from PIL import Image, ImageFilter

WINDOW = 256  # pixels of a line per spectrum
HALF = WINDOW // 2
LARGEST_STEP = 24  # grey levels: beyond, a single edge would drown the texture of a whole column
LEVELS = [min(abs(level - 128), LARGEST_STEP) * 10 for level in range(256)]
FIRST = ((0, 0, 0, 0, -1, 1, 0, 0, 0), (0, 0, 0, 0, -1, 0, 0, 1, 0))  # kernels along rows, along columns
SECOND = ((0, 0, 0, 1, -2, 1, 0, 0, 0), (0, 1, 0, 0, -2, 0, 0, 1, 0))
SMOOTH = [0.5 - 0.5 * math.cos(math.tau * place / WINDOW) for place in range(WINDOW)]
TURNS = {2**power: [cmath.exp(-1j * math.tau * k / 2**power) for k in range(2**power // 2)] for power in range(1, 9)}
LOWEST = 16  # of 256: what is slower is the picture itself
UP_TO_TWO, TWO = range(LOWEST, HALF - 1), range(HALF - 1, HALF + 1)
AROUND = range(3, 13)  # bins on either side that a peak is held against
PEAK = 50.0  # times the power around it
JPEG_GRID, WEBP_GRID = 8, 4  # pixels
GRID_WAVES = 4.0  # times the height of a compression grid's other waves
SOFT = 0.8  # pixels of blur from which a period is that of a factor above two


def enlargement(grey: Image.Image, blur: float | None, grid: int) -> float | None:
    """The factor by which an `L` image was enlarged, above 1; 1.0 without a trace; None when a side is under 260 pixels.

    `grid` is the width of the blocks that the file was or may have been compressed in, whose edges have periods of their own. Of factors
    with the same period (1.5 and 3) the image's `blur` tells which it was. Without edges that have one, there is nothing that interpolation
    would have softened: the steps of a gradient's grey levels come in periods of their own.
    """
    if min(grey.size) < WINDOW + 4:
        return None
    if blur is None:
        return 1.0
    power, place = max(_peak(_spectrum(grey, SECOND), UP_TO_TWO, grid), _peak(_spectrum(grey, FIRST), TWO, grid))
    if power < PEAK:
        return 1.0
    frequency = place / WINDOW
    return 1 / frequency if blur >= SOFT else 1 / (1 - frequency)


def _peak(power: Sequence[float], places: range, grid: int) -> tuple[float, int]:
    """The highest of `places`, as times the power around it, and where; without what a compression grid may have made."""
    height = [value / (_around(power, place) or 1.0) for place, value in enumerate(power)]
    waves = [max(height[max(wave - 1, 0) : wave + 2]) for wave in range(0, HALF + 1, WINDOW // grid)]

    def counts(place: int) -> bool:
        wave = round(grid * place / WINDOW)
        if abs(place - wave * WINDOW // grid) > 1:
            return True
        odd = [waves[other] for other in range(1, len(waves), 2) if other != wave]  # an enlargement has but one of them
        return grid == JPEG_GRID and wave > 1 and height[place] >= GRID_WAVES * max(odd)

    return max(((height[place], place) for place in places if counts(place)), default=(0.0, 0))


def _around(power: Sequence[float], place: int) -> float:
    sides = [place + side * step for step in AROUND for side in (-1, 1)]
    return median(power[near] for near in sides if LOWEST // 2 <= near <= HALF) if place >= LOWEST // 2 else 0.0


def _spectrum(grey: Image.Image, kernels: tuple[tuple[int, ...], tuple[int, ...]]) -> list[float]:
    """Power per frequency of the mean derivative along rows and along columns."""
    lines = _line(grey, kernels[0], lambda size: (size[0], 1)), _line(grey, kernels[1], lambda size: (1, size[1]))
    parts = [_smoothed(line[start : start + WINDOW]) for line in lines for start in range(0, len(line) - WINDOW + 1, HALF)]
    total = [0.0] * (HALF + 1)
    for real, imaginary in zip_longest(parts[::2], parts[1::2], fillvalue=[0.0] * WINDOW):  # two in one go: their powers add up
        waves = _fourier([complex(*pair) for pair in zip(real, imaginary, strict=True)])
        total = [known + (abs(waves[k]) ** 2 + abs(waves[-k]) ** 2) / 2 for k, known in enumerate(total)]
    return total


def _smoothed(part: Sequence[float]) -> list[float]:
    """Relative to its mean, and fading out at both ends."""
    mean = sum(part) / WINDOW or 1.0
    return [(value / mean - 1) * weight for value, weight in zip(part, SMOOTH, strict=True)]


def _line(grey: Image.Image, kernel: tuple[int, ...], flattened: Callable[[tuple[int, int]], tuple[int, int]]) -> list[float]:
    """The derivative's mean across, a value per pixel along; without the rim, which a kernel does not reach."""
    steps = grey.filter(ImageFilter.Kernel((3, 3), kernel, scale=1, offset=128)).point(LEVELS)
    inner = steps.crop((2, 2, steps.width - 2, steps.height - 2)).convert("F")
    return [float(value) for value in inner.resize(flattened(inner.size), Image.Resampling.BOX).get_flattened_data()]  # type: ignore[arg-type]


def _fourier(values: list[complex]) -> list[complex]:
    """Cooley and Tukey's transform of a power of two."""
    if len(values) == 1:
        return values
    even, odd = _fourier(values[::2]), _fourier(values[1::2])
    turned = [turn * value for turn, value in zip(TURNS[len(values)], odd, strict=True)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [a - b for a, b in zip(even, turned, strict=True)]
