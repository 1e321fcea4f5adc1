"""Pictures that pass for photographs: coloured, detailed, unlike each other, and in the split that a test needs."""

from itertools import count
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from worker.lab.dataset.selection import Split, split_of


def draw_photograph(seed: int, size: tuple[int, int] = (240, 220)) -> Image.Image:
    """Blurred noise, RGB."""
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))


def save_photograph(folder: Path, split: Split, *, after: int = 0, size: tuple[int, int] = (240, 220)) -> Path:
    """Saves a picture under the first name from `after` on that belongs to `split`."""
    folder.mkdir(exist_ok=True)
    name = next(name for name in (f"{split}-{number}.png" for number in count(after)) if split_of(name) is split)
    draw_photograph(after + len(split), size).save(folder / name, compress_level=1)
    return folder / name
