"""Text for pictures: cleaned, wrapped to a width in pixels, cut with an ellipsis. Texts come from a model and must not be trusted."""

import bisect
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from PIL import Image, ImageDraw, ImageFont

from worker.moderation.text import clean

MOST_CHARACTERS = 600  # of any one text; more would not fit, and measuring text costs time
ELLIPSIS = "…"
# How to write what Pillow's font lacks; it holds ASCII and little more.
_SPELLINGS = {"×": "x", "−": "-", "–": "-", "—": "-", "•": "·", "≥": ">=", "≤": "<=", "≈": "~", "→": "->", "←": "<-", "ß": "ss"}

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Line:
    """One line to write; `size` of its font in pixels."""

    text: str
    size: int
    colour: Colour


@cache
def font(size: int) -> Font:
    """Pillow's own scalable font, `size` in pixels."""
    return ImageFont.load_default(size=size)


def spelled(text: str) -> str:
    """`text`, cleaned, in characters that the font can draw, about MOST_CHARACTERS at most."""
    # Cut before cleaning as well: a text of megabytes must not cost more than what is drawn of it.
    composed = unicodedata.normalize("NFC", text[: 4 * MOST_CHARACTERS])
    return "".join(map(_in_font, clean(composed, MOST_CHARACTERS)))


def wrap(text: str, size: int, width: int, most_lines: int) -> list[str]:
    """`text`, cleaned, in at most `most_lines` lines of at most `width` pixels; what does not fit gives way to an ellipsis."""
    lines, rest = list[str](), spelled(text)
    while rest and len(lines) < most_lines:
        line, rest = _fill_line(rest, size, width)
        lines.append(line)
    if rest:
        last = lines[-1]
        while last and font(size).getlength(last + ELLIPSIS) > width:
            last = last[:-1]
        lines[-1] = last.rstrip() + ELLIPSIS
    return lines


def written(lines: Sequence[Line], width: int, background: Colour) -> Image.Image:
    """A picture `width` pixels wide and as high as its `lines`, which stand below one another."""
    picture = Image.new("RGB", (width, max(1, sum(_height(line.size) for line in lines))), background)
    draw, y = ImageDraw.Draw(picture), 0
    for line in lines:
        draw.text((0, y), line.text, font=font(line.size), fill=line.colour)
        y += _height(line.size)
    return picture


@lru_cache(maxsize=4096)
def _in_font(character: str) -> str:
    # As it is, or spelled, or without its accents; else a question mark, which reads better than the font's empty box.
    bare = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    candidates = (character, _SPELLINGS.get(character, ""), bare)
    return next((text for text in candidates if text and all(map(_has_glyph, text))), "?")


def _has_glyph(character: str) -> bool:
    noncharacter = "\uffff"  # never assigned: drawn as the font draws all it lacks
    return character == " " or bytes(font(16).getmask(character)) != bytes(font(16).getmask(noncharacter))


def _height(size: int) -> int:
    return round(size * 1.35)


def _fill_line(text: str, size: int, width: int) -> tuple[str, str]:
    fitting = bisect.bisect_right(range(1, len(text) + 1), width, key=lambda n: math.ceil(font(size).getlength(text[:n])))
    if fitting == len(text):
        return text, ""
    # Break between words; within one only where it alone is wider than the line.
    space = text.rfind(" ", 0, fitting + 1)
    end = space if space > 0 else max(1, fitting)
    return text[:end].rstrip(), text[end:].lstrip()
