"""What is evaluated: the deployed path, the same path with other crops, and the same path on altered pictures (the robustness grid)."""

import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image

from worker.images.decode import decode
from worker.images.reply import Reply
from worker.lab.evaluation.figures import Metric
from worker.lab.training.degrade import add_noise, blur, frame, jpeg_file, png_file, resize_and_back, screenshot, webp_file
from worker.zoomin.regions import RegionChoice, largest_regions, no_regions, random_regions, scan_boxes

RANDOM_SEED = 2025
SCREEN_SCALE, SCREEN_QUALITY = 0.75, 85  # a picture shown smaller than it is, and the quality that screenshots are shared at
SUBSAMPLING = "4:2:0"  # of the grid's JPEGs: what cameras, platforms and messengers write


class Kind(StrEnum):
    """What is done."""

    JPEG = "JPEG"  # amount: quality
    RESIZE = "resize"  # amount: scale, there and back
    BLUR = "blur"  # amount: standard deviation, pixels
    NOISE = "noise"  # amount: standard deviation, levels of 0..255
    WEBP = "WebP"  # amount: quality
    SCREENSHOT = "screenshot"  # amount: scale
    FRAME = "frame"  # amount: width, as a share of the shorter side


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
BAND_GRID = tuple(  # what calibrates the bands of degradation: each of them, mild and strong
    Alteration(kind, amount)
    for kind, amounts in (
        (Kind.JPEG, (80, 70, 50, 30)),
        (Kind.BLUR, (1, 2)),
        (Kind.RESIZE, (0.75, 0.5)),
        (Kind.SCREENSHOT, (SCREEN_SCALE,)),
        (Kind.FRAME, (0.1,)),
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
BANDS = tuple(Run(name=alteration.name, alteration=alteration) for alteration in BAND_GRID)


def altered_file(image: Image.Image, alteration: Alteration, seed: int) -> bytes:
    """`image` (RGB) after the alteration, as the file that it would arrive in. All but frames keep the size, so that boxes stay true."""
    amount, chance = alteration.amount, np.random.default_rng(seed)
    match alteration.kind:
        case Kind.JPEG:
            return jpeg_file(image, int(amount), SUBSAMPLING)
        case Kind.WEBP:
            return webp_file(image, int(amount))
        case Kind.RESIZE:
            return png_file(resize_and_back(image, amount))
        case Kind.BLUR:
            return png_file(blur(image, amount))
        case Kind.NOISE:
            return png_file(add_noise(image, amount, chance))
        case Kind.SCREENSHOT:
            return png_file(screenshot(image, amount, SCREEN_QUALITY))
        case Kind.FRAME:
            return png_file(frame(image, amount, chance))


def altered_reply(body: bytes, alteration: Alteration, name: str) -> Reply:
    """The picture in `body` altered, as a file. For a decode child. Raises RejectedError. `name` seeds what is random."""
    return Reply(buffers=(altered_file(decode(body).pixels, alteration, zlib.crc32(name.encode())),))


def read_altered(reply: Reply) -> bytes:
    """The file of an `altered_reply`."""
    (body,) = reply.buffers
    return body
