"""Annotated pictures of judged images: what was looked at, drawn on the original."""

import math
import re
from collections.abc import Iterable, Sequence
from contextlib import closing
from io import BytesIO
from pathlib import Path

from PIL import Image

from worker.cli.originals import read_original
from worker.cli.terminal import say
from worker.exports.whole_files import write_whole
from worker.images.pool import DecodePool
from worker.intake.storage import Storage
from worker.local.picture import BACKGROUND, annotate
from worker.moderation.errors import RejectedError
from worker.moderation.release import HONESTY
from worker.moderation.settings import Settings
from worker.moderation.text import clean
from worker.store.results import ItemResult

JPEG_QUALITY = 90
TILE_WIDTH, TILE_HEIGHT, TILE_GAP, TILES_PER_ROW = 480, 400, 16, 4  # pixels of the overview, a wide screen


def draw_pictures(results: Iterable[ItemResult], folder: Path, storage: Storage, settings: Settings) -> list[Path]:
    """Writes a JPEG per judged image to `folder`: which. Says which images could not be drawn.

    Originals are untrusted: they are decoded in a confined child. Raises OSError, TransientError, MisconfiguredError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    with closing(DecodePool(1)) as pool:
        for result in results:
            if result.verdict is None or result.erased:
                continue
            try:
                original = read_original(result, pool, storage, settings)
            except RejectedError as error:
                say(f"Not drawn: {clean(result.custom_id)}: {error.message}")
                continue
            path = folder / picture_name(result)
            _write_jpeg(path, annotate(original, result.regions, _caption(result)))
            drawn.append(path)
    return drawn


def draw_overview(pictures: Sequence[Path], path: Path) -> None:
    """Writes one JPEG with all `pictures` side by side. Raises OSError."""
    rows = math.ceil(len(pictures) / TILES_PER_ROW)
    size = (TILES_PER_ROW * (TILE_WIDTH + TILE_GAP) + TILE_GAP, rows * (TILE_HEIGHT + TILE_GAP) + TILE_GAP)
    sheet = Image.new("RGB", size, BACKGROUND)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, TILES_PER_ROW)
        with Image.open(picture) as tile:
            tile.thumbnail((TILE_WIDTH, TILE_HEIGHT), Image.Resampling.LANCZOS)
            x = TILE_GAP + column * (TILE_WIDTH + TILE_GAP) + (TILE_WIDTH - tile.width) // 2
            sheet.paste(tile, (x, TILE_GAP + row * (TILE_HEIGHT + TILE_GAP)))
    _write_jpeg(path, sheet)


def _write_jpeg(path: Path, picture: Image.Image) -> None:
    """Encoded in memory: Pillow writing to a file overlooks a short write, as on a full disk."""
    body = BytesIO()
    picture.save(body, "JPEG", quality=JPEG_QUALITY)
    write_whole(path, body.getvalue())


def picture_name(result: ItemResult) -> str:
    """A file name that says which item it is, whatever its submitter called it."""
    stem = re.sub(r"[^\w.-]+", "_", result.custom_id.removesuffix(".jpg"))[-80:].strip("._")
    return f"{result.ordinal:04d}-{stem}.jpg"


def _caption(result: ItemResult) -> str:
    score = "" if result.p_generated is None else f" · P(generated) {result.p_generated:.2f}"
    honesty = HONESTY[result.training] if result.training else ""
    return "\n".join((f"{result.custom_id}: {result.verdict}{score}", clean(result.explanation or ""), honesty))
