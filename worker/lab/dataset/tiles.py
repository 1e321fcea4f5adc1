"""A network at work on a picture of any size, in tiles: bounded memory, and an end within a tile once somebody asks for one."""

from collections.abc import Callable
from itertools import product

from PIL import Image

from worker.lab.regenerate import FACTOR, Enlarger
from worker.moderation.boxes import Box, Size

SIDE = 96  # px of a tile before enlarging; with its overlap, the larger network takes about 0.7 GB for it
OVERLAP = 12  # px around a tile that are enlarged along, so that no border of its own shows


class StoppedError(Exception):
    """Somebody asked for an end."""


class Tiled:
    """Enlarges as `enlarger` does, tile by tile. Raises StoppedError between tiles once `stopped` says so."""

    def __init__(self, enlarger: Enlarger, stopped: Callable[[], bool]) -> None:
        self._enlarger = enlarger
        self._stopped = stopped

    def enlarge(self, image: Image.Image) -> Image.Image:
        """`image` at FACTOR times its width and height."""
        enlarged = Image.new("RGB", (image.width * FACTOR, image.height * FACTOR))
        for left, top in product(range(0, image.width, SIDE), range(0, image.height, SIDE)):
            if self._stopped():
                raise StoppedError
            tile = Box(left, top, left + SIDE, top + SIDE).clamped(Size(*image.size))
            seen = Box(left - OVERLAP, top - OVERLAP, left + SIDE + OVERLAP, top + SIDE + OVERLAP).clamped(Size(*image.size))
            drawn = self._enlarger.enlarge(image.crop(seen.corners()))
            inside = Box(tile.x0 - seen.x0, tile.y0 - seen.y0, tile.x1 - seen.x0, tile.y1 - seen.y0).scaled(FACTOR, FACTOR)
            enlarged.paste(drawn.crop(inside.corners()), tile.scaled(FACTOR, FACTOR).corners()[:2])
        return enlarged
