"""What a detector must beat to be worth its weights: two baselines, trained on the training split, on the very pictures it was given."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from worker.images.decode import decode
from worker.lab.evaluation.bootstrap import estimate
from worker.lab.evaluation.clip_probe import ClipProbe
from worker.lab.evaluation.energies import EnergyProbe
from worker.lab.evaluation.figures import Figures, Metric, Row, Table
from worker.lab.evaluation.judgements import EvaluationProgress, Report
from worker.lab.evaluation.metrics import auroc, average_precision, tpr_at_1_fpr
from worker.lab.evaluation.picture_set import PictureSet, open_set
from worker.lab.evaluation.scoring import Scores
from worker.lab.evaluation.tables import score_figures
from worker.lab.labels import Label
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

MOST_TRAINING = 2_000  # pictures; CLIP takes 0.2 s for each
NOTE = (
    "Trained on the training split's pictures, scored on the same pictures as the release, against all real ones. “Energies”: a 128-unit "
    "MLP on the log-DCT energies of single 28×28 tokens, the best window of 3 to 5 tokens a side. “CLIP”: logistic regression on the "
    "embedding of a frozen CLIP ViT-B/16 of the middle square. A picture that cannot be decoded is as wrong as can be. “Release − this” is "
    "taken on the same resamples of photographs: an interval above 0 means that the release is better by more than chance."
)
METRICS = {Metric.AUROC: auroc, Metric.AVERAGE_PRECISION: average_precision, Metric.TPR_AT_1_FPR: tpr_at_1_fpr}

Score = Callable[[Image.Image], float]


@dataclass(frozen=True, slots=True)
class Baselines:
    """The probes, untrained, and what they may learn from."""

    learnt: PictureSet
    clip: ClipProbe
    energies: EnergyProbe


def open_baselines(training: Path, pictures: PictureSet) -> Baselines:
    """What baselines need, found fit before anything is judged. `training` holds pictures and their labels.jsonl.

    Raises RejectedError, where sources are shared with `pictures` or a class is missing; MisconfiguredError; OSError.
    """
    learnt = open_set(training, training / "labels.jsonl", MOST_TRAINING)
    shared = {label.source for label in learnt.labels} & {label.source for label in pictures.labels}
    if shared:
        raise RejectedError(
            "splits_overlap",
            f"{len(shared)} source photographs, {min(shared)} among them, are both in {training} and in {pictures.folder}: baselines "
            "that have seen the test would look better than they are.",
        )
    if len({label.label for label in learnt.labels}) < 2:
        raise RejectedError("labels_one_class", f"All labels in {training} are of one class; a baseline learns from both.")
    return Baselines(learnt, ClipProbe(), EnergyProbe())


def baseline_table(baselines: Baselines, pictures: PictureSet, release: Scores, report: Report) -> Table:
    """Both baselines, per generator and over all, and how far `release`, whose scores are in the labels' order, is above them."""
    _train(baselines.clip, baselines.energies, baselines.learnt, report)
    rows = []
    for name, score in (("energies", baselines.energies.score), ("CLIP", baselines.clip.score)):
        rows += _rows(name, _scores(name, score, pictures, report), release, pictures.labels)
    return Table(key="baselines", title="Baselines", note=NOTE, rows=tuple(rows))


def _train(clip: ClipProbe, energies: EnergyProbe, learnt: PictureSet, report: Report) -> None:
    embeddings, generated = [], []
    for number, label in enumerate(learnt.labels, 1):
        report(EvaluationProgress("learning baselines", number, len(learnt.labels)))
        image = _opened(learnt.folder, label)
        if image is None:
            continue
        embeddings.append(clip.embed(image))
        generated.append(label.label is Verdict.GENERATED)
        if label.regions or not generated[-1]:  # a picture generated whole holds no token to compare with its neighbours
            energies.learn(image, label.regions if generated[-1] else ())
    clip.fit(np.array(embeddings), np.array(generated, dtype=np.bool_))
    energies.fit()


def _scores(name: str, score: Score, pictures: PictureSet, report: Report) -> Scores:
    generated = np.array([label.label is Verdict.GENERATED for label in pictures.labels], dtype=np.bool_)
    found = []
    for number, label in enumerate(pictures.labels, 1):
        report(EvaluationProgress(f"baseline {name}", number, len(pictures.labels)))
        image = _opened(pictures.folder, label)
        found.append(score(image) if image is not None else None)
    known = [value for value in found if value is not None]
    wrong = {True: min(known, default=0.0) - 1, False: max(known, default=0.0) + 1}
    values = [value if value is not None else wrong[bool(truth)] for value, truth in zip(found, generated, strict=True)]
    return Scores(generated, np.array(values), np.array([label.source for label in pictures.labels], dtype=np.str_))


def _rows(name: str, scores: Scores, release: Scores, labels: Sequence[Label]) -> list[Row]:
    generators = sorted({label.generator for label in labels if label.generator})
    parts = {f"{name}: {generator}": [label.generator in (None, generator) for label in labels] for generator in generators}
    rows = []
    for title, chosen in {**parts, f"{name}: all": [True] * len(labels)}.items():
        places = np.flatnonzero(chosen)
        part = scores.at(places)
        figures = {**score_figures(part, METRICS), **_ahead(release.at(places), part)}
        rows.append(Row(name=title, pictures=len(part.p), sources=len(np.unique(part.sources)), figures=figures))
    return rows


def _ahead(release: Scores, baseline: Scores) -> Figures:
    return estimate({Metric.RELEASE_MINUS_THIS: lambda places: auroc(release.at(places)) - auroc(baseline.at(places))}, baseline.sources)


def _opened(folder: Path, label: Label) -> Image.Image | None:
    try:
        return decode((folder / label.file).read_bytes()).pixels
    except RejectedError:
        return None
