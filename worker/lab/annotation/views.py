"""A picture as explainer and grounder see it: whole, and without its outer rim, so that a second look has other numbers to tell.

The second look must differ from the first, or it agrees for nothing; and "left", letters and traces must stay what they are, which
mirroring and shrinking would not leave. So it is the same picture at the same scale with another origin.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from worker.images.pool import DecodePool
from worker.lab.labels import Label
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.vision.model import Coordinates, ImagePart, ModelCard
from worker.zoomin.pipeline import scan_limits
from worker.zoomin.regions import in_original_pixels
from worker.zoomin.replies import ProposedRegion

RIM = 0.06  # of each side, on each side: moves every number, and loses little


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """One look's pixels. `frame` is the part of the original that they show, in original, oriented pixels."""

    part: ImagePart
    frame: Box

    @property
    def sent(self) -> Size:
        """Size of the pixels."""
        return Size(*self.part.pixels.size)

    def in_original(self, box: Box, coordinates: Coordinates, size: Size) -> Box:
        """A box of the model's in the original of `size`: ordered, moved by the frame, clamped, in whole pixels; may be empty."""
        frame = Size(round(self.frame.x1 - self.frame.x0), round(self.frame.y1 - self.frame.y0))
        inside = in_original_pixels(ProposedRegion(box.ordered(), ""), coordinates, self.sent, frame).box
        moved = Box(inside.x0 + self.frame.x0, inside.y0 + self.frame.y0, inside.x1 + self.frame.x0, inside.y1 + self.frame.y0)
        return Box(*moved.clamped(size).corners())


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of a picture's file. `size` is that of the picture after EXIF orientation."""

    sha256: str
    size: Size
    media_type: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """A picture, opened."""

    facts: Facts
    whole: View
    inner: View

    @property
    def both(self) -> tuple[View, View]:
        """For the first look and the second."""
        return self.whole, self.inner


async def open_views(label: Label, folder: Path, card: ModelCard, decoders: DecodePool, max_bytes: int) -> Views:
    """Reads and decodes a picture, in a confined child. Raises RejectedError for one that cannot be used, TransientError."""
    body = read_file(folder / label.file, max_bytes)
    limits = scan_limits(card)
    whole = await decoders.shrink(body, limits)
    frame = _inner(whole.original)
    (inner,) = await decoders.cut_crops(body, [frame], limits)
    return Views(
        facts=Facts(sha256=hashlib.sha256(body).hexdigest(), size=whole.original, media_type=whole.media_type),
        whole=_view(whole.evidence.facts.sha256, whole.pixels, Box(0, 0, whole.original.width, whole.original.height)),
        inner=_view(inner.evidence.facts.sha256, inner.pixels, frame),
    )


def _view(sha256: str, pixels: Image.Image, frame: Box) -> View:
    return View(part=ImagePart(uuid=sha256, pixels=pixels), frame=frame)


def _inner(size: Size) -> Box:
    x, y = round(size.width * RIM), round(size.height * RIM)
    return Box(x, y, size.width - x, size.height - y)


def read_file(path: Path, max_bytes: int) -> bytes:
    """The bytes of a picture. Raises RejectedError: object_too_large, file_unreadable."""
    try:
        if (size := path.stat().st_size) > max_bytes:
            raise RejectedError("object_too_large", f"It has {size:,} bytes; the limit is {max_bytes:,} (ZOOMIN_FETCH_MAX_BYTES).")
        return path.read_bytes()
    except OSError as error:
        raise RejectedError("file_unreadable", f"The file could not be read: {error.strerror}.") from None
