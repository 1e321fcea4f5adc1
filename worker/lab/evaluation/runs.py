"""What is evaluated: the deployed path, the same path with other crops, and the same path on altered pictures (the robustness grid)."""

import io
import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image

from worker.images.decode import decode
from worker.images.reply import Reply
from worker.lab.evaluation.figures import Metric
from worker.lab.training.degrade import add_noise, blur, resize_and_back, save_as_jpeg, save_as_webp, screenshot
from worker.zoomin.regions import RegionChoice, largest_regions, no_regions, random_regions, scan_boxes

RANDOM_SEED = 2025
SCREEN_SCALE, SCREEN_QUALITY = 0.75, 85  # a picture shown smaller than it is, and the quality that screenshots are shared at
SUBSAMPLING = "4:2:0"  # of the grid's JPEGs: what cameras, platforms and messengers write
PNG_COMPRESSION = 1  # read once


class Kind(StrEnum):
    """What is done."""

    JPEG = "JPEG"  # amount: quality
    RESIZE = "resize"  # amount: scale, there and back
    BLUR = "blur"  # amount: standard deviation, pixels
    NOISE = "noise"  # amount: standard deviation, levels of 0..255
    WEBP = "WebP"  # amount: quality
    SCREENSHOT = "screenshot"  # amount: scale


@dataclass(frozen=True, slots=True)
class Alteration:
    """One point of the grid."""

    kind: Kind
    amount: float

    @property
    def name(self) -> str:
        """As tables show it."""
        return f"{self.kind} {self.amount:g}"


GRID = tuple(
    Alteration(kind, amount)
    for kind, amounts in (
        (Kind.JPEG, (95, 90, 80, 70, 50, 30)),
        (Kind.RESIZE, (0.5, 0.75, 1.5)),
        (Kind.BLUR, (0.5, 1, 2)),
        (Kind.NOISE, (2, 4, 8)),
        (Kind.WEBP, (80, 50)),
        (Kind.SCREENSHOT, (SCREEN_SCALE,)),
    )
    for amount in amounts
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A way to judge pictures. `metric` is the name of its accuracy where it is a control."""

    name: str
    choose: RegionChoice = scan_boxes
    alteration: Alteration | None = None
    metric: Metric | None = None
    tested: bool = False  # whether explanations are tested, too


MAIN = Run(name="final, the scan's boxes")
TESTED = Run(name="explanations tested", tested=True)
CONTROLS = (
    Run(name="no crop", choose=no_regions, metric=Metric.NO_CROP_ACCURACY),
    Run(name="random crops", choose=random_regions(RANDOM_SEED), metric=Metric.RANDOM_CROP_ACCURACY),
    Run(name="largest 3", choose=largest_regions(3), metric=Metric.LARGEST_3_ACCURACY),
)
ROBUSTNESS = tuple(Run(name=alteration.name, alteration=alteration) for alteration in GRID)


def altered(image: Image.Image, alteration: Alteration, seed: int) -> Image.Image:
    """`image` (RGB) after the alteration; the size kept, so that boxes stay true."""
    amount = alteration.amount
    match alteration.kind:
        case Kind.JPEG:
            return save_as_jpeg(image, int(amount), SUBSAMPLING)
        case Kind.RESIZE:
            return resize_and_back(image, amount)
        case Kind.BLUR:
            return blur(image, amount)
        case Kind.NOISE:
            return add_noise(image, amount, np.random.default_rng(seed))
        case Kind.WEBP:
            return save_as_webp(image, int(amount))
        case Kind.SCREENSHOT:
            return screenshot(image, amount, SCREEN_QUALITY)


def altered_reply(body: bytes, alteration: Alteration, name: str) -> Reply:
    """The picture in `body` altered, as a PNG. For a decode child. Raises RejectedError. `name` seeds what is random."""
    buffer = io.BytesIO()
    altered(decode(body).pixels, alteration, zlib.crc32(name.encode())).save(buffer, format="PNG", compress_level=PNG_COMPRESSION)
    return Reply(buffers=(buffer.getvalue(),))


def read_altered(reply: Reply) -> bytes:
    """The PNG of an `altered_reply`."""
    (body,) = reply.buffers
    return body
