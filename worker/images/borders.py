"""Uniform borders: bars of a video, frames, the page around a picture in a screenshot."""

from collections.abc import Sequence
from itertools import takewhile

from PIL import Image, ImageStat

from worker.moderation.degradation import Border

NEAR = 6  # grey levels from the border's own: what compression stirs up in a uniform area
UNIFORM_SHARE = 0.97  # of a line's pixels; the rest may be a clock, a cursor or a caption
ENDED_SHARE = 0.6  # of a line's pixels: an overexposed sky ends gradually, a border at once
END_LINES = 3  # within so many lines
LEAST_LINES = 3  # a dark rim of a camera is no border
MOST_SHARE = 0.45  # of a side: what is wider is a plain picture


def find_border(grey: Image.Image) -> Border:
    """The widths of the uniform borders of an `L` image, in its pixels."""
    turned = grey.transpose(Image.Transpose.TRANSPOSE)
    return Border(left=_width(turned), top=_width(grey), right=_width(_upside_down(turned)), bottom=_width(_upside_down(grey)))


def _width(grey: Image.Image) -> int:
    """How many lines of the border there are on top."""
    rim = grey.crop((0, 0, grey.width, 1))
    level = ImageStat.Stat(rim).median[0]
    near = [255 * (abs(value - level) <= NEAR) for value in range(256)]
    if _shares(rim, near)[0] < UNIFORM_SHARE:
        return 0  # as most pictures are: told by one line
    shares = _shares(grey.crop((0, 0, grey.width, int(MOST_SHARE * grey.height) + END_LINES)), near)
    width = sum(1 for _ in takewhile(lambda share: share >= UNIFORM_SHARE, shares))
    ends = any(share < ENDED_SHARE for share in shares[width : width + END_LINES])
    return width if width >= LEAST_LINES and ends else 0


def _shares(grey: Image.Image, near: Sequence[int]) -> list[float]:
    """Of each line, the share of the pixels that `near` maps to 255."""
    lines = grey.point(list(near)).convert("F").resize((1, grey.height), Image.Resampling.BOX)
    return [float(value) / 255 for value in lines.get_flattened_data()]  # type: ignore[arg-type]


def _upside_down(grey: Image.Image) -> Image.Image:
    return grey.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
