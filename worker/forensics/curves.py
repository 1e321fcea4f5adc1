"""Deletion and insertion curves: whether taking away, or giving back, what a map calls important moves the score.

Petsiuk, Das & Saenko, "RISE" (BMVC 2018, arXiv 1806.07421). A token's pixels are taken away by blurring, which leaves an image that could
be: black squares would be traces of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter

from worker.forensics.maps import AttentionMap
from worker.forensics.reader import Reader
from worker.forensics.recorded import RecordedStage
from worker.moderation.calibration import sigmoid

FRACTIONS = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0)  # of all image tokens; dense where maps decide
BLUR = 7.0  # pixels, standard deviation: a quarter of a token, so that nothing of its texture is left
SEED = 2025


@dataclass(frozen=True, slots=True)
class Curve:
    """P(generated), raw, at each of the fractions."""

    fractions: tuple[float, ...]
    values: tuple[float, ...]

    @property
    def area(self) -> float:
        """Under the curve, by trapezes; 0..1."""
        return float(np.trapezoid(self.values, self.fractions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Curves:
    """In the map's order, most important first, and in a random one as control. Good: deletion falls at once, insertion rises at once."""

    deletion: Curve
    insertion: Curve
    random_deletion: Curve
    random_insertion: Curve


def curves(reader: Reader, stage: RecordedStage, attention: AttentionMap, fractions: tuple[float, ...] = FRACTIONS) -> Curves:
    """The four curves of a verdict: some 34 passes through the model. `fractions` rise from 0 to 1."""
    mass = np.concatenate([image.mass.ravel() for image in attention.images])
    chance = np.random.default_rng(SEED).permutation(len(mass))
    order = chance[np.argsort(-mass[chance], kind="stable")]  # ties, as among what has no mass, in random order
    blurred = [image.pixels.filter(ImageFilter.GaussianBlur(BLUR)) for image in stage.images]
    shapes = [image.mass.shape for image in attention.images]
    ends = [_score(reader, stage, pixels) for pixels in ([image.pixels for image in stage.images], blurred)]

    def curve(ranking: np.ndarray, *, delete: bool) -> Curve:
        inner = []
        for fraction in fractions[1:-1]:
            chosen = np.zeros(len(mass), np.bool_)
            chosen[ranking[: round(fraction * len(mass))]] = True
            inner.append(_score(reader, stage, _mixed(stage, blurred, shapes, chosen if delete else ~chosen)))
        first, last = ends if delete else reversed(ends)
        return Curve(fractions, (first, *inner, last))

    return Curves(
        deletion=curve(order, delete=True),
        insertion=curve(order, delete=False),
        random_deletion=curve(chance, delete=True),
        random_insertion=curve(chance, delete=False),
    )


def _mixed(stage: RecordedStage, blurred: Sequence[Image.Image], shapes: Sequence[tuple[int, ...]], gone: np.ndarray) -> list[Image.Image]:
    """The stage's images with the tokens that are `gone` (over all images) blurred."""
    mixed, start = [], 0
    for image, blur, (rows, columns) in zip(stage.images, blurred, shapes, strict=True):
        part = gone[start : start + rows * columns].reshape(rows, columns)
        start += rows * columns
        mask = Image.fromarray(np.uint8(255) * part.astype(np.uint8)).resize(image.pixels.size, Image.Resampling.NEAREST)
        mixed.append(Image.composite(blur, image.pixels, mask))
    return mixed


def _score(reader: Reader, stage: RecordedStage, pixels: Sequence[Image.Image]) -> float:
    return sigmoid(reader.verdict_logit(stage, pixels))
