"""Uniform borders: bars of a video, frames, the page around a picture in a screenshot."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from statistics import median_low

from PIL import Image

from worker.moderation.degradation import Border

NEAR = 6  # grey levels from the border's own: what compression stirs up in a uniform area
UNIFORM_SHARE = 0.97  # of a line's pixels; the rest may be a clock, a cursor or a caption
ENDED_SHARE = 0.6  # of a line's pixels: an overexposed sky ends gradually, a border at once
END_LINES = 3  # within so many lines
FADING = 3 * NEAR  # grey levels: a gradient that is near its rim for LEAST_LINES ends on a line this close, and as uniform
LEAST_LINES = 3  # a dark rim of a camera is no border
SAMPLES = 512  # pixels of a line that are looked at
MOST_SHARE = 0.45  # of a side: what is wider is a plain picture


def find_border(pixels: Image.Image, *, fading: bool = True) -> Border:
    """The widths of the uniform borders of an image, in its pixels; without `fading`, not of those that a gradient goes on from."""
    width, height = pixels.size
    return Border(
        left=_width(width, lambda depth: _lines(pixels, (0, 0, depth, height), Image.Transpose.TRANSPOSE), fading=fading),
        top=_width(height, lambda depth: _lines(pixels, (0, 0, width, depth), None), fading=fading),
        right=_width(width, lambda depth: _lines(pixels, (width - depth, 0, width, height), Image.Transpose.ROTATE_90), fading=fading),
        bottom=_width(
            height, lambda depth: _lines(pixels, (0, height - depth, width, height), Image.Transpose.FLIP_TOP_BOTTOM), fading=fading
        ),
    )


def _width(whole: int, lines: Callable[[int], Image.Image], *, fading: bool) -> int:
    """How many lines of the border there are, of `whole` that there could be; `lines` are the outermost so many, from the rim on."""
    rim = lines(1)
    level = median_low(rim.tobytes())
    near = [255 * (abs(value - level) <= NEAR) for value in range(256)]
    if _shares(rim, near)[0] < UNIFORM_SHARE:
        return 0  # as most pictures are: told by one line
    most = int(MOST_SHARE * whole)
    grey = lines(min(whole, most + END_LINES))
    shares = _shares(grey, near)
    width = sum(1 for _ in takewhile(lambda share: share >= UNIFORM_SHARE, shares))
    end = next((place for place in range(width, min(width + END_LINES, len(shares))) if shares[place] < ENDED_SHARE), None)
    if end is None or not LEAST_LINES <= width <= most:
        return 0
    return width if fading or not _fades(grey, level, width, end) else 0


def _fades(grey: Image.Image, level: int, width: int, end: int) -> bool:
    """Whether the lines go on as uniform as the rim, from its `level` to others: a smooth gradient, where a border is of one colour."""
    drifted = abs(median_low(_line(grey, width - 1)) - level) >= NEAR // 2
    beyond = _line(grey, end)
    there = median_low(beyond)
    alike = sum(abs(value - there) <= NEAR for value in beyond) >= UNIFORM_SHARE * len(beyond)
    return drifted and alike and abs(there - level) <= FADING


def _line(grey: Image.Image, place: int) -> bytes:
    return grey.crop((0, place, grey.width, place + 1)).tobytes()


def _lines(pixels: Image.Image, box: tuple[int, int, int, int], turn: Image.Transpose | None) -> Image.Image:
    """The grey lines in `box`, the rim on top after `turn`; of each at most SAMPLES pixels."""
    width, height = box[2] - box[0], box[3] - box[1]
    along = turn in {None, Image.Transpose.FLIP_TOP_BOTTOM}
    size = (min(width, SAMPLES), height) if along else (width, min(height, SAMPLES))
    grey = pixels.resize(size, Image.Resampling.NEAREST, box=box).convert("L")
    return grey if turn is None else grey.transpose(turn)


def _shares(grey: Image.Image, near: Sequence[int]) -> list[float]:
    """Of each line, the share of the pixels that `near` maps to 255."""
    lines = grey.point(list(near)).convert("F").resize((1, grey.height), Image.Resampling.BOX)
    return [float(value) / 255 for value in lines.get_flattened_data()]  # type: ignore[arg-type]
