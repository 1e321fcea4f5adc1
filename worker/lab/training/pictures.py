"""The second stage's second half: subjects in real pixels, seen as the pipeline would show them."""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from PIL import Image

from worker.images.resize import PixelLimits
from worker.lab.layers import PHOTOGRAPH
from worker.lab.regenerate import feathered_opacity
from worker.lab.training.arrangement import Arrangement, arrange
from worker.lab.training.degrade import degrade
from worker.lab.training.lessons import Sight
from worker.lab.training.scenes import Scene
from worker.lab.training.sight import drawn_shares, see
from worker.lab.training.tokens import TOKEN, Layers
from worker.lab.training.tower import PatchFormat, TowerWithHeads
from worker.moderation.boxes import Box, Size
from worker.zoomin.regions import crop_box

COARSE_SHARE = 0.3  # of pictures whose scan is shrunk further than it must be, as a scan of a large photograph is
COARSEST = 0.2  # of the scan's pixels that are left then, at the least


class Viewer(Protocol):
    """Whoever looks at pictures, and the sizes at which a release shows them."""

    @property
    def scan(self) -> PixelLimits:
        """Of the whole image."""
        ...

    @property
    def crop(self) -> PixelLimits:
        """Of a crop."""
        ...

    def see(self, image: Image.Image, drawn: np.ndarray) -> Sight:
        """What it makes of `image` (RGB, of a legal size), of whose tokens `drawn` are the true shares."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Eye:
    """A tower, and how a release shows it images: a `Viewer`."""

    tower: TowerWithHeads
    patch_format: PatchFormat
    scan: PixelLimits
    crop: PixelLimits

    def see(self, image: Image.Image, drawn: np.ndarray) -> Sight:
        """Its tower's features and evidence."""
        return see(self.tower, image, drawn, self.patch_format)


@dataclass(frozen=True, slots=True)
class PictureSubject:
    """A `Subject` in pixels of `image`, RGB."""

    scene: Scene
    whole: Sight
    image: Image.Image
    drawn: tuple[Box, ...]  # in pixels of `image`
    eye: Viewer

    def crop(self, box: Box) -> Sight:
        """Cut from the full-resolution image, as the pipeline does."""
        size, sent = Size(*self.image.size), self.whole.sent
        original = Box(*box.scaled(size.width / sent.width, size.height / sent.height).clamped(size).corners())
        return _seen(self.image, crop_box(original, size, self.eye.crop), self.eye.crop, self.drawn, self.eye)


def draw_picture(layers: Layers, eye: Viewer, chance: np.random.Generator) -> PictureSubject:
    """A photograph with regions, degraded, and what a scan sees of it."""
    arrangement = arrange(Size(layers[PHOTOGRAPH].shape[1], layers[PHOTOGRAPH].shape[0]), chance)
    image = degrade(paint(layers, arrangement), chance)
    size = Size(*image.size)
    scan = eye.scan
    if chance.random() < COARSE_SHARE:
        scan = replace(scan, max_pixels=int(min(size.pixels, scan.max_pixels) * chance.uniform(COARSEST, 1)))
    whole = _seen(image, Box(0, 0, size.width, size.height), scan, arrangement.drawn, eye)
    scale = (whole.sent.width / size.width, whole.sent.height / size.height)
    scene = Scene(
        evidence=whole.evidence,
        drawn=tuple(box.scaled(*scale) for box in arrangement.drawn),
        controls=tuple(box.scaled(*scale) for box in arrangement.controls),
    )
    return PictureSubject(scene, whole, image, arrangement.drawn, eye)


def paint(layers: Layers, arrangement: Arrangement) -> Image.Image:
    """The photograph with each region of its layer under a feather."""
    pixels = layers[PHOTOGRAPH].astype(np.float32)
    for box, layer in arrangement.placed:
        x0, y0, x1, y1 = box.corners()
        inside = (slice(y0, y1), slice(x0, x1))
        opacity = feathered_opacity(x1 - x0, y1 - y0)[..., None]
        pixels[inside] += opacity * (layers[layer][inside] - pixels[inside])
    return Image.fromarray(np.rint(pixels).astype(np.uint8))


def _seen(image: Image.Image, part: Box, limits: PixelLimits, drawn: tuple[Box, ...], eye: Viewer) -> Sight:
    cut = image.crop(part.corners())
    sent = limits.legal(Size(*cut.size))
    shares = drawn_shares(drawn, part, (sent.height // TOKEN, sent.width // TOKEN))
    return eye.see(cut.resize((sent.width, sent.height), Image.Resampling.BICUBIC), shares)
