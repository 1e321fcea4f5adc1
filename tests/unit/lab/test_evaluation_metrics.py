import math
import subprocess
import sys
import textwrap
from collections.abc import Sequence

import numpy as np
import pytest

from tests.unit.lab.verdicts import judged_as, label
from worker.lab.evaluation import metrics
from worker.lab.evaluation.bootstrap import estimate
from worker.lab.evaluation.figures import Metric
from worker.lab.evaluation.scoring import Scores, final_scores, scan_scores


def scores(real: Sequence[float], generated: Sequence[float]) -> Scores:
    p = np.array([*real, *generated])
    return Scores(np.arange(len(p)) >= len(real), p, np.array([str(number) for number in range(len(p))]))


def test_figures_of_a_small_example_are_those_computed_by_hand() -> None:
    mixed = scores([0.1, 0.2, 0.6], [0.4, 0.8, 0.9])
    assert metrics.auroc(mixed) == pytest.approx(8 / 9)
    assert metrics.balanced_accuracy(mixed) == pytest.approx(2 / 3)
    assert metrics.f1(mixed) == pytest.approx(2 / 3)
    assert metrics.tpr_at_1_fpr(mixed) == pytest.approx(2 / 3)
    assert metrics.average_precision(mixed) == pytest.approx((1 + 1 + 3 / 4) / 3)
    assert metrics.brier(mixed) == pytest.approx((0.01 + 0.04 + 0.36 + 0.36 + 0.04 + 0.01) / 6)


def test_a_score_of_one_half_is_called_generated_as_the_pipeline_does() -> None:
    assert metrics.detected(scores([], [0.5])) == 1.0


def test_one_false_positive_in_a_hundred_is_allowed_and_two_are_not() -> None:
    hundred = [0.1] * 99
    assert metrics.tpr_at_1_fpr(scores([*hundred, 0.7], [0.6])) == 1.0
    assert metrics.tpr_at_1_fpr(scores([*hundred[1:], 0.7, 0.7], [0.6])) == 0.0


def test_a_calibrated_score_has_no_calibration_error_and_a_boastful_one_has() -> None:
    honest = scores([0.25] * 75 + [0.75] * 25, [0.25] * 25 + [0.75] * 75)
    assert metrics.ece(honest) == pytest.approx(0, abs=1e-12)
    boastful = scores([0.0] * 75 + [1.0] * 25, [0.0] * 25 + [1.0] * 75)
    assert metrics.ece(boastful) == pytest.approx(0.25)


def test_bins_are_of_equal_mass_and_equal_scores_share_one() -> None:
    spread = scores(list(np.linspace(0, 0.49, 300)), list(np.linspace(0.5, 1, 300)))
    assert [len(p) for p, _ in metrics.reliability_bins(spread)] == [40] * metrics.ECE_BINS
    assert [len(p) for p, _ in metrics.reliability_bins(scores([0.0] * 90, [1.0] * 10))] == [90, 10]


def test_few_pictures_are_put_into_few_bins() -> None:
    spread = scores(list(np.linspace(0, 0.49, 45)), list(np.linspace(0.5, 1, 45)))
    assert len(metrics.reliability_bins(spread)) == 90 // metrics.ECE_BIN_PICTURES == 3
    assert len(metrics.reliability_bins(scores([0.1], [0.2, 0.3]))) == 1


@pytest.mark.parametrize("one_class", [scores([], [0.2, 0.8]), scores([0.2, 0.8], [])], ids=["generated", "real"])
def test_one_class_leaves_undetermined_what_needs_two(one_class: Scores) -> None:
    with_two = (metrics.auroc, metrics.average_precision, metrics.balanced_accuracy, metrics.tpr_at_1_fpr)
    assert all(math.isnan(metric(one_class)) for metric in with_two)
    assert metrics.brier(one_class) == pytest.approx(0.34)
    assert {metrics.detected(one_class), metrics.false_alarms(one_class)} > {0.5}


def test_no_pictures_determine_nothing() -> None:
    assert all(math.isnan(metric(scores([], []))) for metric in metrics.SCORE_METRICS.values())


def test_a_picture_without_a_verdict_is_as_wrong_as_can_be() -> None:
    pictures = [judged_as(label("a", "net"), None), judged_as(label("b"), None), judged_as(label("c"), 0.3)]
    assert list(final_scores(pictures).p) == [0.0, 1.0, 0.3]
    assert list(scan_scores(pictures).p) == [0.0, 1.0, 0.3]
    assert metrics.balanced_accuracy(final_scores(pictures)) == pytest.approx(0.25)


def test_intervals_resample_photographs_and_not_pictures() -> None:
    values = np.tile([0.0, 1.0], 50)
    alone = np.array([str(number) for number in range(100)])
    of_two = np.array([f"photograph {number % 2}" for number in range(100)])

    def mean(places: np.ndarray) -> float:
        return float(values[places].mean())

    narrow, wide = (estimate({Metric.BRIER: mean}, sources)[Metric.BRIER] for sources in (alone, of_two))
    assert (narrow.value, wide.value) == (0.5, 0.5)
    assert narrow.low is not None
    assert narrow.high is not None
    assert 0.35 < narrow.low < 0.45 < 0.55 < narrow.high < 0.65  # 0.5 ± 1.96 · 0.05
    assert (wide.low, wide.high) == (0.0, 1.0)  # both resamples alike come one time in four each


def test_intervals_are_the_same_every_time() -> None:
    values = np.random.default_rng(1).random(40)
    sources = np.array([str(number // 2) for number in range(40)])
    first, second = (estimate({Metric.ECE: lambda places: float(values[places].mean())}, sources) for _ in range(2))
    assert first == second


def test_one_photograph_gives_no_interval() -> None:
    only = estimate({Metric.ECE: lambda places: float(len(places))}, np.array(["a", "a"]))[Metric.ECE]
    assert (only.value, only.low, only.high) == (2.0, None, None)


def test_a_figure_that_most_resamples_cannot_determine_has_no_interval() -> None:
    rare = scores([0.1, 0.2, 0.3, 0.4], [0.9])  # a third of the resamples lack the generated one
    found = estimate({Metric.AUROC: lambda places: metrics.auroc(rare.at(places))}, rare.sources)[Metric.AUROC]
    assert (found.value, found.low) == (1.0, None)


def test_metrics_load_neither_plots_nor_engine() -> None:
    script = """
        import sys
        import worker.lab.evaluation.metrics
        sys.exit(",".join(sys.modules.keys() & {"matplotlib", "jinja2", "torch", "vllm", "sqlalchemy", "celery"}))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=120, check=False)
    assert ended.stderr.strip() == ""
