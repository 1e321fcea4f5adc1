"""Photographs as layers."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from worker.lab.labels import Label, write_labels
from worker.lab.layers import LAYERS, PHOTOGRAPH
from worker.moderation.outcomes import Verdict

SIZE = (336, 280)


def flat_layers(size: tuple[int, int] = SIZE) -> dict[str, np.ndarray]:
    """Each layer of one colour, the photograph black."""
    return {layer: np.full((size[1], size[0], 3), 60 * number, np.uint8) for number, layer in enumerate(LAYERS)}


def write_dataset(out: Path) -> Path:
    """Two photographs of noise as `zoomin dataset build` lays them out, less their pictures."""
    labels = []
    for number, name in enumerate(("first", "second")):
        folder = out / "layers" / "train" / name
        folder.mkdir(parents=True)
        noise = np.random.default_rng(number).integers(0, 256, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
        photograph = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))
        for blur, layer in enumerate(LAYERS):
            image = photograph if layer == PHOTOGRAPH else photograph.filter(ImageFilter.GaussianBlur(blur))
            image.save(folder / f"{layer}.png", compress_level=1)
        labels.append(labelled(f"images/{name}-clean.jpg", f"photos/{name}.jpg"))
    (out / "train").mkdir()
    write_labels(out / "train" / "labels.jsonl", labels)
    return out


def labelled(file: str, source: str) -> Label:
    """A clean picture."""
    return Label(file=file, label=Verdict.REAL, regions=(), source=source, generator=None, control=False)
