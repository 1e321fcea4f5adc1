"""A photograph redrawn whole by each network and by interpolation: layers from which training cuts regions of any shape, anew each time.

All layers of a photograph have its size. A region pasted from a layer is what `regenerate` would have drawn there, up to where the
network's ×4 grid lies; training moves that grid about by cropping.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from worker.exports.whole_files import write_whole
from worker.lab.networks import Network
from worker.lab.regenerate import FACTOR, Enlarger

PHOTOGRAPH = "photograph"
INTERPOLATED = "interpolated"
LAYERS = (PHOTOGRAPH, INTERPOLATED, *(network.value for network in Network))
COMPRESSION = 1  # of PNG: read back often, kept for a while


def redraw(photograph: Image.Image, enlarger: Enlarger) -> Image.Image:
    """`photograph` (RGB), shrunk fourfold and drawn anew as a whole; same size."""
    beyond_x, beyond_y = -photograph.width % FACTOR, -photograph.height % FACTOR
    padded = np.pad(np.asarray(photograph), ((0, beyond_y), (0, beyond_x), (0, 0)), mode="edge")
    return enlarger.enlarge(Image.fromarray(padded).reduce(FACTOR)).crop((0, 0, *photograph.size))


def write_layers(photograph: Image.Image, enlargers: Mapping[str, Enlarger], folder: Path) -> None:
    """Writes `photograph` and its redrawn versions as `<layer>.png` into `folder`, which appears whole or not at all."""
    unfinished = folder.with_name(f".{folder.name}")
    unfinished.mkdir(parents=True, exist_ok=True)
    photograph.save(unfinished / f"{PHOTOGRAPH}.png", compress_level=COMPRESSION)
    for layer, enlarger in enlargers.items():
        redraw(photograph, enlarger).save(unfinished / f"{layer}.png", compress_level=COMPRESSION)
    unfinished.rename(folder)


def read_layers(folder: Path) -> dict[str, np.ndarray]:
    """Every layer of a photograph: uint8, height × width × RGB."""
    layers = {}
    for layer in LAYERS:
        with Image.open(folder / f"{layer}.png") as image:
            layers[layer] = np.asarray(image.convert("RGB"))
    return layers


def kept_layers(folder: Path, file: Path) -> dict[str, np.ndarray]:
    """The same, from `file` as it is needed: written there decoded, whole or not at all, where it is not yet. Raises OSError."""
    if not file.is_file():
        body = io.BytesIO()
        np.save(body, np.stack(list(read_layers(folder).values())))
        write_whole(file, body.getvalue())
    stacked = np.load(file, mmap_mode="r").view(np.ndarray)  # the system keeps what is used in memory, and drops it when memory is short
    return dict(zip(LAYERS, stacked, strict=True))
