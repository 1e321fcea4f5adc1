"""Text for pictures: cleaned, wrapped to a width in pixels, cut with an ellipsis. Texts come from a model and must not be trusted."""

import bisect
import unicodedata
from functools import cache

from PIL import Image, ImageDraw, ImageFont

from worker.moderation.boxes import Size

MOST_CHARACTERS = 600  # of any one text; more would not fit, and measuring text costs time
ELLIPSIS = "…"

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]


@cache
def font(size: int) -> Font:
    """Pillow's own scalable font, `size` in pixels."""
    return ImageFont.load_default(size=size)


def line_height(size: int) -> int:
    """Pixels from one line of `size` to the next."""
    return round(size * 1.35)


def clean(text: str) -> str:
    """`text` on one line, without control, bidirectional, zero-width or private characters, at most MOST_CHARACTERS."""
    # Line breaks are spaces and control characters at once, hence spaces first; the slice before them keeps both cheap.
    spaced = " ".join(text[: 4 * MOST_CHARACTERS].split())
    plain = "".join(c for c in unicodedata.normalize("NFC", spaced) if unicodedata.category(c)[0] != "C")
    return plain if len(plain) <= MOST_CHARACTERS else plain[:MOST_CHARACTERS] + ELLIPSIS


def wrap(text: str, size: int, width: int, most_lines: int) -> list[str]:
    """`text`, cleaned, in at most `most_lines` lines of at most `width` pixels; what does not fit gives way to an ellipsis."""
    lines, rest = list[str](), clean(text)
    while rest and len(lines) < most_lines:
        line, rest = _fill_line(rest, size, width)
        lines.append(line)
    if rest:
        last = lines[-1]
        while last and font(size).getlength(last + ELLIPSIS) > width:
            last = last[:-1]
        lines[-1] = last.rstrip() + ELLIPSIS
    return lines


def write_lines(lines: list[tuple[str, int, Colour]], size: Size, background: Colour) -> Image.Image:
    """A picture of `size` with `lines` (text, font size, colour) below one another from its top left corner."""
    picture = Image.new("RGB", (size.width, size.height), background)
    draw, y = ImageDraw.Draw(picture), 0
    for text, font_size, colour in lines:
        draw.text((0, y), text, font=font(font_size), fill=colour)
        y += line_height(font_size)
    return picture


def _fill_line(text: str, size: int, width: int) -> tuple[str, str]:
    fitting = bisect.bisect_right(range(1, len(text) + 1), width, key=lambda n: font(size).getlength(text[:n]))
    if fitting == len(text):
        return text, ""
    # Break between words; within one only where it alone is wider than the line.
    space = text.rfind(" ", 0, fitting + 1)
    end = space if space > 0 else max(1, fitting)
    return text[:end].rstrip(), text[end:].lstrip()
