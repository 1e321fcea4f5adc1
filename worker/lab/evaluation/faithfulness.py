"""Whether explanations hold: how far P(generated) drops when the cited regions are hidden, and when as much is hidden elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from worker.lab.evaluation.bootstrap import Places, Statistic, estimate
from worker.lab.evaluation.figures import Estimate, Figures, Metric, Row, Table
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.matching import covered_share
from worker.lab.evaluation.picture_set import sample_by_source
from worker.lab.labels import Label
from worker.moderation.faithfulness import TOGETHER, Fill
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import UNEXPLAINED

CALLED_REAL_SHARE = 0.25  # of the pictures that are tested, beside them: what a fill does to a score that is low
WELL_COVERED = 0.7  # of what was made: what is left of it may well carry the verdict by itself
METRICS = (
    Metric.FAITHFULNESS_DROP,
    Metric.FAITHFULNESS_CONTROL,
    Metric.FAITHFULNESS_DIFFERENCE,
    Metric.FAITHFULNESS_AUC,
    Metric.FAITHFULNESS_UNMOVED,
    Metric.FAITHFULNESS_UNTESTED,
)
NOTE = (
    "All cited regions of a picture are hidden at once, the picture is judged anew, and so it is with as much area hidden elsewhere, in "
    "disjoint patches; both for each fill. Pictures whose test came to nothing count in no row. The difference is picture by picture. "
    "What was made but not cited stays in sight, and may carry the verdict. On pictures that are called real a drop below zero would mean "
    "that the fill itself looks generated."
)
TITLES = {Fill.BLUR: "called generated, blurred", Fill.MEAN: "called generated, mean colour"}


@dataclass(frozen=True, slots=True)
class Drops:
    """Parallel arrays, one entry a picture: the drop for the cited regions, that for the control, and the photograph."""

    cited: NDArray[np.float64]
    control: NDArray[np.float64]
    sources: NDArray[np.str_]


def to_test(main: Sequence[Judged], most: int) -> tuple[Label, ...]:
    """About `most` pictures that were called generated, of whole photographs, and a quarter as many real ones that were called real."""
    flagged = [picture.label for picture in main if picture.verdict is Verdict.GENERATED]
    cleared = [picture.label for picture in main if picture.verdict is Verdict.REAL and not picture.generated]
    wanted = ((flagged, most), (cleared, round(CALLED_REAL_SHARE * most)))
    return tuple(label for labels, number in wanted if labels and number for label in sample_by_source(labels, number))


def faithfulness_figures(pictures: Sequence[Judged]) -> Figures:
    """Of the pictures that were called generated, rightly or not; all of them, whether something determines them or not.

    The share that came to nothing is of all whose test was begun; every other figure is of those that came to something.
    """
    generated = called(pictures, Verdict.GENERATED)
    return {**dict.fromkeys(METRICS, Estimate(None)), **_figures(generated), **_untested(generated)}


def faithfulness_table(pictures: Sequence[Judged]) -> Table:
    """Rows for what was called generated: rightly or not, how much of what was made it cites, each fill. One for what was called real.

    A row's pictures are those whose test came to something, which all of its figures are of; its name says of how many.
    """
    generated = called(pictures, Verdict.GENERATED)
    real = called(pictures, Verdict.REAL)
    parts: list[tuple[str, list[Judged], Callable[[Sequence[Judged]], Figures]]] = [
        ("called generated", generated, _figures),
        *((name, part, _figures) for name, part in _by_truth(generated).items()),
        *((TITLES[fill], generated, partial(_filled_figures, fill=fill)) for fill in Fill),
        ("called real", real, _moves),
    ]
    rows = tuple(_row(name, part, figures) for name, part, figures in parts if part)
    return Table(key="faithfulness", title="Do explanations move their scores?", note=NOTE, rows=rows)


def called(tested: Sequence[Judged], verdict: Verdict) -> list[Judged]:
    """Those with that verdict whose test was begun, whether it came to something or not."""
    return [picture for picture in tested if picture.verdict is verdict and picture.faithfulness is not None]


def drops(pictures: Sequence[Judged]) -> Drops:
    """With all cited regions hidden, mean over the fills; of the tests that came to something."""
    return _drops(pictures, _whole)


def fill_drops(pictures: Sequence[Judged], fill: Fill) -> Drops:
    """The same with one fill."""
    return _drops(pictures, lambda picture: _filled(picture, fill))


def _by_truth(pictures: Sequence[Judged]) -> Mapping[str, list[Judged]]:
    rightly = [picture for picture in pictures if picture.generated]
    return {
        "generated, and called so": rightly,
        f"of these, {WELL_COVERED:.0%} and more of it cited": [picture for picture in rightly if _cited(picture) >= WELL_COVERED],
        "of these, less of it cited": [picture for picture in rightly if _cited(picture) < WELL_COVERED],
        "real, and called generated": [picture for picture in pictures if not picture.generated],
    }


def _cited(picture: Judged) -> float:
    return covered_share(picture.label.regions, picture.found)


def _figures(pictures: Sequence[Judged]) -> Figures:
    """Of the tested ones alone: what nobody could test is neither moved nor unmoved."""
    tested = _tested(pictures)
    if not tested:
        return {}
    unmoved = np.array([_unmoved(picture) for picture in tested], dtype=np.bool_)
    share: dict[Metric, Statistic] = {Metric.FAITHFULNESS_UNMOVED: lambda places: float(unmoved[places].mean())}
    return {**_estimates(drops(tested)), **estimate(share, _sources(tested))}


def _untested(pictures: Sequence[Judged]) -> Figures:
    if not pictures:
        return {}
    failed = np.array([_whole(picture) is None for picture in pictures], dtype=np.bool_)
    share: dict[Metric, Statistic] = {Metric.FAITHFULNESS_UNTESTED: lambda places: float(failed[places].mean())}
    return estimate(share, _sources(pictures))


def _moves(pictures: Sequence[Judged]) -> Figures:
    """Without the share that does not move: a verdict “real” owes nothing to what it cites."""
    return _estimates(drops(pictures))


def _filled_figures(pictures: Sequence[Judged], fill: Fill) -> Figures:
    return _estimates(fill_drops(pictures, fill))


def _tested(pictures: Sequence[Judged]) -> list[Judged]:
    return [picture for picture in pictures if _whole(picture) is not None]


def _sources(pictures: Sequence[Judged]) -> NDArray[np.str_]:
    return np.array([picture.label.source for picture in pictures], dtype=np.str_)


def _estimates(found: Drops) -> Figures:
    difference = found.cited - found.control
    if not len(difference):
        return {}
    return estimate(
        {
            Metric.FAITHFULNESS_DROP: lambda places: float(found.cited[places].mean()),
            Metric.FAITHFULNESS_CONTROL: lambda places: float(found.control[places].mean()),
            Metric.FAITHFULNESS_DIFFERENCE: lambda places: float(difference[places].mean()),
            Metric.FAITHFULNESS_AUC: lambda places: separation(found, places),
        },
        found.sources,
    )


def separation(found: Drops, places: Places) -> float:
    """AUC with which the drop tells cited regions from random ones, over the pictures at `places`."""
    cited, control = found.cited[places], np.sort(found.control[places])
    below, upto = np.searchsorted(control, cited, side="left"), np.searchsorted(control, cited, side="right")
    return float((below + upto).mean() / (2 * len(control)))  # ties count half; by rank, as sklearn's takes 20 times as long


def _unmoved(picture: Judged) -> bool:
    found = picture.faithfulness
    return found is not None and not found.moves_score(UNEXPLAINED.least_drop)


def _whole(picture: Judged) -> tuple[float, float] | None:
    found = picture.faithfulness
    return None if found is None or found.drop is None or found.control_drop is None else (found.drop, found.control_drop)


def _filled(picture: Judged, fill: Fill) -> tuple[float, float] | None:
    maskings = picture.faithfulness.maskings if picture.faithfulness else ()
    whole = next((masking for masking in maskings if masking.position == TOGETHER and masking.fill is fill), None)
    if whole is None or picture.p_generated is None:
        return None
    return picture.p_generated - whole.p_masked, picture.p_generated - whole.p_control


def _drops(pictures: Sequence[Judged], read: Callable[[Judged], tuple[float, float] | None]) -> Drops:
    found = [(picture.label.source, pair) for picture in pictures if (pair := read(picture)) is not None]
    return Drops(
        np.array([pair[0] for _, pair in found], dtype=np.float64),
        np.array([pair[1] for _, pair in found], dtype=np.float64),
        np.array([source for source, _ in found], dtype=np.str_),
    )


def _row(name: str, pictures: Sequence[Judged], figures: Callable[[Sequence[Judged]], Figures]) -> Row:
    tested = _tested(pictures)
    told = f"{name}: {len(tested)} tested" + (f" of {len(pictures)}" if len(tested) < len(pictures) else "")
    return Row(name=told, pictures=len(tested), sources=len(set(_sources(tested))), figures=figures(tested))
