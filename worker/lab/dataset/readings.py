"""What is read of a photograph, in a confined child: it comes from anywhere, and is decoded as the pipeline's images are.

Functions ending in `_reply` run there, and so this module imports little; those beginning with `read_` take their words apart here.
"""

import hashlib
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageStat

from worker.images.decode import decode
from worker.images.reply import Reply
from worker.lab.dataset.kinship import difference_hash
from worker.moderation.boxes import Size

COLOUR_SIDE = 64  # px of the copy that colour is measured on


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of upright pixels. `colour`: the mean difference between a pixel's greatest and least channel, in levels of 0..255."""

    pixels_sha256: str
    size: Size
    hash: int
    colour: float


def facts_reply(body: bytes) -> Reply:
    """`Facts`, packed."""
    pixels = decode(body).pixels
    red, green, blue = pixels.resize((COLOUR_SIDE, COLOUR_SIDE), Image.Resampling.BOX).split()
    greatest, least = ImageChops.lighter(ImageChops.lighter(red, green), blue), ImageChops.darker(ImageChops.darker(red, green), blue)
    return Reply(
        {
            "size": list(pixels.size),
            "pixels_sha256": hashlib.sha256(f"{pixels.width}×{pixels.height} ".encode() + pixels.tobytes()).hexdigest(),
            "hash": f"{difference_hash(pixels):x}",
            "colour": ImageStat.Stat(ImageChops.subtract(greatest, least)).mean[0],
        }
    )


def read_facts(reply: Reply) -> Facts:
    """The facts of a `facts_reply`. Raises ValueError, KeyError or TypeError when it makes no sense."""
    width, height = reply.facts["size"]
    return Facts(
        pixels_sha256=bytes.fromhex(reply.facts["pixels_sha256"]).hex(),
        size=Size(int(width), int(height)),
        hash=int(reply.facts["hash"], 16),
        colour=float(reply.facts["colour"]),
    )


def pixels_reply(body: bytes, size: Size) -> Reply:
    """The pixels resized to `size` and nothing else: EXIF, ICC and comments stay behind."""
    pixels = decode(body).pixels
    if pixels.size != (size.width, size.height):
        pixels = pixels.resize((size.width, size.height), Image.Resampling.LANCZOS)
    return Reply({"size": list(pixels.size)}, (pixels.tobytes(),))


def read_pixels(reply: Reply) -> Image.Image:
    """The RGB image of a `pixels_reply`. Raises ValueError, KeyError or TypeError when it makes no sense."""
    width, height = reply.facts["size"]
    return Image.frombytes("RGB", (int(width), int(height)), reply.buffers[0])
