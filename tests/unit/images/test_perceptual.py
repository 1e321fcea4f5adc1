import io
import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageEnhance

import worker.local
from tests.unit.images import files
from worker.images.crossing import read_scan, scan_reply
from worker.images.perceptual import perceptual_hash
from worker.images.prepare import prepare_scan
from worker.images.reply import Reply
from worker.images.resize import PixelLimits
from worker.moderation.duplicates import NEAR, distance

SAMPLES = sorted(path for path in (Path(worker.local.__file__).parent / "samples").glob("*.jpg") if not path.stem.endswith("-regenerated"))
LIMITS = PixelLimits(28, 4 * 784, 128 * 784)
Change = Callable[[Image.Image], Image.Image]


def reencoded(image: Image.Image, file_format: str, **options: int) -> Image.Image:
    return Image.open(io.BytesIO(files.encoded(image, file_format, **options))).convert("RGB")


def rescaled(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.LANCZOS)


def drawn(shapes: int) -> Image.Image:
    """A symmetric drawing on white: half of its waves are nothing at all."""
    image = Image.new("RGB", (600, 400), "white")
    draw = ImageDraw.Draw(image)
    for number in range(shapes):
        draw.ellipse((200 - 40 * number, 150 - 30 * number, 400 + 40 * number, 250 + 30 * number), outline="navy", width=12)
    return image


def hashed(image: Image.Image) -> int:
    value = perceptual_hash(image)
    assert value is not None
    return value


CHANGES: list[Change] = [
    lambda image: reencoded(image, "JPEG", quality=30),
    lambda image: reencoded(image, "WEBP", quality=50),
    lambda image: rescaled(image, 0.4),
    lambda image: rescaled(image, 1.7),
    lambda image: reencoded(rescaled(image, 0.5), "JPEG", quality=60),
    lambda image: ImageEnhance.Brightness(image).enhance(1.1),
]


@pytest.mark.parametrize("change", CHANGES, ids=["jpeg", "webp", "smaller", "larger", "smaller-jpeg", "brighter"])
@pytest.mark.parametrize("picture", [*(Image.open(path).convert("RGB") for path in SAMPLES), drawn(2), drawn(4), files.photo(640, 480)])
def test_a_picture_stays_near_itself(picture: Image.Image, change: Change) -> None:
    assert distance(hashed(picture), hashed(change(picture))) <= NEAR


def test_different_pictures_are_far_apart() -> None:
    hashes = [hashed(Image.open(path)) for path in SAMPLES]
    assert min(distance(one, other) for one, other in itertools.combinations(hashes, 2)) > 2 * NEAR
    assert distance(hashed(drawn(2)), hashed(files.photo(640, 480))) > NEAR


def test_a_partly_regenerated_picture_looks_like_its_original() -> None:
    """Why a likeness is a hint that leads alone act on: the altered copy and the original are near, and one of them is generated."""
    for path in SAMPLES:
        altered = path.with_stem(f"{path.stem}-regenerated")
        assert distance(hashed(Image.open(path)), hashed(Image.open(altered))) <= NEAR


@pytest.mark.parametrize("colour", ["black", "white", "grey", "red"])
def test_a_flat_picture_has_no_hash(colour: str) -> None:
    flat = Image.new("RGB", (300, 200), colour)
    flat.putpixel((7, 7), (127, 127, 127))
    assert perceptual_hash(flat) is None


def test_the_hash_fits_the_signed_column_and_crosses_from_the_child() -> None:
    hashes = set()
    for path in SAMPLES:
        body = path.read_bytes()
        here, there = prepare_scan(body, LIMITS), read_scan(scan_reply(body, LIMITS))
        assert here.perceptual_hash == there.perceptual_hash == hashed(here.pixels)
        hashes.add(here.perceptual_hash)
    assert all(value is not None and -(2**63) <= value < 2**63 for value in hashes)
    assert len(hashes) == len(SAMPLES)


@pytest.mark.parametrize("nonsense", [2**63, -(2**63) - 1, "0", 1.5, [1]])
def test_a_hash_that_no_column_holds_is_nonsense(nonsense: object) -> None:
    said = scan_reply(SAMPLES[0].read_bytes(), LIMITS)
    with pytest.raises(ValueError, match="not a perceptual hash"):
        read_scan(Reply({**said.facts, "perceptual_hash": nonsense}, said.buffers))
