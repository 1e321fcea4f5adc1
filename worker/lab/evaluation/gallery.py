"""Pictures to look at: the best, the worst, and those whose verdict the zoom turned, with true and found boxes drawn."""

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from worker.images.decode import decode
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.scoring import THRESHOLD
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError

MOST = 8  # of a kind: two rows
LONGEST_SIDE = 420  # pixels as shown
JPEG_QUALITY = 80
TRUE_COLOUR, FOUND_COLOUR, INK = (0, 200, 140), (255, 150, 30), (0, 0, 0)  # green: true; orange: found; both on a dark rim


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """A picture with its boxes, and what was said. `jpeg` is base64; None where the file cannot be decoded."""

    judged: Judged
    jpeg: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Exhibits of one kind."""

    title: str
    exhibits: tuple[Exhibit, ...]


def gallery(pictures: Sequence[Judged], folder: Path) -> tuple[Shelf, ...]:
    """The shelves that hold something. Chosen by the final score alone, the surest first; equal scores in the labels' order."""
    kinds: dict[str, Iterable[Judged]] = {
        "Best: generated, and surest of it": _ranked(pictures, lambda p: p.generated and p.right, highest=True),
        "Best: real, and surest of it": _ranked(pictures, lambda p: not p.generated and p.right, highest=False),
        "Worst: generated, and passed": _ranked(pictures, lambda p: p.generated and not p.right, highest=False),
        "Worst: real, and accused": _ranked(pictures, lambda p: not p.generated and not p.right, highest=True),
        "Good flips: the scan was wrong, the zoom put it right": _surest(pictures, lambda p: p.right and not p.scan_right),
        "Bad flips: the scan was right, the zoom spoiled it": _surest(pictures, lambda p: p.scan_right and not p.right),
    }
    shelves = (Shelf(title=title, exhibits=_exhibits(chosen, folder)) for title, chosen in kinds.items())
    return tuple(shelf for shelf in shelves if shelf.exhibits)


def draw_boxes(picture: Image.Image, true: Sequence[Box], found: Sequence[Box]) -> Image.Image:
    """`picture` (RGB) shrunk to be shown, true boxes in green, found ones in orange; boxes in the picture's pixels."""
    scale = min(1.0, LONGEST_SIDE / max(picture.size))
    shown = picture.resize((max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(shown)
    for boxes, colour, width in ((true, TRUE_COLOUR, 4), (found, FOUND_COLOUR, 3)):
        for box in boxes:
            x0, y0, x1, y1 = box.ordered().scaled(scale, scale).corners()
            draw.rectangle((x0 - 1, y0 - 1, max(x0, x1), max(y0, y1)), outline=INK, width=width + 2)
            draw.rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), outline=colour, width=width)
    return shown


def _ranked(pictures: Sequence[Judged], chosen: Callable[[Judged], bool], *, highest: bool) -> list[Judged]:
    """Those chosen that have a score, the most extreme first."""
    scored = [(picture.p_generated, picture) for picture in pictures if picture.p_generated is not None and chosen(picture)]
    return [picture for _, picture in sorted(scored, key=lambda pair: pair[0], reverse=highest)]


def _surest(pictures: Sequence[Judged], chosen: Callable[[Judged], bool]) -> list[Judged]:
    """Those chosen, the surest of their final verdict first; those without one last."""
    return sorted(filter(chosen, pictures), key=lambda p: -1.0 if p.p_generated is None else abs(p.p_generated - THRESHOLD), reverse=True)


def _exhibits(chosen: Iterable[Judged], folder: Path) -> tuple[Exhibit, ...]:
    shown = [picture for picture, _ in zip(chosen, range(MOST), strict=False)]
    return tuple(Exhibit(judged=picture, jpeg=_jpeg(picture, folder)) for picture in shown)


def _jpeg(picture: Judged, folder: Path) -> str | None:
    try:
        pixels = decode((folder / picture.label.file).read_bytes()).pixels
    except (RejectedError, OSError):
        return None
    body = io.BytesIO()
    draw_boxes(pixels, picture.label.regions, picture.found).save(body, format="JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(body.getvalue()).decode("ascii")
