"""Figures of attention maps, from pictures measured by hand."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from tests.unit.lab.verdicts import judged_as, label
from worker.cli.lab.figures import print_evaluation
from worker.forensics.curves import Curve, Curves
from worker.forensics.randomised import Randomised
from worker.lab.evaluation import bootstrap
from worker.lab.evaluation.attention import AttendedPicture, Placed
from worker.lab.evaluation.attention_tables import explained_by_attention
from worker.lab.evaluation.evaluation import Explained, summarise
from worker.lab.evaluation.figures import Metric
from worker.lab.evaluation.judgements import Judgements
from worker.lab.evaluation.picture_set import PictureSet
from worker.lab.evaluation.report import render, report_object
from worker.moderation.outcomes import Stage
from worker.moderation.release import Release, Training

FALLING, RISING = Curve((0.0, 1.0), (1.0, 0.0)), Curve((0.0, 1.0), (0.0, 1.0))
FLAT = Curve((0.0, 1.0), (0.5, 0.5))


def flagged(name: str, inside: float, *, points: bool = True, gap: float = 0.001) -> AttendedPicture:
    """Rightly flagged; its true regions are a fifth of the picture."""
    true, gone = Placed(inside, 0.2, 0.4, points), Placed(0.2, 0.2, 0.2, points=False)
    return AttendedPicture(
        judged=judged_as(label(name, "x4plus"), 0.9),
        gap=gap,
        gap_in_other=10 * gap,
        seconds=2.0,
        named_ratio=1.5,
        verdicts={Stage.SCAN: true, Stage.ZOOM: true},
        noise={Randomised.LAST_LAYER: (true, 0.9), Randomised.LANGUAGE: (gone, 0.1), Randomised.EVERYTHING: (gone, None)},
    )


PICTURES = (
    replace(flagged("a", 0.9), curves=Curves(deletion=FALLING, insertion=RISING, random_deletion=FLAT, random_insertion=replace(FLAT))),
    flagged("b", 0.7, points=False),
    AttendedPicture(judged=judged_as(label("c"), 0.2), gap=0.06, gap_in_other=0.2),
)


@pytest.fixture
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 20)


def rows(explained: Explained) -> dict[str, dict[Metric, float | None]]:
    return {row.name: {m: e.value for m, e in row.figures.items()} for table in explained.tables for row in table.rows}


def test_the_ratio_is_of_rightly_flagged_pictures_and_goes_with_the_weights() -> None:
    explained = explained_by_attention(PICTURES)
    assert explained.figures[Metric.ATTENTION_RATIO].value == pytest.approx(1.6 / 0.4)
    assert explained.figures[Metric.POINTING_GAME].value == 0.5
    found = rows(explained)
    assert found["final verdict"][Metric.ATTENTION_RATIO_PLACED] == pytest.approx(1.6 / 0.8)
    noise = found[f"final verdict, noise for {Randomised.LANGUAGE}"]
    assert noise[Metric.ATTENTION_RATIO] == pytest.approx(1)
    assert noise[Metric.RANK_CORRELATION] == pytest.approx(0.1)
    assert found[f"final verdict, noise for {Randomised.EVERYTHING}"][Metric.RANK_CORRELATION] is None


def test_a_broken_map_of_noise_is_left_out_and_told_and_collapses_nothing() -> None:
    survives = {what: (Placed(0.9, 0.2, 0.4, points=True), 0.9) for what in Randomised}
    broken = replace(flagged("b", 0.7), noise=dict.fromkeys(Randomised, (None, None)))
    explained = explained_by_attention((replace(flagged("a", 0.9), noise=survives), broken))
    noise = explained.tables[0].rows[2]
    assert noise.figures[Metric.ATTENTION_RATIO].value == pytest.approx(4.5)
    assert noise.pictures == 1
    assert f"Left out, as no map came out: 1 of 2 with noise for {Randomised.LAST_LAYER}" in explained.tables[0].note


def test_where_all_noise_is_broken_the_check_has_no_value() -> None:
    explained = explained_by_attention((replace(flagged("a", 0.9), noise=dict.fromkeys(Randomised, (None, None))),))
    noise = explained.tables[0].rows[2]
    assert noise.figures[Metric.ATTENTION_RATIO].value is None
    assert noise.pictures == 0


def test_disagreement_is_counted_over_all_and_curves_over_those_that_have_some() -> None:
    found = rows(explained_by_attention(PICTURES))
    assert found["as maps are drawn"][Metric.LOGPROBS_AGREE] == pytest.approx(2 / 3)
    assert found["as maps are drawn"][Metric.LOGPROB_GAP] == 0.06
    assert found["as maps are drawn"][Metric.SECONDS_PER_MAP] == 2.0
    assert found["read in bfloat16"][Metric.LOGPROBS_AGREE] == pytest.approx(2 / 3)
    assert found["most attended first"] == {Metric.DELETION_AREA: 0.5, Metric.INSERTION_AREA: 0.5}


def test_what_pytorch_does_not_read_does_not_agree_and_has_no_gap() -> None:
    unread = AttendedPicture(judged=judged_as(label("d"), 0.2), gap=math.nan, gap_in_other=math.nan)
    found = rows(explained_by_attention((*PICTURES, unread)))["as maps are drawn"]
    assert found[Metric.LOGPROBS_AGREE] == pytest.approx(2 / 4)
    assert found[Metric.LOGPROB_GAP] == 0.06
    assert rows(explained_by_attention((unread,)))["as maps are drawn"][Metric.LOGPROB_GAP] is None


@pytest.mark.parametrize("pictures", [(), PICTURES[2:]])
def test_without_a_rightly_flagged_picture_there_is_no_ratio(pictures: tuple[AttendedPicture, ...]) -> None:
    explained = explained_by_attention(pictures)
    assert explained.figures[Metric.ATTENTION_RATIO].value is None
    assert explained.tables[0].rows == explained.tables[1].rows == ()


@pytest.mark.usefixtures("_few_resamples")
def test_they_stand_in_every_form_of_the_report() -> None:
    main = tuple(one.judged for one in PICTURES)
    pictures = PictureSet(folder=Path("f"), labels=tuple(one.label for one in main), unlabelled=0, labels_sha256="ab", digests=(b"cd",))
    judgements = Judgements(release=Release("nano", Training.TRAINED, {}), main=main)
    evaluation = summarise(pictures, judgements, "a test", (), lambda _: None, explained=[explained_by_attention(PICTURES)])
    told = json.loads(json.dumps(report_object(evaluation)))
    assert told["attention_ratio"]["value"] == pytest.approx(4)
    assert told["pointing_game"]["value"] == 0.5
    assert told["tables"].keys() >= {"attention", "attention_curves", "attention_agreement"}
    assert "Explanations" in render(evaluation, main, ())
    console = Console(record=True, width=120)
    print_evaluation(evaluation, console)
    assert "attention ratio" in console.export_text()


@pytest.mark.usefixtures("_few_resamples")
def test_an_evaluation_without_maps_says_nothing_of_them() -> None:
    main = tuple(one.judged for one in PICTURES)
    pictures = PictureSet(folder=Path("f"), labels=(), unlabelled=0, labels_sha256="ab", digests=(b"cd",))
    evaluation = summarise(pictures, Judgements(release=Release("n", Training.TRAINED, {}), main=main), "a test", (), lambda _: None)
    assert "attention_ratio" not in report_object(evaluation)
    assert "<h2>Explanations</h2>" not in render(evaluation, main, ())
