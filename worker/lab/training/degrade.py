"""What happens to pictures on their way through the world: re-encoding, resizing, blur, noise, screenshots. Alike for both classes.

RGB in, RGB out, the size kept by all but a frame; deterministic from the generator given.
"""

import io
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps

Degradation = Callable[[Image.Image, np.random.Generator], Image.Image]

SAVED_QUALITY = 95  # of the data sets' JPEGs: what most training pictures get, and nothing else
SAVED_SHARE = 0.45
QUALITIES = (30, 95)
SUBSAMPLINGS = ("4:4:4", "4:2:0")
RESIZES = (0.6, 1.5)
BLURS = (0.3, 1.2)  # standard deviation in pixels
NOISES = (1.0, 8.0)  # standard deviation in levels of 0..255
FRAMES = ((1, 1), (1, 0), (0, 1))  # on the left and right, on top and bottom
FRAME_COLOURS = ((0, 0, 0), (255, 255, 255), (32, 33, 36), (240, 242, 245))  # of bars, of pages, of dark and of light screens


def jpeg_file(image: Image.Image, quality: int, subsampling: str = "4:4:4") -> bytes:
    """`image` as a JPEG file."""
    return _file(image, "JPEG", quality=quality, subsampling=subsampling)


def webp_file(image: Image.Image, quality: int) -> bytes:
    """`image` as a lossy WebP file."""
    return _file(image, "WEBP", quality=quality, method=1)


def png_file(image: Image.Image) -> bytes:
    """`image` as it is, written quickly: read once."""
    return _file(image, "PNG", compress_level=1)


def save_as_jpeg(image: Image.Image, quality: int, subsampling: str = "4:4:4") -> Image.Image:
    """`image` after one trip through a JPEG file."""
    return _reopened(jpeg_file(image, quality, subsampling))


def save_as_webp(image: Image.Image, quality: int) -> Image.Image:
    """`image` after one trip through a lossy WebP file."""
    return _reopened(webp_file(image, quality))


def resize_and_back(image: Image.Image, scale: float) -> Image.Image:
    """`image` resized by `scale`, and to its old size again."""
    there = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BICUBIC)
    return there.resize(image.size, Image.Resampling.BICUBIC)


def blur(image: Image.Image, deviation: float) -> Image.Image:
    """`image` under a Gaussian blur of `deviation` pixels."""
    return image.filter(ImageFilter.GaussianBlur(deviation))


def add_noise(image: Image.Image, deviation: float, chance: np.random.Generator) -> Image.Image:
    """`image` with Gaussian noise of `deviation` levels."""
    pixels = np.asarray(image, dtype=np.float32)
    return Image.fromarray(np.rint(pixels + chance.normal(0, deviation, pixels.shape)).clip(0, 255).astype(np.uint8))


def screenshot(image: Image.Image, scale: float, quality: int) -> Image.Image:
    """`image` as a screen shows it at `scale`, taken and saved again: resized bilinearly, quantised by JPEG, and back."""
    shown = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), Image.Resampling.BILINEAR)
    return save_as_jpeg(shown, quality, "4:2:0").resize(image.size, Image.Resampling.BICUBIC)


def frame(image: Image.Image, share: float, chance: np.random.Generator) -> Image.Image:
    """`image` in a frame of one colour, `share` of its shorter side wide: all around, or as bars on two sides. The size grows."""
    width = max(1, round(share * min(image.size)))
    across, along = FRAMES[chance.integers(len(FRAMES))]
    colour = FRAME_COLOURS[chance.integers(len(FRAME_COLOURS))]
    return ImageOps.expand(image, (across * width, along * width, across * width, along * width), colour)


def degrade(image: Image.Image, chance: np.random.Generator) -> Image.Image:
    """`image` saved as the data sets are, or after a random fate; what it went through ends in a JPEG or WebP file."""
    if chance.random() < SAVED_SHARE:
        return save_as_jpeg(image, SAVED_QUALITY)
    fate = chance.integers(len(_FATES) + 2)
    if fate < len(_FATES):
        image = _FATES[fate](image, chance)
    if chance.random() < 0.15:
        return save_as_webp(image, _quality(chance))
    return save_as_jpeg(image, _quality(chance), SUBSAMPLINGS[chance.integers(2)])


_FATES: tuple[Degradation, ...] = (
    lambda image, chance: resize_and_back(image, chance.uniform(*RESIZES)),
    lambda image, chance: blur(image, chance.uniform(*BLURS)),
    lambda image, chance: add_noise(image, chance.uniform(*NOISES), chance),
    lambda image, chance: screenshot(image, chance.uniform(*RESIZES), _quality(chance)),
)


def _quality(chance: np.random.Generator) -> int:
    # Half of them high: most pictures a platform receives are not ruined, and fine traces are only learnt where they survive.
    low, high = QUALITIES if chance.random() < 0.5 else (75, QUALITIES[1])
    return int(chance.integers(low, high, endpoint=True))


def _file(image: Image.Image, file_format: str, **settings: object) -> bytes:
    body = io.BytesIO()
    image.save(body, format=file_format, **settings)
    return body.getvalue()


def _reopened(body: bytes) -> Image.Image:
    with Image.open(io.BytesIO(body)) as saved:
        return saved.convert("RGB")
