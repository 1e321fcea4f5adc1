"""Estimates what an image went through, from its tables and its full-resolution pixels. Runs in the decode children."""

from collections.abc import Sequence

from worker.images.blur import edge_blur
from worker.images.borders import find_border
from worker.images.decode import DecodedImage
from worker.images.rescaling import JPEG_GRID, WEBP_GRID, enlargement
from worker.moderation.boxes import Size
from worker.moderation.degradation import Border, Degradation

WEBP = "image/webp"
SHARP_SIDE, PERIOD_SIDE = 1024, 512  # pixels of the middle that is looked at: a large image costs no more than that
LUMINANCE = (  # the example table of ITU-T T.81, K.1, that libjpeg scales by its quality
    *(16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55),
    *(14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62),
    *(18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92),
    *(49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99),
)


def _scaled(quality: int) -> int:
    """The sum of libjpeg's luminance table at a quality."""
    percent = 5000 // quality if quality < 50 else 200 - 2 * quality
    return sum(min(max((step * percent + 50) // 100, 1), 255) for step in LUMINANCE)


COARSENESS = {quality: _scaled(quality) for quality in range(1, 101)}


def estimate(image: DecodedImage) -> Degradation:
    """The degradation of a decoded image."""
    border = find_border(image.pixels)
    grey = image.pixels.crop(_middle(image.size, border, SHARP_SIDE)).convert("L")
    middle = grey.crop(_middle(Size(*grey.size), Border(), PERIOD_SIDE))
    blur = edge_blur(grey)
    if blur is None:  # a smooth picture, maybe a gradient alone. Around edges a studio's gradient counts: so ESTIMATOR 1 was measured
        border = find_border(image.pixels, fading=False)
    grid = WEBP_GRID if image.media_type == WEBP else JPEG_GRID  # a PNG may have been a JPEG
    return Degradation(
        jpeg_quality=jpeg_quality(image.luminance_table) if image.luminance_table else None,
        blur=blur,
        rescaling=enlargement(middle, blur, grid),
        border=border,
    )


def jpeg_quality(table: Sequence[int]) -> int:
    """The quality, 1..100, at which libjpeg would quantise luminance most nearly as coarsely: exact for its own tables."""
    coarseness = sum(table)
    return min(COARSENESS, key=lambda quality: abs(COARSENESS[quality] - coarseness))


def _middle(size: Size, border: Border, side: int) -> tuple[int, int, int, int]:
    """Corners of the middle of what the border leaves: at most `side` pixels a side."""
    left, top, right, bottom = border.left, border.top, size.width - border.right, size.height - border.bottom
    spare_width, spare_height = max(right - left - side, 0), max(bottom - top - side, 0)
    x, y = left + spare_width // 2, top + spare_height // 2
    return x, y, right - (spare_width - spare_width // 2), bottom - (spare_height - spare_height // 2)
