"""Lessons in plain pixels, for a model whose tower has no head that says where traces are: the truth stands in for its evidence.

What replies say of a region follows the share of it that a network drew. A scan's reply that a zoom lesson quotes says nothing of the
truth: else the zoom would learn to copy it instead of looking at the crops.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from PIL import Image

from worker.images.resize import PixelLimits
from worker.lab.training.conversations import Speaker
from worker.lab.training.lessons import SCAN_SHARE, Lesson, Sight, scan_lesson, zoom_lesson
from worker.lab.training.pictures import draw_picture
from worker.lab.training.tokens import Layers
from worker.lab.training.tower import PatchFormat

CERTAIN = 2.5  # log-odds of a token that is drawn as a whole, or not at all
UNCERTAINTY = 0.3  # deviation of a scan's evidence: places that show nothing are then named at random
DOUBT = 2.0  # deviation of what a quoted scan says
DOUBTED = 4  # tokens a side that share their doubt: about a region


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueSight:
    """A `Viewer` whose sights hold the model's own input as features, each token's patches, and the truth as evidence."""

    patch_format: PatchFormat
    scan: PixelLimits
    crop: PixelLimits

    def see(self, image: Image.Image, drawn: np.ndarray) -> Sight:
        """`image` (RGB, of a legal size) and the true shares of its tokens; features are rows × columns × values, float32."""
        patches = self.patch_format.patches(torch.from_numpy(np.array(image))[None])[0]
        return Sight(patches.view(*drawn.shape, -1).numpy(), _log_odds(drawn), drawn)


def draw_true_lesson(layers: Layers, eye: TrueSight, speaker: Speaker, chance: np.random.Generator) -> Lesson:
    """A scan or a zoom about a picture made of `layers`; `features` are its image tokens' patches."""
    subject = draw_picture(layers, eye, chance)
    scanned = chance.random() < SCAN_SHARE
    truth = subject.scene.evidence if scanned else np.zeros_like(subject.scene.evidence)
    evidence = truth + _rough(truth.shape, UNCERTAINTY if scanned else DOUBT, chance)
    doubtful = replace(subject, scene=replace(subject.scene, evidence=evidence))
    return scan_lesson(doubtful, speaker, chance) if scanned else zoom_lesson(doubtful, speaker, chance, learn_scan=False)


def _log_odds(shares: np.ndarray) -> np.ndarray:
    least = 1 / (1 + np.exp(CERTAIN))
    held = shares.clip(least, 1 - least)
    odds: np.ndarray = np.log(held / (1 - held))
    return odds.astype(np.float32)


def _rough(shape: tuple[int, ...], deviation: float, chance: np.random.Generator) -> np.ndarray:
    coarse = chance.normal(0, deviation, [-(-side // DOUBTED) for side in shape])
    spread: np.ndarray = np.kron(coarse, np.ones((DOUBTED, DOUBTED)))[: shape[0], : shape[1]]
    return spread
