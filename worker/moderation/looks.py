"""Looks: somebody asks the model to zoom into a recorded image once more. What it says there is shown, and decides nothing."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import EvidenceFacts, StageTrace, Verdict

MOST_LOOKS = 20  # of one asker at one outcome; each takes about as long as a zoom
MOST_WAITING = 3  # of one asker, anywhere: an engine that judges batches is not to be filled by a single page
LONGEST_QUESTION = 300  # characters


class LookState(StrEnum):
    """Where a look stands."""

    WAITING = "waiting"  # for a worker
    LOOKING = "looking"  # the model is at it
    ANSWERED = "answered"
    UNREADABLE = "unreadable"  # the model answered, twice, in a way that could not be read
    FAILED = "failed"  # its error says why


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedLook:
    """What is asked: where, and in a person's own words what about it. `region` is the outcome's, when the box is its."""

    tenant_id: str
    batch_id: UUID
    ordinal: int
    revision: int | None  # None: the newest outcome's
    author: str  # an actor
    box: Box | None = None  # whole original, oriented pixels; None: the region's
    region: int | None = None
    question: str = ""


@dataclass(frozen=True, slots=True)
class EarlierLook:
    """An answered look of the same dialogue, as the next one continues it. `crop_box` in original, oriented pixels, padded already."""

    box: Box
    crop_box: Box
    question: str
    reply: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LookAnswer:
    """What the model said of one box. Without a verdict, no reply could be read. `p_generated` is raw, and of this look alone."""

    box: Box
    crop_box: Box
    scale: float  # sent pixels per original pixel
    evidence: EvidenceFacts  # the crop
    question_put: bool  # whether the model was asked the question at all
    wording: str  # version and sha256 of the text behind the crop
    traces: tuple[StageTrace, ...]
    finding: str = ""
    explanation: str = ""
    verdict: Verdict | None = None
    p_generated: float | None = None


def checked_box(box: Box, size: Size) -> Box:
    """The box, when it lies inside an image of `size` and is not empty. Raises RejectedError `look_box_invalid`."""
    if box.area > 0 and box == box.clamped(size):
        return box
    raise RejectedError(
        "look_box_invalid",
        f"A look needs a box inside the image, which is {size.width} × {size.height} pixels, at least one pixel a side; "
        f"{list(box.corners())} is not.",
    )
