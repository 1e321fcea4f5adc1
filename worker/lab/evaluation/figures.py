"""Measured figures, each with its interval, in rows and tables that terminal, JSON and HTML show alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple


class Metric(StrEnum):
    """Every figure by the name that machines rely on."""

    AUROC = "auroc"
    AVERAGE_PRECISION = "average_precision"
    BALANCED_ACCURACY = "balanced_accuracy"
    F1 = "f1"
    TPR_AT_1_FPR = "tpr_at_1_fpr"
    ECE = "ece"
    BRIER = "brier"
    DETECTED = "detected"
    FALSE_ALARMS = "false_alarms"
    UNREADABLE_RATE = "unreadable_rate"
    IOU_MEAN_BEST = "iou_mean_best"
    IOU_MEAN_OVER_FOUND = "iou_mean_over_found"
    IOU_UNION_MASK = "iou_union_mask"
    F1_AT_30 = "f1_at_30"
    F1_AT_50 = "f1_at_50"
    SCAN_ACCURACY = "scan_accuracy"
    RANDOM_CROP_ACCURACY = "random_crop_accuracy"
    NO_CROP_ACCURACY = "no_crop_accuracy"
    LARGEST_3_ACCURACY = "largest_3_accuracy"
    FINAL_MINUS_THIS = "final_minus_this"
    RELEASE_MINUS_THIS = "release_minus_this"
    GOOD_FLIPS = "good_flips"
    BAD_FLIPS = "bad_flips"
    ATTENTION_RATIO = "attention_ratio"
    ATTENTION_RATIO_PLACED = "attention_ratio_placed"
    POINTING_GAME = "pointing_game"
    ATTENTION_MASS = "attention_mass"
    ATTENTION_CHANCE = "attention_chance"
    NAMED_RATIO = "attention_ratio_named"
    RANK_CORRELATION = "rank_correlation"
    DELETION_AREA = "deletion_area"
    INSERTION_AREA = "insertion_area"
    LOGPROBS_AGREE = "logprobs_agree"
    LOGPROB_GAP = "logprob_gap"
    SECONDS_PER_MAP = "seconds_per_map"
    FAITHFULNESS_DROP = "faithfulness_drop"
    FAITHFULNESS_CONTROL = "faithfulness_control"
    FAITHFULNESS_DIFFERENCE = "faithfulness_difference"
    FAITHFULNESS_AUC = "faithfulness_auc"
    FAITHFULNESS_UNMOVED = "faithfulness_unmoved"
    FAITHFULNESS_UNTESTED = "faithfulness_untested"


class Meaning(NamedTuple):
    """A metric for people: as a heading, and in a line."""

    title: str
    definition: str


MEANINGS = {
    Metric.AUROC: Meaning("AUROC", "probability that a generated picture scores above a real one"),
    Metric.AVERAGE_PRECISION: Meaning("AP", "average precision, of generated pictures"),
    Metric.BALANCED_ACCURACY: Meaning(
        "balanced accuracy",
        "mean of the shares of real and of generated pictures judged rightly",
    ),
    Metric.F1: Meaning("F1", "of generated pictures, at P(generated) 0.5"),
    Metric.TPR_AT_1_FPR: Meaning("TPR@1%FPR", "share of generated pictures found when at most 1 % of the real ones are called so"),
    Metric.ECE: Meaning(
        "ECE",
        "expected calibration error of P(generated) over at most 15 equal-mass bins of 30 pictures or more; equal scores share a bin. "
        "Never 0 by chance alone: 500 perfectly calibrated pictures give about .03",
    ),
    Metric.BRIER: Meaning("Brier", "mean squared error of P(generated)"),
    Metric.DETECTED: Meaning("detected", "share of generated pictures called generated, at P(generated) 0.5"),
    Metric.FALSE_ALARMS: Meaning("false alarms", "share of real pictures called generated, at P(generated) 0.5"),
    Metric.UNREADABLE_RATE: Meaning(
        "unreadable",
        "share of pictures without a verdict; each counts as wrong in every other figure",
    ),
    Metric.IOU_MEAN_BEST: Meaning("mean best IoU", "mean over the true boxes of the best IoU with a found box; a missed box counts 0"),
    Metric.IOU_MEAN_OVER_FOUND: Meaning(
        "IoU over found boxes (the paper's)",
        "mean over the found boxes of the best IoU with a true box; missed boxes do not count",
    ),
    Metric.IOU_UNION_MASK: Meaning("union-mask IoU", "IoU of all found boxes together with all true ones, mean over pictures"),
    Metric.F1_AT_30: Meaning("F1@.3", "of boxes matched one to one at IoU 0.3 or more"),
    Metric.F1_AT_50: Meaning("F1@.5", "of boxes matched one to one at IoU 0.5 or more"),
    Metric.SCAN_ACCURACY: Meaning("scan accuracy", "balanced accuracy of the scan's provisional verdict"),
    Metric.RANDOM_CROP_ACCURACY: Meaning("random-crop accuracy", "balanced accuracy when boxes of the scan's sizes lie at random"),
    Metric.NO_CROP_ACCURACY: Meaning("no-crop accuracy", "balanced accuracy when the second look is given no crop"),
    Metric.LARGEST_3_ACCURACY: Meaning("largest-3 accuracy", "balanced accuracy when the scan's three largest boxes are cut"),
    Metric.FINAL_MINUS_THIS: Meaning("final − this", "balanced accuracy of the final verdict less this row's, on the same pictures"),
    Metric.RELEASE_MINUS_THIS: Meaning("release − this", "AUROC of the release less this row's, on the same pictures"),
    Metric.GOOD_FLIPS: Meaning("good flips", "share of pictures whose scan was wrong and whose final verdict is right"),
    Metric.BAD_FLIPS: Meaning("bad flips", "share of pictures whose scan was right and whose final verdict is wrong"),
    Metric.ATTENTION_RATIO: Meaning(
        "attention ratio",
        "attention inside the true regions over their share of the area, which boxes of the same sides have at random places; the final "
        "verdict's, over the whole image, of generated pictures called so",
    ),
    Metric.ATTENTION_RATIO_PLACED: Meaning(
        "against boxes inside",
        "the same over what boxes of the same sides have that are drawn inside the picture, and so more often in its middle: stricter",
    ),
    Metric.POINTING_GAME: Meaning("pointing game", "share of those pictures whose most attended token lies in a true region"),
    Metric.ATTENTION_MASS: Meaning("attention inside", "mean share of the attention to the whole image that lies in the true regions"),
    Metric.ATTENTION_CHANCE: Meaning("chance", "mean share of the area that the true regions have"),
    Metric.NAMED_RATIO: Meaning("ratio in named regions", "attention inside the regions that the scan named over their share of the area"),
    Metric.RANK_CORRELATION: Meaning("rank correlation", "Spearman's, with the map of the true weights; mean over pictures"),
    Metric.DELETION_AREA: Meaning(
        "deletion", "area under P(generated) as tokens are blurred, the most attended first; less than at random means they mattered"
    ),
    Metric.INSERTION_AREA: Meaning(
        "insertion", "area under P(generated) as tokens are given back to the blurred picture, the most attended first; more is better"
    ),
    Metric.LOGPROBS_AGREE: Meaning("log-probabilities agree", "share of pictures that PyTorch reads within 0.05 nats of what was recorded"),
    Metric.LOGPROB_GAP: Meaning("largest gap", "largest difference of a verdict's log-probabilities from those recorded, nats"),
    Metric.SECONDS_PER_MAP: Meaning("seconds", "per verdict, for all its maps; loading and drawing excluded, median"),
    Metric.FAITHFULNESS_DROP: Meaning("drop", "of P(generated), when all cited regions are hidden; mean over the fills and the pictures"),
    Metric.FAITHFULNESS_CONTROL: Meaning(
        "drop, elsewhere", "the same when as much area is hidden outside all that is cited, in disjoint patches"
    ),
    Metric.FAITHFULNESS_DIFFERENCE: Meaning("difference", "the drop less that elsewhere, picture by picture; mean"),
    Metric.FAITHFULNESS_AUC: Meaning("AUC, cited or not", "probability that hiding cited regions lowers the score more than hiding others"),
    Metric.FAITHFULNESS_UNMOVED: Meaning(
        "unmoved", "share of the tested pictures whose score drops by less than .05 beyond the control: such a verdict goes to review"
    ),
    Metric.FAITHFULNESS_UNTESTED: Meaning(
        "untested", "share of all pictures that were to be tested whose test came to nothing, as without room for a control"
    ),
}


TELLING = (Metric.AUROC, Metric.DETECTED, Metric.FALSE_ALARMS)
HEADLINE = {
    "Telling them apart": (Metric.AUROC, Metric.AVERAGE_PRECISION, Metric.TPR_AT_1_FPR),
    "Verdicts": (Metric.BALANCED_ACCURACY, Metric.F1, Metric.DETECTED, Metric.FALSE_ALARMS, Metric.UNREADABLE_RATE),
    "Calibration": (Metric.ECE, Metric.BRIER),
    "Boxes": (Metric.IOU_MEAN_BEST, Metric.F1_AT_50),
    "Explanations": (Metric.ATTENTION_RATIO, Metric.POINTING_GAME, Metric.FAITHFULNESS_DROP, Metric.FAITHFULNESS_CONTROL),
    "Two stages": (Metric.SCAN_ACCURACY, Metric.NO_CROP_ACCURACY, Metric.RANDOM_CROP_ACCURACY, Metric.LARGEST_3_ACCURACY),
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value and its 95 % interval; None where the pictures do not determine it."""

    value: float | None
    low: float | None = None
    high: float | None = None


Figures = Mapping[Metric, Estimate]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Figures of one set of pictures."""

    name: str
    pictures: int
    sources: int
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows that are read against each other. `key` is its name in JSON."""

    key: str
    title: str
    note: str
    rows: tuple[Row, ...]

    @property
    def columns(self) -> tuple[Metric, ...]:
        """The metrics that some row has, in their order in Metric."""
        found = {metric for row in self.rows for metric in row.figures}
        return tuple(metric for metric in Metric if metric in found)

    @property
    def telling(self) -> Metric:
        """The metric to draw it by: AUROC, or where the pictures are of one class only, the rate that they determine."""
        known = {metric for row in self.rows for metric, estimate in row.figures.items() if estimate.value is not None}
        return next((metric for metric in TELLING if metric in known), TELLING[0])


def in_words(estimate: Estimate | None) -> str:
    """`.873 [.841, .902]`; a dash where there is no value."""
    if estimate is None or estimate.value is None:
        return "—"
    if estimate.low is None or estimate.high is None:
        return _short(estimate.value)
    return f"{_short(estimate.value)} [{_short(estimate.low)}, {_short(estimate.high)}]"


def _short(value: float) -> str:
    text = f"{value:.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 1 and not text.endswith("1.000") else text
