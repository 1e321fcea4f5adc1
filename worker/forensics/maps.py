"""Attention maps: what share of a target's relevance lies on which image token, and where that is in the original. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import Stage

METHOD = "chefer-2021-2"  # how maps are computed and drawn; another name where that changes: caches ask for it

Grid = NDArray[np.float32]


class TargetKind(StrEnum):
    """What a map explains."""

    VERDICT = "verdict"  # the logit difference generated − real at the verdict's token
    SENTENCE = "sentence"  # the log-probability of one sentence of the explanation; of a long one's last sentences together
    BOX = "box"  # the log-probability of the numbers of one box of the scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Which part of which reply. `number` counts from 1 among those of its kind; `text` is the model's own, untrusted."""

    stage: Stage
    kind: TargetKind
    number: int
    text: str

    @property
    def name(self) -> str:
        """As files and arrays are named: `zoom-verdict`, `zoom-sentence-2`, `scan-box-1`."""
        return f"{self.stage}-{self.kind}" if self.kind is TargetKind.VERDICT else f"{self.stage}-{self.kind}-{self.number}"


@dataclass(frozen=True, slots=True)
class ImageMap:
    """One image's part of a map. `mass` (rows × columns, ≥ 0): a cell is a token, 28 × 28 sent pixels.

    `shows` is the part of the original under the grid, in original, oriented pixels: cells divide it evenly.
    """

    sha256: str
    shows: Box
    mass: Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionMap:
    """A target's relevance over all image tokens of its conversation, the whole image first, then each crop; sums to 1.

    `on_images` is how much of the relevance lay on images at all; the rest lay on words.
    """

    target: Target
    images: tuple[ImageMap, ...]
    on_images: float

    @property
    def whole(self) -> ImageMap:
        """The part over the whole image, on which chance can be told: crops show nothing but the named regions."""
        return self.images[0]


def mass_inside(image: ImageMap, boxes: Sequence[Box]) -> float | None:
    """Share of the image's mass inside the union of `boxes`, original pixels; None where the image has none."""
    total = float(image.mass.sum())
    return float((image.mass * covered_shares(boxes, image.shows, image.mass.shape)).sum()) / total if total > 0 else None


def points_inside(image: ImageMap, boxes: Sequence[Box]) -> bool | None:
    """The pointing game (Zhang et al., "Top-down Neural Attention by Excitation Backprop", 2016): whether the peak's middle is in a box.

    None where the image has no mass, and so no peak.
    """
    if not float(image.mass.sum()) > 0:
        return None
    row, column = np.unravel_index(int(image.mass.argmax()), image.mass.shape)
    rows, columns = image.mass.shape
    x = image.shows.x0 + (column + 0.5) * (image.shows.x1 - image.shows.x0) / columns
    y = image.shows.y0 + (row + 0.5) * (image.shows.y1 - image.shows.y0) / rows
    return any(box.x0 <= x < box.x1 and box.y0 <= y < box.y1 for box in boxes)


def covered_shares(boxes: Sequence[Box], shown: Box, shape: tuple[int, ...]) -> Grid:
    """Share of each of rows × columns equal cells of the part `shown` that `boxes` cover; both in pixels of one space.

    Where boxes overlap inside one cell, their shares add up to at most 1.
    """
    shares = np.zeros(shape, np.float32)
    for box in boxes:
        down = _overlaps(box.y0, box.y1, shown.y0, shown.y1, shape[0])
        across = _overlaps(box.x0, box.x1, shown.x0, shown.x1, shape[1])
        shares += np.outer(down, across)
    return shares.clip(0, 1)


def over_original(attention: AttentionMap, canvas: Size, original: Size) -> Grid:
    """The map drawn over a picture of the original in `canvas` pixels (height × width, sums to 1): crops add to where they were cut."""
    field = np.zeros((canvas.height, canvas.width), np.float32)
    scale_x, scale_y = canvas.width / original.width, canvas.height / original.height
    for image in attention.images:
        box = image.shows.scaled(scale_x, scale_y).outward().clamped(canvas)
        x0, y0, x1, y1 = box.corners()
        rows = ((np.arange(y1 - y0) + 0.5) * image.mass.shape[0] / max(y1 - y0, 1)).astype(int)
        columns = ((np.arange(x1 - x0) + 0.5) * image.mass.shape[1] / max(x1 - x0, 1)).astype(int)
        spread = image.mass[rows][:, columns]
        if (total := float(spread.sum())) > 0:
            field[y0:y1, x0:x1] += spread * (float(image.mass.sum()) / total)
    return field


def _overlaps(low: float, high: float, start: float, end: float, count: int) -> NDArray[np.float64]:
    edges = np.linspace(start, end, count + 1)
    overlaps: NDArray[np.float64] = (np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)).clip(0) / np.diff(edges)
    return overlaps
