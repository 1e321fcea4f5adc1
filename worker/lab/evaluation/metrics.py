"""Metrics of scores against the truth. Where the pictures do not determine one (say, only one class), it is NaN."""

import math
from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score, roc_curve

from worker.lab.evaluation.figures import Metric
from worker.lab.evaluation.scoring import Scores

ECE_BINS = 15  # of equal mass: scores saturate, and equal widths would leave most bins empty
ECE_BIN_PICTURES = 30  # at least: of fewer, chance alone makes a bin look miscalibrated
FALSE_POSITIVES_ALLOWED = 0.01

ScoreMetric = Callable[[Scores], float]


def auroc(scores: Scores) -> float:
    """Area under the ROC curve."""
    return float(roc_auc_score(scores.generated, scores.p)) if _has_both(scores) else math.nan


def average_precision(scores: Scores) -> float:
    """Average precision of the generated pictures."""
    return float(average_precision_score(scores.generated, scores.p)) if _has_both(scores) else math.nan


def balanced_accuracy(scores: Scores) -> float:
    """Mean of the shares of real and of generated pictures judged rightly."""
    return (detected(scores) + 1 - false_alarms(scores)) / 2


def detected(scores: Scores) -> float:
    """Share of the generated pictures called generated."""
    return share(scores.called_generated[scores.generated])


def false_alarms(scores: Scores) -> float:
    """Share of the real pictures called generated."""
    return share(scores.called_generated[~scores.generated])


def f1(scores: Scores) -> float:
    """Harmonic mean of precision and recall of the generated pictures; 0 when none is called so."""
    hits = int((scores.called_generated & scores.generated).sum())
    called, true = int(scores.called_generated.sum()), int(scores.generated.sum())
    return 2 * hits / (called + true) if true else math.nan


def tpr_at_1_fpr(scores: Scores) -> float:
    """Largest share of generated pictures above a threshold that at most 1 % of the real ones reach."""
    if not _has_both(scores):
        return math.nan
    false_rates, true_rates, _ = roc_curve(scores.generated, scores.p, drop_intermediate=False)
    return float(true_rates[false_rates <= FALSE_POSITIVES_ALLOWED].max())


def ece(scores: Scores) -> float:
    """Expected calibration error: mean over pictures of |share generated − mean score| of their bin."""
    if not len(scores.p):
        return math.nan
    return float(sum(len(p) * abs(generated.mean() - p.mean()) for p, generated in reliability_bins(scores)) / len(scores.p))


def brier(scores: Scores) -> float:
    """Mean squared error of the scores."""
    return float(brier_score_loss(scores.generated, scores.p, pos_label=True)) if len(scores.p) else math.nan


def reliability_bins(scores: Scores) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """(scores, truth) of each of at most ECE_BINS bins of about equal mass, by rising score. Equal scores share a bin."""
    bins = max(1, min(ECE_BINS, len(scores.p) // ECE_BIN_PICTURES))
    edges = np.unique(np.quantile(scores.p, np.linspace(0, 1, bins + 1)[1:-1], method="inverted_cdf"))
    places = np.searchsorted(edges, scores.p, side="left")
    return [(scores.p[places == place], scores.generated[places == place]) for place in np.unique(places)]


def share(chosen: NDArray[np.bool_]) -> float:
    """Share of True; NaN of nothing."""
    return float(chosen.mean()) if len(chosen) else math.nan


def _has_both(scores: Scores) -> bool:
    return bool(scores.generated.any() and not scores.generated.all())


SCORE_METRICS: Mapping[Metric, ScoreMetric] = {
    Metric.AUROC: auroc,
    Metric.AVERAGE_PRECISION: average_precision,
    Metric.BALANCED_ACCURACY: balanced_accuracy,
    Metric.F1: f1,
    Metric.TPR_AT_1_FPR: tpr_at_1_fpr,
    Metric.ECE: ece,
    Metric.BRIER: brier,
}
