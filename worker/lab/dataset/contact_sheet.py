"""One picture that shows at once what the data is: a few photographs, each clean, as a control, and as every network drew it."""

import io
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from PIL import Image, ImageDraw

from worker.exports.whole_files import write_whole
from worker.images.lettering import Line, wrap, written
from worker.lab.dataset.making import LARGE, Picture
from worker.local.picture import BACKGROUND, BRIGHT, COLOURS, GAP, INK, SMALL
from worker.moderation.boxes import Box

ROWS = 4  # photographs
CELL = 420  # px, width and greatest height of a picture
QUALITY = 90


def draw_contact_sheet(sets: Mapping[str, Sequence[Picture]], out: Path) -> None:
    """Writes OUT/contact-sheet.jpg from the pictures below OUT/<set>. Raises OSError."""
    rows = [[_cell(picture, out / name) for picture in pictures] for name, pictures in _chosen(sets)]
    write_sheet([cell for row in rows for cell in row], max(map(len, rows), default=1), out / "contact-sheet.jpg")


def write_sheet(cells: Sequence[Image.Image], per_row: int, path: Path) -> None:
    """Writes `cells` row by row. Raises OSError."""
    rows = [cells[start : start + per_row] for start in range(0, len(cells), per_row)]
    heights = [max(cell.height for cell in row) + GAP for row in rows]
    sheet = Image.new("RGB", (per_row * (CELL + GAP) + GAP, sum(heights) + GAP), BACKGROUND)
    y = GAP
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            sheet.paste(cell, (GAP + column * (CELL + GAP), y))
        y += height
    body = io.BytesIO()
    sheet.save(body, format="JPEG", quality=QUALITY)
    write_whole(path, body.getvalue())


def draw_cell(image: Image.Image, boxes: Sequence[Box], caption: str) -> Image.Image:
    """`image` (RGB) brought to CELL px, with `boxes` outlined, over `caption`."""
    scale = min(CELL / image.width, CELL / image.height)
    shown = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.LANCZOS)
    draw = ImageDraw.Draw(shown)
    for box in boxes:
        x0, y0, x1, y1 = box.scaled(scale, scale).corners()
        draw.rectangle((x0 - 1, y0 - 1, x1, y1), outline=INK, width=3)
        draw.rectangle((x0, y0, x1 - 1, y1 - 1), outline=COLOURS[0], width=1)
    text = written([Line(line, SMALL, BRIGHT) for line in wrap(caption, SMALL, CELL, 2)], CELL, BACKGROUND)
    cell = Image.new("RGB", (CELL, shown.height + text.height + GAP // 2), BACKGROUND)
    cell.paste(shown, ((CELL - shown.width) // 2, 0))
    cell.paste(text, (0, shown.height + GAP // 2))
    return cell


def _chosen(sets: Mapping[str, Sequence[Picture]]) -> list[tuple[str, list[Picture]]]:
    """ROWS photographs, from each set in turn."""
    by_source = {name: [list(group) for _, group in groupby(pictures, lambda each: each.label.source)] for name, pictures in sets.items()}
    ranked = sorted((place, name != LARGE, name) for name, groups in by_source.items() for place in range(len(groups)))
    return [(name, by_source[name][place]) for place, _, name in ranked[:ROWS]]


def _cell(picture: Picture, folder: Path) -> Image.Image:
    with Image.open(folder / picture.label.file) as image:
        changes = ", ".join(f"{change:.1f} dB" for change in picture.changes)
        caption = f"{folder.name} · {picture.kind} · {image.width}×{image.height}" + (f" · {changes}" if changes else "")
        return draw_cell(image.convert("RGB"), picture.label.regions, caption)
