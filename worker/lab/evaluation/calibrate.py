"""Fits a calibration on the validation split, and writes it into a checkpoint: Platt scaling of the final verdict's logit."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from worker.exports.whole_files import write_whole
from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.picture_set import PictureSet
from worker.lab.evaluation.scoring import Scores, raw_scores
from worker.lab.taught_on import overlap, read_past
from worker.moderation.calibration import Calibration, logit
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.vision.checkpoint import CARD_FILE, read_checkpoint

FORBIDDEN = frozenset({"test", "train", "large"})  # splits that `zoomin dataset build` writes beside `validation`


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """A calibration, what it was fitted on, and the scores it was fitted to."""

    calibration: Calibration
    facts: dict[str, Any]
    raw: Scores

    def as_card(self) -> dict[str, Any]:
        """What stands in the checkpoint's card."""
        fitted = self.calibration
        return {"calibration": {"scale": fitted.scale, "offset": fitted.offset, "fitted_on": self.facts}}

    @property
    def calibrated(self) -> Scores:
        """The same scores under the calibration."""
        return Scores(self.raw.generated, np.array([self.calibration.apply(p) for p in self.raw.p]), self.raw.sources)


def refuse_other_splits(folder: Path) -> None:
    """Returns for a folder that may be calibrated on. Raises RejectedError: its figures would no longer be of unseen pictures."""
    if folder.resolve().name in FORBIDDEN:
        raise RejectedError("split_forbidden", f"{folder} is the {folder.resolve().name} split. Calibrate on the validation split only.")


def refuse_taught(checkpoint: Path, pictures: PictureSet) -> None:
    """Returns when none of the pictures taught the checkpoint, whatever their folder is called. Raises RejectedError."""
    taught = overlap(read_past(checkpoint), pictures.labels, pictures.labels_sha256).taught
    if taught:
        raise RejectedError(
            "calibration_on_training",
            f"{len(taught)} photographs of {pictures.folder}, {taught[0]} among them, taught {checkpoint}. Calibrate on unseen ones.",
        )


def fit_calibration(pictures: PictureSet, judged: Sequence[Judged]) -> Fit:
    """The fit to those pictures that have a raw score. Raises RejectedError when they determine none."""
    scored = [picture for picture in judged if picture.p_generated_raw is not None]
    raw = raw_scores(scored)
    if not scored or raw.generated.all() or not raw.generated.any():
        raise RejectedError(
            "calibration_undetermined", f"{len(scored)} of {len(judged)} pictures have a score, not of both classes: nothing to fit."
        )
    facts = {
        "pictures": len(scored),
        "sources": len(set(raw.sources)),
        "left_out": len(judged) - len(scored),
        "labels_sha256": pictures.labels_sha256,
    }
    return Fit(calibration=platt(raw), facts=facts, raw=raw)


def platt(scores: Scores) -> Calibration:
    """Scale and offset of the likeliest sigmoid on the scores' logits. Raises RejectedError when it would turn their order round.

    Towards Platt's targets (1999): (n₊ + 1) / (n₊ + 2) and 1 / (n₋ + 2) instead of 1 and 0, so that scores which separate the classes
    perfectly do not ask for an infinite scale. A picture counts twice, as either class, weighted by its target.
    """
    positives = int(scores.generated.sum())
    negatives = len(scores.generated) - positives
    targets = np.where(scores.generated, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    logits = np.array([[logit(p)] for p in scores.p])
    model = LogisticRegression(C=np.inf, max_iter=1_000, tol=1e-8)
    weights = np.concatenate([targets, 1 - targets])
    model.fit(np.concatenate([logits, logits]), np.repeat([True, False], len(targets)), sample_weight=weights)
    scale, offset = float(model.coef_[0, 0]), float(model.intercept_[0])
    if scale <= 0:
        raise RejectedError(
            "calibration_inverted",
            f"Real pictures score above generated ones here (scale {scale:.3g}): no calibration mends that. Is this the right checkpoint?",
        )
    return Calibration(scale, offset)


def write_calibration(checkpoint: Path, fit: Fit, bands: Mapping[str, Any]) -> None:
    """Puts the calibration, and what was found per band, into the checkpoint's card. Raises MisconfiguredError, OSError.

    The card changes whole or not at all; bands of an earlier fit do not outlive it.
    """
    path = checkpoint / CARD_FILE
    card = {**read_card(checkpoint), **fit.as_card()}
    card.pop("bands", None)
    card |= {"bands": dict(bands)} if bands else {}
    write_whole(path, json.dumps(card, indent=2, ensure_ascii=False).encode() + b"\n")


def read_card(checkpoint: Path) -> dict[str, Any]:
    """The card of a checkpoint that may be calibrated. Raises MisconfiguredError."""
    read_checkpoint(checkpoint)  # says what is wrong with it, the card's own faults included
    path = checkpoint / CARD_FILE
    if not path.is_file():
        raise MisconfiguredError(
            "model_card_missing", f"{checkpoint} has no {CARD_FILE}: only a checkpoint trained for this task has scores worth calibrating."
        )
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
