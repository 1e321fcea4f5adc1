"""Looking through the tower: what it makes of an image of a legal size."""

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image

from worker.lab.training.lessons import Sight
from worker.lab.training.tokens import TOKEN
from worker.lab.training.tower import PatchFormat, TowerWithHeads
from worker.moderation.boxes import Box


@torch.no_grad()
def see(model: TowerWithHeads, image: Image.Image, drawn: np.ndarray, patch_format: PatchFormat) -> Sight:
    """`image` (RGB, of a legal size) through the tower, exactly as the engine shows it; `drawn` are its tokens' true shares."""
    rows, columns = image.height // patch_format.patch, image.width // patch_format.patch
    patches = patch_format.patches(torch.from_numpy(np.array(image))[None])[0]
    features = model.tower(patches, grid_thw=torch.tensor([[1, rows, columns]])).pooler_output
    grid = (rows // patch_format.merge, columns // patch_format.merge)
    evidence = model.drawn(features).view(grid)
    return Sight(features.view(*grid, -1).half().numpy(), evidence.float().numpy(), drawn)


def drawn_shares(boxes: Sequence[Box], shown: Box, shape: tuple[int, int]) -> np.ndarray:
    """Share of each of rows × columns equal tokens of the part `shown` that `boxes` cover; both in pixels of one space."""
    shares = np.zeros(shape, np.float32)
    for box in boxes:
        down = _overlaps(box.y0, box.y1, shown.y0, shown.y1, shape[0])
        across = _overlaps(box.x0, box.x1, shown.x0, shown.x1, shape[1])
        shares += np.outer(down, across)
    return shares.clip(0, 1)


def _overlaps(low: float, high: float, start: float, end: float, count: int) -> np.ndarray:
    edges = np.linspace(start, end, count + 1)
    overlaps: np.ndarray = (np.minimum(edges[1:], high) - np.maximum(edges[:-1], low)).clip(0) / np.diff(edges)
    return overlaps


def on_grid(sight: Sight, box: Box) -> Sight:
    """The part of `sight` inside a box of whole tokens."""
    x0, y0, x1, y1 = (round(value / TOKEN) for value in (box.x0, box.y0, box.x1, box.y1))
    inside = (slice(y0, y1), slice(x0, x1))
    return Sight(sight.features[inside], sight.evidence[inside], sight.drawn[inside])
