"""The second stage's first half: subjects composed of what the tower has already seen.

Every layer of a photograph (itself, interpolated, redrawn by each network) goes through the tower once; a picture with regions is then
put together token by token. A thousand photographs give any number of pictures, without the tower's arithmetic. What this cannot show,
regions that begin inside a token or an attention window, the second half shows on real pixels.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from PIL import Image

from worker.exports.whole_files import write_whole
from worker.images.resize import PixelLimits
from worker.lab.layers import INTERPOLATED, PHOTOGRAPH
from worker.lab.training.arrangement import arrange
from worker.lab.training.degrade import degrade
from worker.lab.training.lessons import Sight
from worker.lab.training.scenes import Scene
from worker.lab.training.sight import drawn_shares, on_grid, see
from worker.lab.training.tokens import TOKEN, Layers
from worker.lab.training.tower import PatchFormat, TowerWithHeads
from worker.moderation.boxes import Box, Size
from worker.zoomin.regions import crop_box

SeenLayers = Mapping[str, Sight]


def see_layers(model: TowerWithHeads, layers: Layers, limits: PixelLimits, patch_format: PatchFormat, seed: list[int]) -> dict[str, Sight]:
    """Every layer under one and the same degradation, resized as the scan would."""
    seen = {}
    for name, pixels in layers.items():
        image = degrade(Image.fromarray(pixels), np.random.default_rng(seed))
        sent = limits.legal(Size(*image.size))
        drawn = np.full((sent.height // TOKEN, sent.width // TOKEN), float(name not in (PHOTOGRAPH, INTERPOLATED)), np.float32)
        seen[name] = see(model, image.resize((sent.width, sent.height), Image.Resampling.BICUBIC), drawn, patch_format)
    return seen


def write_sights(file: Path, seen: SeenLayers) -> None:
    """Writes `file` whole or not at all. Raises OSError."""
    body = io.BytesIO()
    np.savez(body, **{f"{layer}/{field.name}": getattr(sight, field.name) for layer, sight in seen.items() for field in fields(Sight)})
    write_whole(file, body.getvalue())


def read_sights(file: Path) -> dict[str, Sight]:
    """What `write_sights` wrote. Raises OSError."""
    with np.load(file) as arrays:
        layers = dict.fromkeys(name.split("/")[0] for name in arrays.files)
        return {layer: Sight(**{field.name: arrays[f"{layer}/{field.name}"] for field in fields(Sight)}) for layer in layers}


@dataclass(frozen=True, slots=True)
class ComposedSubject:
    """A `Subject` put together from seen layers."""

    scene: Scene
    whole: Sight
    limits: PixelLimits  # of crops

    def crop(self, box: Box) -> Sight:
        """The whole's own tokens: at this scale a crop is sent as it lies there, up to the tokens' grid."""
        cut = crop_box(box, self.whole.sent, self.limits)
        shape = self.whole.evidence.shape
        x0, y0 = (min(round(low / TOKEN), count - 1) for low, count in ((cut.x0, shape[1]), (cut.y0, shape[0])))
        return on_grid(self.whole, Box(x0 * TOKEN, y0 * TOKEN, x0 * TOKEN + cut.x1 - cut.x0, y0 * TOKEN + cut.y1 - cut.y0))


def compose(seen: SeenLayers, limits: PixelLimits, chance: np.random.Generator) -> ComposedSubject:
    """A picture out of a photograph's seen layers."""
    base = seen[PHOTOGRAPH]
    features, evidence, drawn = base.features.copy(), base.evidence.copy(), base.drawn.copy()
    arrangement = arrange(base.sent, chance)
    everything = Box(0, 0, base.sent.width, base.sent.height)
    for box, layer in arrangement.placed:
        inside = drawn_shares([box], everything, drawn.shape) > 0.5
        new = seen[layer]
        features[inside], evidence[inside], drawn[inside] = new.features[inside], new.evidence[inside], new.drawn[inside]
    scene = Scene(evidence=evidence, drawn=arrangement.drawn, controls=arrangement.controls)
    return ComposedSubject(scene, Sight(features, evidence, drawn), limits)
