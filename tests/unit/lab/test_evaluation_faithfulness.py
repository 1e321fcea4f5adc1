"""Figures of tested explanations."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.lab.verdicts import BOX, judged_as, label
from worker.lab.evaluation import bootstrap
from worker.lab.evaluation.evaluation import explained_by_faithfulness, summarise
from worker.lab.evaluation.faithfulness import METRICS, faithfulness_figures, faithfulness_table, to_test
from worker.lab.evaluation.figures import Estimate, Metric
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.judgements import Judgements
from worker.lab.evaluation.picture_set import PictureSet
from worker.lab.evaluation.report import report_object
from worker.moderation.faithfulness import TOGETHER, CheckCost, Faithfulness, Fill, Masking, found
from worker.moderation.release import Release, Training

UNTESTED = Faithfulness(error_code="no_room_for_control", error_message="No room.")


def after_test(name: str, p: float, masked: float, control: float, *, real: bool = False) -> Judged:
    """Called generated at `p`; blurred as said, and with the mean colour .1 lower."""
    maskings = tuple(
        Masking(position=TOGETHER, fill=fill, p_masked=masked - less, p_control=control - less, controls=())
        for fill, less in ((Fill.BLUR, 0.0), (Fill.MEAN, 0.1))
    )
    return replace(judged_as(label(name, None if real else "x4plus"), p), faithfulness=found(p, maskings, CheckCost()))


PICTURES = (
    replace(after_test("a", 0.9, 0.4, 0.9), found=(BOX,)),
    after_test("b", 0.8, 0.5, 0.78),
    after_test("c", 0.7, 0.72, 0.45, real=True),
)


def test_figures_of_a_small_example_are_those_computed_by_hand() -> None:
    figures = {metric: estimate.value for metric, estimate in faithfulness_figures(PICTURES).items()}
    assert figures[Metric.FAITHFULNESS_DROP] == pytest.approx((0.55 + 0.35 + 0.03) / 3)
    assert figures[Metric.FAITHFULNESS_CONTROL] == pytest.approx((0.05 + 0.07 + 0.3) / 3)
    assert figures[Metric.FAITHFULNESS_DIFFERENCE] == pytest.approx((0.5 + 0.28 - 0.27) / 3)
    assert figures[Metric.FAITHFULNESS_AUC] == pytest.approx(6 / 9)
    assert figures[Metric.FAITHFULNESS_UNMOVED] == pytest.approx(1 / 3)


def test_a_test_that_came_to_nothing_is_told_and_counts_in_no_mean() -> None:
    with_one = (*PICTURES, replace(judged_as(label("d", "x4plus"), 0.9), faithfulness=UNTESTED))
    figures = faithfulness_figures(with_one)
    assert figures[Metric.FAITHFULNESS_UNTESTED].value == 0.25
    of_tested = faithfulness_figures(PICTURES)
    for metric in (Metric.FAITHFULNESS_DROP, Metric.FAITHFULNESS_UNMOVED):
        assert figures[metric] == of_tested[metric]


def test_a_row_counts_the_tested_pictures_which_its_figures_are_of_and_says_of_how_many() -> None:
    with_one = (*PICTURES, replace(judged_as(label("d", "x4plus"), 0.9), faithfulness=UNTESTED))
    first = faithfulness_table(with_one).rows[0]
    assert (first.name, first.pictures, first.sources) == ("called generated: 3 tested of 4", 3, 3)
    assert first.figures[Metric.FAITHFULNESS_UNMOVED].value == pytest.approx(1 / 3)
    assert Metric.FAITHFULNESS_UNTESTED not in first.figures


def test_rows_part_the_right_from_the_wrong_and_fill_from_fill() -> None:
    clear = replace(judged_as(label("e"), 0.1), faithfulness=Faithfulness(drop=-0.05, control_drop=-0.01))
    rows = {row.name: row for row in faithfulness_table([*PICTURES, clear]).rows}
    assert list(rows) == [
        "called generated: 3 tested",
        "generated, and called so: 2 tested",
        "of these, 70% and more of it cited: 1 tested",
        "of these, less of it cited: 1 tested",
        "real, and called generated: 1 tested",
        "called generated, blurred: 3 tested",
        "called generated, mean colour: 3 tested",
        "called real: 1 tested",
    ]
    blurred, mean = (
        rows[f"called generated, {how}: 3 tested"].figures[Metric.FAITHFULNESS_DROP].value for how in ("blurred", "mean colour")
    )
    assert blurred is not None
    assert mean is not None
    assert math.isclose(mean - blurred, 0.1)
    assert rows["called real: 1 tested"].figures[Metric.FAITHFULNESS_DROP].value == pytest.approx(-0.05)


def test_without_any_test_the_figures_have_no_values_and_there_are_no_rows() -> None:
    assert faithfulness_figures(()) == dict.fromkeys(METRICS, Estimate(None))
    assert faithfulness_table(()).rows == ()


def test_when_all_tests_came_to_nothing_the_figures_are_there_and_say_so() -> None:
    pictures = [replace(judged_as(label("d", "x4plus"), 0.9), faithfulness=UNTESTED)]
    figures = faithfulness_figures(pictures)
    assert figures.keys() == set(METRICS)
    assert figures[Metric.FAITHFULNESS_DROP] == figures[Metric.FAITHFULNESS_CONTROL] == Estimate(None)
    assert figures[Metric.FAITHFULNESS_UNTESTED].value == 1
    assert figures[Metric.FAITHFULNESS_UNMOVED] == Estimate(None)
    row = faithfulness_table(pictures).rows[0]
    assert (row.name, row.pictures, row.figures) == ("called generated: 0 tested of 1", 0, {})


@pytest.mark.parametrize("tested", [PICTURES, ()])
def test_the_report_names_the_figures_whether_something_was_tested_or_not(
    monkeypatch: pytest.MonkeyPatch, tested: tuple[Judged, ...]
) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 20)
    judgements = Judgements(release=Release("nano", Training.TRAINED, {}), main=PICTURES, tested=tested)
    pictures = PictureSet(folder=Path("f"), labels=(), unlabelled=0, labels_sha256="ab", digests=(b"cd",))
    evaluation = summarise(pictures, judgements, "a test", (), lambda _: None, explained=[explained_by_faithfulness(tested)])
    told = json.loads(json.dumps(report_object(evaluation)))
    for name in ("faithfulness_drop", "faithfulness_control"):
        assert (told[name]["value"] is not None) == bool(tested)
    assert ("faithfulness" in told["tables"]) == bool(tested)


def test_what_is_tested_was_called_generated_and_a_quarter_as_much_real() -> None:
    main = [judged_as(label(f"{number}", "x4plus" if number % 2 else None), 0.9 if number % 2 else 0.1) for number in range(80)]
    chosen = to_test(main, 20)
    assert sum(one.generator is not None for one in chosen) == 20
    assert sum(one.generator is None for one in chosen) == 5
