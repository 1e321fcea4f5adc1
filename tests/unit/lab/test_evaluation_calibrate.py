import json
from pathlib import Path

import numpy as np
import pytest

from tests.unit.lab.verdicts import judged_as, label
from worker.lab.evaluation.calibrate import fit_calibration, platt, read_card, refuse_other_splits, refuse_taught, write_calibration
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.metrics import ece
from worker.lab.evaluation.picture_set import PictureSet
from worker.lab.evaluation.scoring import Scores
from worker.lab.taught_on import Seen, digest_of, write_taught_on
from worker.moderation.calibration import Accuracy, BandCalibration, Calibration, logit, sigmoid
from worker.moderation.degradation import DegradationBand
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.vision.checkpoint import read_checkpoint

CARD = {"name": "small", "training": "trained"}


def drawn(count: int, scale: float, offset: float) -> Scores:
    """Scores whose true probabilities are those of a calibration."""
    chance = np.random.default_rng(3)
    raw = np.array([sigmoid(float(z)) for z in chance.normal(0, 3, count)])
    truth = chance.random(count) < [Calibration(scale, offset).apply(p) for p in raw]
    return Scores(truth, raw, np.array([str(number) for number in range(count)]))


def pictures(judged: list[Judged]) -> PictureSet:
    labels = tuple(each.label for each in judged)
    return PictureSet(folder=Path("validation"), labels=labels, unlabelled=0, labels_sha256="ab" * 32, digests=(b"cd",))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    for name, content in (
        ("config.json", {"architectures": ["Qwen2_5_VLForConditionalGeneration"]}),
        ("tokenizer.json", {}),
        ("preprocessor_config.json", {}),
        ("zoomin.json", CARD),
    ):
        (tmp_path / name).write_text(json.dumps(content))
    (tmp_path / "model.safetensors").touch()
    return tmp_path


def test_the_fit_finds_the_calibration_that_the_scores_were_drawn_from() -> None:
    found = platt(drawn(4_000, 0.5, -0.8))
    assert found.scale == pytest.approx(0.5, abs=0.06)
    assert found.offset == pytest.approx(-0.8, abs=0.12)


def test_a_fit_lowers_the_calibration_error() -> None:
    scores = drawn(2_000, 0.4, 1.0)
    fitted = platt(scores)
    calibrated = Scores(scores.generated, np.array([fitted.apply(p) for p in scores.p]), scores.sources)
    assert ece(calibrated) < 0.05 < ece(scores)


def test_photographs_that_taught_a_checkpoint_do_not_calibrate_it_whatever_their_folder_is_called(checkpoint: Path) -> None:
    unseen = pictures([judged_as(label("a.png", source="a"), 0.1)])
    taught = pictures([judged_as(label("a.png", source="a"), 0.1), judged_as(label("b.png", source="b"), 0.2)])
    write_taught_on(checkpoint, [Seen(labels_sha256="other", photographs=frozenset({digest_of("b")}))])
    refuse_taught(checkpoint, unseen)
    with pytest.raises(RejectedError, match="1 photographs of validation, b among them, taught"):
        refuse_taught(checkpoint, taught)


def test_classes_that_scores_separate_perfectly_ask_for_no_infinite_scale() -> None:
    scores = Scores(np.arange(20) >= 10, np.array([0.01] * 10 + [0.99] * 10), np.array([str(n) for n in range(20)]))
    fitted = platt(scores)
    assert 0 < fitted.scale < 2
    assert fitted.apply(0.99) == pytest.approx(11 / 12, abs=1e-3)  # Platt's target


def test_saturated_scores_are_fitted_as_calibrations_read_them() -> None:
    scores = Scores(np.arange(8) >= 4, np.array([0.0] * 3 + [1.0] + [1.0] * 3 + [0.0]), np.array([str(n) for n in range(8)]))
    fitted = platt(scores)
    assert fitted.apply(1.0) == pytest.approx(sigmoid(fitted.scale * logit(1.0) + fitted.offset))
    assert 0.5 < fitted.apply(1.0) < 0.9


def test_scores_that_point_the_wrong_way_are_refused() -> None:
    scores = Scores(np.arange(20) >= 10, np.array([0.9] * 10 + [0.1] * 10), np.array([str(n) for n in range(20)]))
    with pytest.raises(RejectedError, match="right checkpoint"):
        platt(scores)


def test_pictures_without_a_score_are_left_out_and_counted() -> None:
    judged = [judged_as(label(f"r{n}"), 0.2) for n in range(5)] + [judged_as(label(f"g{n}", "net"), 0.8) for n in range(5)]
    fit = fit_calibration(pictures([*judged, judged_as(label("u"), None)]), [*judged, judged_as(label("u"), None)])
    assert fit.facts == {"pictures": 10, "sources": 10, "left_out": 1, "labels_sha256": "ab" * 32}


def test_one_class_cannot_be_calibrated_on() -> None:
    judged = [judged_as(label(f"r{n}"), 0.2) for n in range(5)]
    with pytest.raises(RejectedError, match="nothing to fit"):
        fit_calibration(pictures(judged), judged)


@pytest.mark.parametrize("split", ["test", "train", "large"])
def test_only_the_validation_split_is_calibrated_on(tmp_path: Path, split: str) -> None:
    with pytest.raises(RejectedError, match="validation split only"):
        refuse_other_splits(tmp_path / split)
    refuse_other_splits(tmp_path / "validation")


def test_the_checkpoint_reads_back_what_was_fitted(checkpoint: Path) -> None:
    judged = [judged_as(label(f"r{n}"), 0.2) for n in range(5)] + [judged_as(label(f"g{n}", "net"), 0.8) for n in range(5)]
    fit = fit_calibration(pictures(judged), judged)
    bands = {"blurred": {"scale": 0.5, "offset": 0.1, "accuracy": {"value": 0.7, "low": 0.6, "high": 0.8, "images": 90}}}
    write_calibration(checkpoint, fit, bands)
    assert read_checkpoint(checkpoint).calibration == fit.calibration
    assert read_checkpoint(checkpoint).bands == {
        DegradationBand.BLURRED: BandCalibration(Calibration(0.5, 0.1), Accuracy(0.7, 0.6, 0.8, 90))
    }
    write_calibration(checkpoint, fit, {})  # a second fit takes the first one's place
    card = json.loads((checkpoint / "zoomin.json").read_text())
    assert card == {**CARD, "calibration": {"scale": fit.calibration.scale, "offset": fit.calibration.offset, "fitted_on": fit.facts}}


def test_a_checkpoint_without_a_card_has_nothing_to_calibrate(checkpoint: Path) -> None:
    (checkpoint / "zoomin.json").unlink()
    with pytest.raises(MisconfiguredError, match="trained for this task"):
        read_card(checkpoint)
