"""The images' crossing from the decode children: each result as facts and buffers, and back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from PIL import Image

from worker.images.decode import MAX_SIDE
from worker.images.mask import Mask
from worker.images.prepare import Crop, Evidence, ScanImage, cut_crops, named_evidence, prepare_scan, shrink
from worker.images.reply import Reply
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size
from worker.moderation.degradation import Border, Degradation

MOST_AMOUNT = 100  # pixels of blur, or times of enlargement; estimates end far below


def scan_reply(body: bytes, limits: PixelLimits) -> Reply:
    """`prepare_scan`, packed. In the child."""
    return _packed(prepare_scan(body, limits))


def shrunk_reply(body: bytes, limits: PixelLimits, mask: Mask | None = None) -> Reply:
    """`shrink`, packed. In the child."""
    return _packed(shrink(body, limits, mask))


def _packed(scan: ScanImage) -> Reply:
    facts = {
        "sizes": [scan.pixels.size],
        "original": [scan.original.width, scan.original.height],
        "media_type": scan.media_type,
        "perceptual_hash": scan.perceptual_hash,
        "degradation": asdict(scan.degradation) if scan.degradation else None,
    }
    return Reply(facts, (scan.pixels.tobytes(), scan.evidence.body))


def read_scan(reply: Reply) -> ScanImage:
    """The image of a `scan_reply` or `shrunk_reply`. Raises ValueError, KeyError or TypeError when it makes no sense."""
    ((pixels, evidence),) = _images(reply)
    width, height = reply.facts["original"]
    return ScanImage(
        pixels=pixels,
        original=Size(int(width), int(height)),
        media_type=str(reply.facts["media_type"]),
        evidence=evidence,
        perceptual_hash=_perceptual(reply.facts["perceptual_hash"]),
        degradation=_degradation(reply.facts["degradation"]),
    )


def crops_reply(body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> Reply:
    """`cut_crops`, packed. In the child."""
    crops = cut_crops(body, boxes, limits, mask)
    buffers = tuple(buffer for crop in crops for buffer in (crop.pixels.tobytes(), crop.evidence.body))
    return Reply({"sizes": [crop.pixels.size for crop in crops]}, buffers)


def read_crops(reply: Reply, boxes: Sequence[Box]) -> tuple[Crop, ...]:
    """The crops of a `crops_reply`, one per box. Raises ValueError, KeyError or TypeError when it makes no sense."""
    return tuple(Crop(box=box, pixels=pixels, evidence=evidence) for box, (pixels, evidence) in zip(boxes, _images(reply), strict=True))


def _perceptual(value: object) -> int | None:
    """A hint is taken at the child's word, as the pixels are; only it must be one that a column can hold."""
    if value is None or (isinstance(value, int) and -(2**63) <= value < 2**63):
        return value
    raise ValueError("not a perceptual hash")


def _degradation(values: Mapping[str, Any] | None) -> Degradation | None:
    """Estimates, taken at the child's word as far as they are numbers of their kind."""
    if values is None:
        return None
    quality, border = values["jpeg_quality"], [int(values["border"][side]) for side in ("left", "top", "right", "bottom")]
    if not (quality is None or 1 <= int(quality) <= 100) or not all(0 <= width <= MAX_SIDE for width in border):
        raise ValueError("not a degradation")
    return Degradation(
        jpeg_quality=None if quality is None else int(quality),
        blur=_amount(values["blur"]),
        rescaling=_amount(values["rescaling"]),
        border=Border(*border),
    )


def _amount(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, int | float) and math.isfinite(value) and 0 <= value <= MOST_AMOUNT:
        return float(value)
    raise ValueError("not an amount")


def _images(reply: Reply) -> list[tuple[Image.Image, Evidence]]:
    """Pixels and evidence, pairwise. The hash is taken on this side: a child does not get to name what it sends."""
    buffers = iter(reply.buffers)
    pairs = zip(reply.facts["sizes"], buffers, buffers, strict=True)
    return [(Image.frombytes("RGB", (int(width), int(height)), pixels), named_evidence(body)) for (width, height), pixels, body in pairs]
