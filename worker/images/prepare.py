"""What the model is sent of one image: the shrunken whole, and crops of the full-resolution original."""

import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from PIL import Image

from worker.images.decode import DecodedImage, decode
from worker.images.degradation import estimate
from worker.images.mask import Mask, masked
from worker.images.perceptual import perceptual_hash
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size
from worker.moderation.degradation import Degradation
from worker.moderation.outcomes import EvidenceFacts

EVIDENCE_MEDIA_TYPE = "image/webp"


@dataclass(frozen=True, slots=True)
class Evidence:
    """The sent pixels, losslessly encoded, and the facts that name them."""

    facts: EvidenceFacts
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanImage:
    """The whole image as sent: RGB `pixels` of a legal size. `original` is the oriented size that boxes map back to."""

    pixels: Image.Image
    original: Size
    media_type: str  # of the original, by content
    evidence: Evidence
    perceptual_hash: int | None = None  # see `worker.images.perceptual`; None where it was only shrunk
    degradation: Degradation | None = None  # of the original; None where it was only shrunk

    @property
    def sent(self) -> Size:
        """Size of `pixels`."""
        return Size(*self.pixels.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Crop:
    """A region as sent: RGB `pixels` of a legal size, cut from `box` in original, oriented pixels."""

    box: Box
    pixels: Image.Image
    evidence: Evidence

    @property
    def sent(self) -> Size:
        """Size of `pixels`."""
        return Size(*self.pixels.size)

    @property
    def scale(self) -> float:
        """Sent pixels per original pixel and axis: the geometric mean, as rounding to legal sides stretches a little."""
        return math.sqrt(self.sent.pixels / self.box.area)


def prepare_scan(body: bytes, limits: PixelLimits) -> ScanImage:
    """Decodes and shrinks (or enlarges) the whole image to its legal size, and estimates what it went through. Raises RejectedError."""
    decoded = decode(body)
    scan = _shrunk(decoded, limits, None)
    return replace(scan, perceptual_hash=perceptual_hash(scan.pixels), degradation=estimate(decoded))


def shrink(body: bytes, limits: PixelLimits, mask: Mask | None = None) -> ScanImage:
    """The same pixels without the estimates, which take as long again: for images that are known. What `mask` hides is hidden before."""
    return _shrunk(decode(body), limits, mask)


def cut_crops(body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> tuple[Crop, ...]:
    """One crop per box, in order, of the image with `mask` applied. Boxes are padded already: whole original pixels, inside it, not empty.

    Decodes anew: a second decode costs less than holding 36 MB per 12-megapixel image from scan to zoom.
    Raises RejectedError; ValueError for a box that breaks the contract.
    """
    original = _hidden(decode(body).pixels, mask)
    return tuple(_crop(original, box, limits) for box in boxes)


def named_evidence(body: bytes) -> Evidence:
    """Encoded pixels with the facts that name them."""
    return Evidence(EvidenceFacts(sha256=hashlib.sha256(body).hexdigest(), media_type=EVIDENCE_MEDIA_TYPE, byte_count=len(body)), body)


def _shrunk(decoded: DecodedImage, limits: PixelLimits, mask: Mask | None) -> ScanImage:
    pixels = _resized(_hidden(decoded.pixels, mask), limits)
    return ScanImage(pixels=pixels, original=decoded.size, media_type=decoded.media_type, evidence=_evidence(pixels))


def _hidden(image: Image.Image, mask: Mask | None) -> Image.Image:
    return image if mask is None else masked(image, mask)


def _crop(original: Image.Image, box: Box, limits: PixelLimits) -> Crop:
    corners = box.corners()
    if Box(*corners) != box or box.clamped(Size(*original.size)) != box or box.area <= 0:
        raise ValueError(f"{box} is not a whole-pixel box inside {original.width}×{original.height}")
    # Cut first: resizing through box= would let the filter reach outside the region.
    pixels = _resized(original.crop(corners), limits)
    return Crop(box=box, pixels=pixels, evidence=_evidence(pixels))


def _resized(image: Image.Image, limits: PixelLimits) -> Image.Image:
    """Bicubic with antialiasing, as the model's own processor resamples."""
    size = limits.legal(Size(*image.size))
    return image.resize((size.width, size.height), Image.Resampling.BICUBIC)


def _evidence(pixels: Image.Image) -> Evidence:
    # Lossless WebP at its fastest: 46 ms and 0.96 MB per megapixel photo, where PNG at level 1 takes 59 ms and 1.21 MB (one core).
    buffer = io.BytesIO()
    pixels.save(buffer, format="WEBP", lossless=True, quality=0, method=0)
    return named_evidence(buffer.getvalue())
