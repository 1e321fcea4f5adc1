"""Found boxes against true ones, of one picture. Both in the pixels of that picture; reversed corners are put in order first."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from worker.moderation.boxes import Box, intersection_over_union


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxMatch:
    """How well found boxes meet true ones. `best_of_true` has an IoU for each true box, 0 for a missed one; `best_of_found` likewise."""

    best_of_true: tuple[float, ...]
    best_of_found: tuple[float, ...]
    hits_at_30: int
    hits_at_50: int
    union_mask_iou: float

    @property
    def true(self) -> int:
        """How many true boxes."""
        return len(self.best_of_true)

    @property
    def found(self) -> int:
        """How many found boxes."""
        return len(self.best_of_found)


def match_boxes(true: Sequence[Box], found: Sequence[Box]) -> BoxMatch:
    """The match of a picture's boxes; either side may be empty."""
    ious = iou_matrix(true, found)
    return BoxMatch(
        best_of_true=tuple(map(float, ious.max(axis=1, initial=0.0))),
        best_of_found=tuple(map(float, ious.max(axis=0, initial=0.0))),
        hits_at_30=hits(ious, 0.3),
        hits_at_50=hits(ious, 0.5),
        union_mask_iou=union_mask_iou(true, found),
    )


def iou_matrix(true: Sequence[Box], found: Sequence[Box]) -> NDArray[np.float64]:
    """IoU of every true box (rows) with every found one (columns)."""
    ious = [[intersection_over_union(a.ordered(), b.ordered()) for b in found] for a in true]
    return np.array(ious, dtype=np.float64).reshape(len(true), len(found))


def hits(ious: NDArray[np.float64], threshold: float) -> int:
    """Most pairs with an IoU of at least `threshold` in which every box stands at most once."""
    reaching = ious >= threshold
    return int(reaching[linear_sum_assignment(reaching, maximize=True)].sum())


def union_mask_iou(true: Sequence[Box], found: Sequence[Box]) -> float:
    """IoU of the areas that the boxes cover together, however they overlap; 0 where neither side covers anything."""
    cells = _cells(true, found)
    union = float(cells.areas[cells.true | cells.found].sum())
    return float(cells.areas[cells.true & cells.found].sum()) / union if union else 0.0


def covered_share(true: Sequence[Box], found: Sequence[Box]) -> float:
    """Share of the true boxes' area that lies in found ones, however they overlap; 0 where the true ones cover nothing."""
    cells = _cells(true, found)
    whole = float(cells.areas[cells.true].sum())
    return float(cells.areas[cells.true & cells.found].sum()) / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class _Cells:
    """The rectangles between all boxes' edges, as rows and columns: each lies wholly inside or outside of any box."""

    areas: NDArray[np.float64]
    true: NDArray[np.bool_]
    found: NDArray[np.bool_]


def _cells(true: Sequence[Box], found: Sequence[Box]) -> _Cells:
    boxes = [box.ordered() for box in (*true, *found)]
    xs, ys = (np.unique([value for box in boxes for value in pair(box)]) for pair in (_across, _down))
    return _Cells(np.outer(np.diff(ys), np.diff(xs)), _covered(true, xs, ys), _covered(found, xs, ys))


def _across(box: Box) -> tuple[float, float]:
    return box.x0, box.x1


def _down(box: Box) -> tuple[float, float]:
    return box.y0, box.y1


def _covered(boxes: Sequence[Box], xs: NDArray[np.float64], ys: NDArray[np.float64]) -> NDArray[np.bool_]:
    covered = np.zeros((max(len(ys) - 1, 0), max(len(xs) - 1, 0)), dtype=np.bool_)
    for box in map(Box.ordered, boxes):
        inside_x, inside_y = ((edges[:-1] >= low) & (edges[1:] <= high) for edges, (low, high) in ((xs, _across(box)), (ys, _down(box))))
        covered |= np.outer(inside_y, inside_x)
    return covered
