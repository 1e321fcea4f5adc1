"""The first stage's samples: small crops, and for each of the tower's tokens the share of it that a network drew.

A token is 28×28 px of the image as sent (a patch of 14 px, merged 2×2). Crops are whole attention windows of 112 px, 4×4 tokens.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from worker.lab.layers import INTERPOLATED, PHOTOGRAPH
from worker.lab.networks import Network
from worker.lab.regenerate import feathered_opacity
from worker.lab.training.degrade import degrade

TOKEN = 28  # px
WINDOW = 4  # tokens a side, of an attention window
SIDES = (56, 288)  # px of regions before shrinking; up to more than the crop, as a zoomed region fills its crop
INVISIBLE_ABOVE = 36.0  # dB between drawn and photographed token: it looks the same, so it teaches nothing either way
SLACK = 12  # px cut around the crop, so that codecs and filters do not see its border

Layers = Mapping[str, np.ndarray]


@dataclass(frozen=True, slots=True)
class TokenSample:
    """`pixels` uint8 side × side × 3; per token, float32: `drawn`, the share that a network drew, and `counted`, the weight in the loss."""

    pixels: np.ndarray
    drawn: np.ndarray
    counted: np.ndarray


def sample_tokens(layers: Layers, windows: int, chance: np.random.Generator) -> TokenSample:
    """One crop of a photograph, `windows` attention windows a side, with none to two regions of any layer.

    Degraded, and shrunk as a scan would shrink it.
    """
    scale = _scale(chance)
    photograph = layers[PHOTOGRAPH]
    crop = windows * WINDOW * TOKEN
    side = math.ceil(crop / scale) + 2 * SLACK
    if side > min(photograph.shape[:2]):
        side, scale = min(photograph.shape[:2]), (crop + 1) / (min(photograph.shape[:2]) - 2 * SLACK)
    top, left = (int(chance.integers(0, extent - side, endpoint=True)) for extent in photograph.shape[:2])
    window = (slice(top, top + side), slice(left, left + side))
    base = photograph[window].astype(np.float32)
    pixels, drawn, change = base.copy(), np.zeros(base.shape[:2], np.float32), np.zeros(base.shape[:2], np.float32)
    for layer in _chosen_layers(chance):
        opacity, inside = _placed(side, chance)
        new = layers[layer][window].astype(np.float32)
        pixels += opacity[..., None] * (new - pixels)
        drawn[inside] = float(layer != INTERPOLATED)
        change[inside] = np.square(new - base).mean(axis=2)[inside]
    image = degrade(Image.fromarray(np.rint(pixels).astype(np.uint8)), chance)
    shrunk = max(crop, round(side * scale))
    image = image.resize((shrunk, shrunk), Image.Resampling.BICUBIC) if shrunk != side else image
    margin = shrunk - crop
    x, y = (int(chance.integers(margin // 4, margin - margin // 4, endpoint=True)) for _ in range(2))
    cut = np.asarray(image)[y : y + crop, x : x + crop]
    flip = bool(chance.random() < 0.5)
    shares = [_pooled(plane, side / shrunk, x, y, windows * WINDOW) for plane in (drawn, change)]
    if flip:
        cut, shares = cut[:, ::-1], [share[:, ::-1] for share in shares]
    return TokenSample(np.ascontiguousarray(cut), shares[0].copy(), _counted(*shares))


def _scale(chance: np.random.Generator) -> float:
    fate = chance.random()
    if fate < 0.5:
        return 1.0
    return float(chance.uniform(0.85, 1.0) if fate < 0.7 else chance.uniform(0.4, 0.85))


def _chosen_layers(chance: np.random.Generator) -> list[str]:
    kinds = [network.value for network in Network]
    fate = chance.random()
    if fate < 0.22:
        return []
    if fate < 0.44:
        return [INTERPOLATED]
    drawn = kinds[chance.integers(len(kinds))]
    return [INTERPOLATED, drawn] if fate < 0.6 else [drawn]


def _placed(side: int, chance: np.random.Generator) -> tuple[np.ndarray, tuple[slice, slice]]:
    """A region's opacity over a window of `side` px, and its box; its middle lies in the window, its edges may not."""
    height, width = (int(chance.integers(*SIDES, endpoint=True)) for _ in range(2))
    y, x = (int(chance.integers(0, side)) - extent // 2 for extent in (height, width))
    opacity = np.zeros((side, side), np.float32)
    inside = (slice(max(y, 0), min(y + height, side)), slice(max(x, 0), min(x + width, side)))
    opacity[inside] = feathered_opacity(width, height)[inside[0].start - y : inside[0].stop - y, inside[1].start - x : inside[1].stop - x]
    return opacity, inside


def _pooled(plane: np.ndarray, step: float, x: int, y: int, grid: int) -> np.ndarray:
    """Mean of `plane` over each of grid × grid tokens of the crop at (x, y), where a pixel of the crop is `step` pixels of the plane."""
    sums = np.pad(plane, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    rows, columns = (np.clip(np.rint((start + TOKEN * np.arange(grid + 1)) * step).astype(int), 0, plane.shape[0]) for start in (y, x))
    corners = sums[rows][:, columns]
    total = corners[1:, 1:] - corners[:-1, 1:] - corners[1:, :-1] + corners[:-1, :-1]
    shares: np.ndarray = total / np.outer(np.diff(rows), np.diff(columns))
    return shares.astype(np.float32)


def _counted(drawn: np.ndarray, change: np.ndarray) -> np.ndarray:
    visible = change > 255**2 / 10 ** (INVISIBLE_ABOVE / 10) * drawn
    return ((drawn < 0.02) | visible).astype(np.float32)
