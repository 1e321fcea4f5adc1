"""A release: everything that can change a score, named by one hash over it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Training(StrEnum):
    """How far a release's verdicts can be trusted. Shown wherever they are."""

    UNTRAINED = "untrained"  # weights at their initial values, or of a training cut short: verdicts mean nothing
    ZERO_SHOT = "zero_shot"  # a general model, never trained for this task: near chance
    TRAINED = "trained"  # trained for this task; its model card has the measured figures


HONESTY = {
    Training.UNTRAINED: "UNTRAINED model: boxes, scores and explanations are well-formed noise and mean nothing.",
    Training.ZERO_SHOT: "ZERO-SHOT model: never trained to tell generated images; published accuracy of such models is near chance.",
    Training.TRAINED: "Trained for this task; read the model card before relying on its scores.",
}


@dataclass(frozen=True, slots=True)
class Release:
    """`facts` is plain JSON: weights and tokenizer digests, prompts, calibration, pixel limits, dtype, engine version."""

    name: str
    training: Training
    facts: Mapping[str, Any]

    @property
    def id(self) -> str:
        """`<name>-<12 hex digits>` of the sha256 over the canonical JSON of everything above."""
        whole = {"name": self.name, "training": self.training.value, "facts": self.facts}
        canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        return f"{self.name}-{hashlib.sha256(canonical.encode()).hexdigest()[:12]}"
