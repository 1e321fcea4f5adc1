"""What a picture of the second stage shows: its regions, what the scan should propose, and how strong the traces are there.

A scene knows the evidence, the tower's log-odds per token of the whole image as sent, and the true boxes. Proposals are the true boxes
and, until there are enough, the places of strongest evidence elsewhere: real pictures are looked at as closely as generated ones, at
boxes of the same sizes, so that neither their number nor their shape gives the label away. Boxes are in pixels of the image as sent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from worker.lab.training.tokens import TOKEN
from worker.moderation.boxes import Box, intersection_over_union
from worker.moderation.outcomes import Verdict
from worker.vision.nano.wording import Grade, grade

PROPOSALS = 3  # boxes a scan names: as many as a picture of the data has regions at most
CONTROL_PROPOSED = 0.7  # share of interpolated regions that the scan should name too: they are worth a closer look
SPOT_SIDES = (3, 7)  # tokens, of places without a true box: the sizes that true boxes have


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """`evidence` rows × columns of log-odds; `drawn` and `controls` the true boxes."""

    evidence: np.ndarray
    drawn: tuple[Box, ...]
    controls: tuple[Box, ...]

    @property
    def verdict(self) -> Verdict:
        """The truth."""
        return Verdict.GENERATED if self.drawn else Verdict.REAL


def propose(scene: Scene, chance: np.random.Generator) -> list[tuple[Box, Grade]]:
    """PROPOSALS boxes on the token grid, or fewer where no more fit, strongest evidence first, each with its grade."""
    named = [_on_grid(box, scene.evidence.shape) for box in scene.drawn]
    named += [_on_grid(box, scene.evidence.shape) for box in scene.controls if chance.random() < CONTROL_PROPOSED]
    del named[PROPOSALS:]
    while len(named) < PROPOSALS and (spot := _strongest_spot(scene.evidence, named, chance)) is not None:
        named.append(spot)
    weighed = sorted(((mean_evidence(scene.evidence, box), box) for box in named), key=lambda entry: -entry[0])
    return [(box, grade(mean)) for mean, box in weighed]


def mean_evidence(evidence: np.ndarray, box: Box) -> float:
    """Mean log-odds of the tokens inside a box on the grid."""
    x0, y0, x1, y1 = (round(value / TOKEN) for value in (box.x0, box.y0, box.x1, box.y1))
    return float(evidence[y0:y1, x0:x1].mean())


def jitter(box: Box, shape: Sequence[int], chance: np.random.Generator) -> Box:
    """A box near `box` on the grid, as a scan that is not quite right would name it."""
    shifts = np.rint(chance.normal(0, 0.8, 4)) * TOKEN
    x0, y0, x1, y1 = (value + shift for value, shift in zip((box.x0, box.y0, box.x1, box.y1), shifts, strict=True))
    return _on_grid(Box(x0, y0, x1, y1), shape)


def _on_grid(box: Box, shape: Sequence[int]) -> Box:
    """The nearest box of whole tokens inside a grid of `shape`, not empty."""
    edges = []
    for low, high, count in ((box.x0, box.x1, shape[1]), (box.y0, box.y1, shape[0])):
        first = int(np.clip(round(min(low, high) / TOKEN), 0, count - 1))
        edges.append((first, int(np.clip(round(max(low, high) / TOKEN), first + 1, count))))
    (x0, x1), (y0, y1) = edges
    return Box(x0 * TOKEN, y0 * TOKEN, x1 * TOKEN, y1 * TOKEN)


def _strongest_spot(evidence: np.ndarray, taken: Sequence[Box], chance: np.random.Generator) -> Box | None:
    rows, columns = (min(int(chance.integers(*SPOT_SIDES, endpoint=True)), max(1, side // 2)) for side in evidence.shape)
    sums = np.pad(evidence, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    means = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns] + sums[:-rows, :-columns]
    for place in np.argsort(means, axis=None)[::-1]:
        y, x = divmod(int(place), means.shape[1])
        box = Box(x * TOKEN, y * TOKEN, (x + columns) * TOKEN, (y + rows) * TOKEN)
        if all(intersection_over_union(box, other) == 0 for other in taken):
            return box
    return None
