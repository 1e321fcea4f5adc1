"""Per band of degradation: a calibration, and how often the release is right, from pictures as they came and from altered ones."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import GroupKFold

from worker.lab.evaluation.bootstrap import estimate
from worker.lab.evaluation.calibrate import platt
from worker.lab.evaluation.figures import Metric, Row, Table
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.metrics import balanced_accuracy, detected, ece, false_alarms
from worker.lab.evaluation.scoring import Scores, final_scores, raw_scores
from worker.lab.evaluation.tables import score_figures
from worker.moderation.calibration import Accuracy, Calibration, logit
from worker.moderation.degradation import DegradationBand
from worker.moderation.errors import RejectedError

LEAST_PICTURES = 60  # of a band, to measure it
LEAST_SOURCES = 15  # photographs: they are what intervals resample
LEAST_OF_CLASS = 10  # photographs that the real, and that the generated pictures are of: a hundred pictures of one tell of that one
LEAST_FOR_ECE = 90  # pictures: three bins
FOLDS = 5
FLAT = 1e-6  # scale of a calibration whose scores tell nothing: every score becomes the share that is generated
METRICS = {
    Metric.BALANCED_ACCURACY: balanced_accuracy,
    Metric.ECE: ece,
    Metric.DETECTED: detected,
    Metric.FALSE_ALARMS: false_alarms,
}


@dataclass(frozen=True, slots=True)
class BandFit:
    """What was found of a band. `calibration` is None where one of its own is no better than the overall one, which then holds there."""

    calibration: Calibration | None
    accuracy: Accuracy

    def as_card(self) -> dict[str, Any]:
        """What stands in the checkpoint's card."""
        return {**(asdict(self.calibration) if self.calibration else {}), "accuracy": asdict(self.accuracy)}


def fit_bands(pictures: Iterable[Judged], overall: Calibration) -> Mapping[DegradationBand, BandFit]:
    """Of each band that enough scored pictures are in; of others nothing, and the `overall` calibration holds there.

    A band's own calibration is judged on photographs that it was not fitted to, and kept where it is better by more than chance: of a
    few hundred pictures, a fit is mostly noise where the overall one is right already.
    """
    by_band: dict[DegradationBand, list[Judged]] = {}
    for picture in pictures:
        if picture.band is not None and picture.p_generated_raw is not None:
            by_band.setdefault(picture.band, []).append(picture)
    scores = {band: raw_scores(found) for band in DegradationBand if (found := by_band.get(band))}
    fits = {band: _fit(raw, overall) for band, raw in scores.items() if _is_enough(raw)}
    return {band: fit for band, fit in fits.items() if fit is not None}


def band_table(main: Sequence[Judged], altered: Iterable[Sequence[Judged]]) -> Table:
    """Bands of the pictures as they came, and of what altering made of them; without rows where nothing was estimated."""
    grid = [picture for run in altered for picture in run]
    rows = [
        *(_row(f"{band}, as they came", [picture for picture in main if picture.band is band]) for band in DegradationBand),
        *(_row(f"{band}, altered", [picture for picture in grid if picture.band is band]) for band in DegradationBand),
    ]
    note = (
        "By what is estimated of a picture, not by what was done to it. Noise, and what lossy WebP took, are not estimated: altered so, a "
        "picture counts as clean."
    )
    return Table(key="bands", title="Per band of degradation", note=note, rows=tuple(row for row in rows if row.pictures))


def _row(name: str, pictures: Sequence[Judged]) -> Row:
    scores = final_scores(pictures)
    metrics = {metric: compute for metric, compute in METRICS.items() if metric is not Metric.ECE or len(pictures) >= LEAST_FOR_ECE}
    figures = score_figures(scores, metrics) if pictures else {}
    return Row(name=name, pictures=len(pictures), sources=len(np.unique(scores.sources)), figures=figures)


def _is_enough(raw: Scores) -> bool:
    fewest = min(len(np.unique(raw.sources[raw.generated == generated])) for generated in (True, False))
    return len(raw.p) >= LEAST_PICTURES and fewest >= LEAST_OF_CLASS and len(np.unique(raw.sources)) >= LEAST_SOURCES


def _fit(raw: Scores, overall: Calibration) -> BandFit | None:
    """None where the pictures do not say how often the release is right."""
    own, shared = _cross_fitted(raw), _under(overall, raw)
    better = own if own is not None and _is_better(own, shared) else None
    accuracy = _accuracy(better or shared)
    return BandFit(_calibration(raw) if better else None, accuracy) if accuracy else None


def _calibration(raw: Scores) -> Calibration:
    try:
        return platt(raw)
    except RejectedError:  # real pictures score above generated ones: there is nothing in these scores
        return Calibration(FLAT, logit(float(raw.generated.mean())))


def _under(calibration: Calibration, raw: Scores) -> Scores:
    return Scores(raw.generated, np.array([calibration.apply(p) for p in raw.p]), raw.sources)


def _cross_fitted(raw: Scores) -> Scores | None:
    """Each photograph's pictures under a calibration fitted to other photographs; None where a fold leaves one class to fit to."""
    p = np.empty_like(raw.p)
    for known, held in GroupKFold(FOLDS).split(raw.p, groups=raw.sources):
        if len(np.unique(raw.generated[known])) < 2:
            return None  # photographs of many pictures fill the other folds, and all of a class lie in this one
        p[held] = _under(_calibration(raw.at(known)), raw.at(held)).p
    return Scores(raw.generated, p, raw.sources)


def _is_better(own: Scores, shared: Scores) -> bool:
    """Whether the interval of what `own` saves of the Brier score lies above 0."""
    saved = (shared.p - shared.generated) ** 2 - (own.p - own.generated) ** 2
    found = estimate({Metric.BRIER: lambda places: float(saved[places].mean())}, own.sources)[Metric.BRIER]
    return found.low is not None and found.low > 0


def _accuracy(scores: Scores) -> Accuracy | None:
    name = Metric.BALANCED_ACCURACY
    found = estimate({name: lambda places: balanced_accuracy(scores.at(places))}, scores.sources)[name]
    if found.value is None or found.low is None or found.high is None:
        return None
    return Accuracy(found.value, found.low, found.high, len(scores.p))
