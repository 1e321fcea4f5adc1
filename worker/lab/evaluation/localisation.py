"""How well boxes are found, over many pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from worker.lab.evaluation.bootstrap import Places, Statistic, estimate
from worker.lab.evaluation.figures import Figures, Metric, Row, Table
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.matching import BoxMatch, match_boxes

AREA_EDGES = (0.0, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 1.0)  # shares of the picture's area


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """Counts of true and of found boxes by the same bins."""

    key: str
    title: str
    bins: tuple[str, ...]
    true: tuple[int, ...]
    found: tuple[int, ...]


def box_table(pictures: Sequence[Judged]) -> Table:
    """Boxes on generated pictures, and apart from them on controls, which hold regions too that no network drew."""
    sides = {
        "generated pictures": [picture for picture in pictures if picture.generated],
        "controls (interpolated regions)": [picture for picture in pictures if picture.label.control],
    }
    rows = [_row(name, with_boxes(side)) for name, side in sides.items() if with_boxes(side)]
    note = "A found box on a control is no mistake of the scan, which names what is worth a closer look; its zoom should clear it."
    return Table(key="boxes", title="Boxes", note=note, rows=tuple(rows))


def box_figures(pictures: Sequence[Judged]) -> Figures:
    """The figures of pictures that have true boxes; a picture without a verdict found what was noted of it until then."""
    counted = with_boxes(pictures)
    matches = [match_boxes(picture.label.regions, picture.found) for picture in counted]
    sources = np.array([picture.label.source for picture in counted], dtype=np.str_)
    return estimate(_statistics(matches), sources)


def with_boxes(pictures: Sequence[Judged]) -> list[Judged]:
    """Those whose true boxes are known: a picture generated whole has none."""
    return [picture for picture in pictures if picture.label.regions]


def histograms(pictures: Sequence[Judged]) -> tuple[Histogram, ...]:
    """Counts and areas of true and found boxes, over generated pictures with known boxes."""
    counted = [picture for picture in with_boxes(pictures) if picture.generated]
    most = max((max(len(picture.label.regions), len(picture.found)) for picture in counted), default=0)
    counts = tuple(range(most + 1))
    true, found = (
        [len(picture.label.regions) for picture in counted],
        [len(picture.found) for picture in counted],
    )
    return (
        Histogram(
            key="box_count",
            title="boxes per picture",
            bins=tuple(map(str, counts)),
            true=tuple(true.count(count) for count in counts),
            found=tuple(found.count(count) for count in counts),
        ),
        _area_histogram(counted),
    )


def _area_histogram(pictures: Sequence[Judged]) -> Histogram:
    sized = [(picture, picture.size.pixels) for picture in pictures if picture.size is not None]
    true = [box.area / pixels for picture, pixels in sized for box in picture.label.regions]
    found = [box.area / pixels for picture, pixels in sized for box in picture.found]
    return Histogram(
        key="box_area",
        title="a box's share of its picture's area, %",
        bins=tuple(f"{100 * low:g}–{100 * high:g}" for low, high in pairwise(AREA_EDGES)),
        true=_counted(true),
        found=_counted(found),
    )


def _counted(shares: Sequence[float]) -> tuple[int, ...]:
    counts, _ = np.histogram(shares, AREA_EDGES)
    return tuple(map(int, counts))


def _row(name: str, pictures: Sequence[Judged]) -> Row:
    return Row(
        name=name,
        pictures=len(pictures),
        sources=len({picture.label.source for picture in pictures}),
        figures=box_figures(pictures),
    )


def _statistics(matches: Sequence[BoxMatch]) -> dict[Metric, Statistic]:
    true, found = _array([match.true for match in matches]), _array([match.found for match in matches])
    best_of_true = _array([sum(match.best_of_true) for match in matches])
    best_of_found = _array([sum(match.best_of_found) for match in matches])
    hits_at_30, hits_at_50 = _array([match.hits_at_30 for match in matches]), _array([match.hits_at_50 for match in matches])
    masks = _array([match.union_mask_iou for match in matches])
    return {
        Metric.IOU_MEAN_BEST: lambda places: _ratio(best_of_true, true, places),
        Metric.IOU_MEAN_OVER_FOUND: lambda places: _ratio(best_of_found, found, places),
        Metric.IOU_UNION_MASK: lambda places: float(masks[places].mean()) if len(places) else np.nan,
        Metric.F1_AT_30: lambda places: _ratio(2 * hits_at_30, true + found, places),
        Metric.F1_AT_50: lambda places: _ratio(2 * hits_at_50, true + found, places),
    }


def _array(values: Sequence[float]) -> NDArray[np.float64]:
    return np.array(values, dtype=np.float64)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64], places: Places) -> float:
    total = float(below[places].sum())
    return float(above[places].sum()) / total if total else np.nan
