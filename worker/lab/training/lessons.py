"""The second stage's lessons: a conversation about a subject, and what the tower sees of each image in it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from PIL import Image

from worker.lab.training.conversations import Conversation, Speaker
from worker.lab.training.scenes import Scene, jitter, propose
from worker.lab.training.tokens import TOKEN
from worker.moderation.boxes import Box, Size
from worker.vision.model import ImagePart
from worker.vision.nano.wording import grade, scan_reply, zoom_reply

SCAN_SHARE = 0.4  # of lessons; the others are zooms
JITTERED = 0.5  # share of zoom lessons whose boxes are not quite right, as a scan's are; from the others the scan learns as well


@dataclass(frozen=True, slots=True)
class Sight:
    """What the tower makes of an image: `features` rows × columns × features (float16); per token log-odds and true share drawn."""

    features: np.ndarray
    evidence: np.ndarray
    drawn: np.ndarray

    @property
    def sent(self) -> Size:
        """The image's size as sent, in pixels."""
        rows, columns = self.evidence.shape
        return Size(columns * TOKEN, rows * TOKEN)


class Subject(Protocol):
    """A picture with known regions. Boxes are in pixels of the whole image as sent."""

    @property
    def scene(self) -> Scene:
        """What it shows."""
        ...

    @property
    def whole(self) -> Sight:
        """The whole image as the scan is sent it."""
        ...

    def crop(self, box: Box) -> Sight:
        """The crop that the zoom is sent for `box`."""
        ...


@dataclass(frozen=True, slots=True)
class Lesson:
    """`features` and `drawn` of all image tokens of the conversation, in order."""

    conversation: Conversation
    features: np.ndarray
    drawn: np.ndarray


def draw_lesson(subject: Subject, speaker: Speaker, chance: np.random.Generator) -> Lesson:
    """A scan or a zoom."""
    return scan_lesson(subject, speaker, chance) if chance.random() < SCAN_SHARE else zoom_lesson(subject, speaker, chance)


def scan_lesson(subject: Subject, speaker: Speaker, chance: np.random.Generator) -> Lesson:
    """The first query: boxes, and a verdict on what can be seen so far."""
    reply = scan_reply(propose(subject.scene, chance), subject.scene.verdict)
    return _lesson(speaker.scan(_shown(subject.whole), reply), [subject.whole])


def zoom_lesson(subject: Subject, speaker: Speaker, chance: np.random.Generator, *, learn_scan: bool = True) -> Lesson:
    """The second query: findings from the crops' own evidence, and the verdict.

    With `learn_scan`, what it quotes of the scan is learnt too, where that is right.
    """
    named = propose(subject.scene, chance)
    jittered = chance.random() < JITTERED
    if jittered:
        named = [(jitter(box, subject.scene.evidence.shape, chance), found) for box, found in named]
    crops = [subject.crop(box) for box, _ in named]
    reply = zoom_reply([grade(float(crop.evidence.mean())) for crop in crops], subject.scene.verdict)
    told = [(box, _shown(crop)) for (box, _), crop in zip(named, crops, strict=True)]
    said = scan_reply(named, subject.scene.verdict)
    conversation = speaker.zoom(_shown(subject.whole), said, told, reply, learn_scan=learn_scan and not jittered)
    return _lesson(conversation, [subject.whole, *crops])


def _lesson(conversation: Conversation, sights: list[Sight]) -> Lesson:
    return Lesson(
        conversation,
        np.concatenate([sight.features.reshape(-1, sight.features.shape[-1]) for sight in sights]),
        np.concatenate([sight.drawn.ravel() for sight in sights]),
    )


def _shown(sight: Sight) -> ImagePart:
    """A blank of the sight's size: conversations are shaped by sizes only, the pixels are in the features already."""
    return ImagePart(uuid="", pixels=Image.new("L", (sight.sent.width, sight.sent.height)))
