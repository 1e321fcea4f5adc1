"""Scores in tables: against clean photographs, against controls, per generator, per folder of photographs, per size."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from worker.lab.evaluation.bootstrap import LEVEL, Places, Statistic, estimate
from worker.lab.evaluation.figures import Estimate, Figures, Metric, Row, Table
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.metrics import SCORE_METRICS, ScoreMetric, auroc, average_precision, balanced_accuracy, detected, false_alarms
from worker.lab.evaluation.metrics import tpr_at_1_fpr as tpr_at_1_fpr_of
from worker.lab.evaluation.scoring import Scores, final_scores

LEAST_FOR_ECE = 300  # pictures: ten bins of ECE_BIN_PICTURES
LEAST_REAL_FOR_TPR = 100  # real pictures: of fewer, "at most 1 %" means none
MEGAPIXELS = (0.3, 1.0, 4.0)  # where size classes part
BRIEF: Mapping[Metric, ScoreMetric] = {  # of tables with many rows
    Metric.AUROC: auroc,
    Metric.AVERAGE_PRECISION: average_precision,
    Metric.BALANCED_ACCURACY: balanced_accuracy,
    Metric.TPR_AT_1_FPR: tpr_at_1_fpr_of,
    Metric.DETECTED: detected,
    Metric.FALSE_ALARMS: false_alarms,
}


def score_figures(scores: Scores, metrics: Mapping[Metric, ScoreMetric] = SCORE_METRICS) -> Figures:
    """Each metric of `scores` with its interval."""
    return estimate({metric: partial(_on, scores, compute) for metric, compute in metrics.items()}, scores.sources)


def error_figures(pictures: Sequence[Judged]) -> Figures:
    """The share of pictures without a verdict. Where resampling cannot vary it, the interval is Clopper and Pearson's, over photographs."""
    missing = np.array([picture.verdict is None for picture in pictures], dtype=np.bool_)
    statistics: dict[Metric, Statistic] = {Metric.UNREADABLE_RATE: lambda places: float(missing[places].mean())}
    sources = _sources(pictures)
    (rate,) = estimate(statistics, sources).values()
    if rate.value in {0.0, 1.0} and rate.low is not None:
        beyond = 1 - ((1 - LEVEL) / 2) ** (1 / len(np.unique(sources)))
        rate = Estimate(rate.value, *((0.0, beyond) if rate.value == 0 else (1 - beyond, 1.0)))
    return {Metric.UNREADABLE_RATE: rate}


def against_table(pictures: Sequence[Judged]) -> Table:
    """Generated pictures against clean photographs, against controls, and against both."""
    generated = [picture for picture in pictures if picture.generated]
    rows = [score_row(f"against {name}", [*generated, *others]) for name, others in _opponents(pictures).items() if generated]
    note = "A control has lost the same detail in the same places to interpolation, and counts as real: no network drew any of it."
    return Table(key="against", title="Generated pictures against real ones", note=note, rows=tuple(rows))


def generator_table(pictures: Sequence[Judged]) -> Table:
    """Each generator's pictures against clean photographs, against controls, and against both; alone where nothing is real."""
    opponents, rows = _opponents(pictures), []
    for generator in sorted({picture.label.generator for picture in pictures if picture.label.generator}):
        own = [picture for picture in pictures if picture.label.generator == generator]
        against = {f"{generator} against {name}": [*own, *others] for name, others in opponents.items()} or {generator: own}
        rows += [score_row(name, part, BRIEF) for name, part in against.items()]
    note = "“Detected” is this generator's; real pictures, and with them false alarms, are the same for all."
    return Table(key="generators", title="Per generator", note=note, rows=tuple(rows))


def collection_table(pictures: Sequence[Judged]) -> Table:
    """Per collection of source photographs; without rows where the labels tell no more than one."""
    collections: dict[str, list[Judged]] = {}
    for picture in pictures:
        collections.setdefault(PurePosixPath(picture.label.source).parts[0], []).append(picture)
    told = 1 < len(collections) < len({picture.label.source for picture in pictures})  # else the names are the sources' own
    rows = [score_row(name, part, BRIEF) for name, part in sorted(collections.items()) if told]
    return Table(key="collections", title="Per collection of photographs", note="By the first part of a label's source.", rows=tuple(rows))


def size_table(pictures: Sequence[Judged]) -> Table:
    """Per size class of the original picture."""
    classes: dict[str, list[Judged]] = {}
    for picture in sorted(pictures, key=lambda picture: picture.size.pixels if picture.size else 0):
        classes.setdefault(size_class(picture), []).append(picture)
    rows = [score_row(name, part, BRIEF) for name, part in classes.items()]
    return Table(key="sizes", title="Per size", note="Of the original picture.", rows=tuple(rows))


def score_row(name: str, pictures: Sequence[Judged], metrics: Mapping[Metric, ScoreMetric] = SCORE_METRICS) -> Row:
    """The final scores of `pictures` as a row, without the figures that so few of them would only seem to determine."""
    scores = final_scores(pictures)
    needs = {Metric.ECE: len(scores.p) >= LEAST_FOR_ECE, Metric.TPR_AT_1_FPR: int((~scores.generated).sum()) >= LEAST_REAL_FOR_TPR}
    metrics = {metric: compute for metric, compute in metrics.items() if needs.get(metric, True)}
    return Row(name=name, pictures=len(pictures), sources=len(np.unique(scores.sources)), figures=score_figures(scores, metrics))


def size_class(picture: Judged) -> str:
    """The megapixels that a picture is counted under."""
    if picture.size is None:
        return "not decoded"
    megapixels = picture.size.pixels / 1e6
    place = int(np.searchsorted(MEGAPIXELS, megapixels, side="right"))
    if place == 0:
        return f"under {MEGAPIXELS[0]:g} MP"
    return f"{MEGAPIXELS[place - 1]:g}–{MEGAPIXELS[place]:g} MP" if place < len(MEGAPIXELS) else f"{MEGAPIXELS[-1]:g} MP and more"


def is_clean(picture: Judged) -> bool:
    """A photograph as it was taken."""
    return not picture.generated and not picture.label.control


def is_control(picture: Judged) -> bool:
    """A photograph with interpolated regions."""
    return picture.label.control


def _opponents(pictures: Sequence[Judged]) -> dict[str, list[Judged]]:
    """Real pictures by kind, and both together where there are both."""
    clean, controls = ([picture for picture in pictures if chosen(picture)] for chosen in (is_clean, is_control))
    kinds = {"clean photographs": clean, "controls": controls, "both": [*clean, *controls] if clean and controls else []}
    return {name: kind for name, kind in kinds.items() if kind}


def _sources(pictures: Sequence[Judged]) -> NDArray[np.str_]:
    return np.array([picture.label.source for picture in pictures], dtype=np.str_)


def _on(scores: Scores, compute: ScoreMetric, places: Places) -> float:
    return compute(scores.at(places))
