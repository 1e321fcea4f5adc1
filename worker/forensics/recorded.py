"""A verdict as it was recorded: every conversation, reply and pixel of it, enough to ask the same model the same things again. No torch."""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Outcome, OutcomeKind, Region, Stage, StageTrace, Verdict
from worker.moderation.release import Release
from worker.vision.model import ImagePart, Turn

ReadPixels = Callable[[str], Image.Image]  # the evidence of a sha256, RGB. Raises RejectedError, TransientError


@dataclass(frozen=True, slots=True)
class SentImage:
    """Pixels as the model was sent them. `shows` is the part of the original that they are of, in original, oriented pixels."""

    sha256: str
    pixels: Image.Image
    shows: Box


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedStage:
    """One query: what was asked, what came back, and the raw P(generated) that was read from it."""

    stage: Stage
    turns: tuple[Turn, ...]
    images: tuple[SentImage, ...]  # as they stand in the conversation: the whole image first
    reply: str
    p_generated: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedVerdict:
    """What a release said of an image, and how it came to it."""

    release: Release
    verdict: Verdict
    size: Size  # of the original, oriented
    regions: tuple[Region, ...]  # in the model's order
    explanation: str
    stages: tuple[RecordedStage, ...]  # in the order in which they were asked; a scan that came to no verdict of its own is left out

    @property
    def zoom(self) -> RecordedStage:
        """The query that the verdict came from."""
        return self.stages[-1]


def recorded_verdict(outcome: Outcome, release: Release, read: ReadPixels) -> RecordedVerdict:
    """The verdict of `outcome`, whose pixels `read` finds.

    Raises RejectedError: `outcome_without_verdict`, `verdict_without_score`, `trace_purged`, and what `read` raises.
    """
    if outcome.kind is not OutcomeKind.VERDICT or outcome.verdict is None:
        what = f"This image has no verdict to explain: its outcome is “{outcome.kind}”."
        raise RejectedError("outcome_without_verdict", f"{what} {outcome.error_message or ''}".rstrip())
    size = outcome.source.size if outcome.source else None
    if size is None or outcome.sent_sha256 is None:
        raise _purged("the image's size and pixels")
    shown: dict[Stage, tuple[Box, ...]] = {Stage.SCAN: (Box(0, 0, size.width, size.height),)}
    shown[Stage.ZOOM] = (*shown[Stage.SCAN], *(region.crop_box for region in outcome.regions if region.crop_box is not None))
    scores = {Stage.SCAN: outcome.scan_p_generated, Stage.ZOOM: outcome.p_generated_raw}
    if scores[Stage.ZOOM] is None:
        raise RejectedError(
            "verdict_without_score",
            "The verdict came without log-probabilities (an endpoint's way): a map of it could not be checked against anything.",
        )
    stages = (_stage(stage, outcome.traces, shown[stage], score, read) for stage, score in scores.items() if score is not None)
    return RecordedVerdict(
        release=release,
        verdict=outcome.verdict,
        size=size,
        regions=outcome.regions,
        explanation=outcome.explanation or "",
        stages=tuple(stages),
    )


def evidence_pixels(body: bytes, sha256: str) -> Image.Image:
    """The pixels in an evidence object. Ours, so decoded here once they are found to be the ones that were named. Raises RejectedError."""
    if hashlib.sha256(body).hexdigest() != sha256:
        raise RejectedError("evidence_changed", f"Evidence {sha256} no longer holds the pixels that were sent: nothing can be shown on it.")
    return Image.open(io.BytesIO(body)).convert("RGB")


def _stage(stage: Stage, traces: Sequence[StageTrace], shown: Sequence[Box], p_generated: float, read: ReadPixels) -> RecordedStage:
    answered = max((trace for trace in traces if trace.stage is stage), key=lambda trace: trace.attempt, default=None)
    if answered is None:
        raise _purged(f"the trace of its {stage}")
    parts = [part for turn in answered.request["turns"] for part in turn["parts"] if not isinstance(part, str)]
    if len(parts) != len(shown):
        raise RejectedError("trace_inconsistent", f"The {stage}'s trace holds {len(parts)} images, its outcome {len(shown)}.")
    images = tuple(_image(part, box, read) for part, box in zip(parts, shown, strict=True))
    remaining = iter(images)
    turns = tuple(Turn(turn["role"], tuple(_part(part, remaining) for part in turn["parts"])) for turn in answered.request["turns"])
    return RecordedStage(stage=stage, turns=turns, images=images, reply=answered.reply, p_generated=p_generated)


def _image(part: Mapping[str, Any], shows: Box, read: ReadPixels) -> SentImage:
    pixels = read(part["image"])
    if list(pixels.size) != list(part["size"]):
        raise RejectedError("evidence_changed", f"Evidence {part['image']} is {pixels.size}, but {part['size']} was sent.")
    return SentImage(part["image"], pixels, shows)


def _part(part: Any, remaining: Iterator[SentImage]) -> str | ImagePart:
    if isinstance(part, str):
        return part
    image = next(remaining)
    return ImagePart(image.sha256, image.pixels)


def _purged(what: str) -> RejectedError:
    return RejectedError(
        "trace_purged", f"Retention or an erasure removed {what}: there is nothing left to draw a map from. Rescan the image."
    )
