"""Attention maps of a recorded verdict: read again with PyTorch, checked against the record, drawn.

    attender = Attender.load(checkpoint)                 # once; seconds for nano, minutes for 7B; on the GPU where there is one
    attended = attender.attend(recorded_verdict(outcome, release, read))
    for file in attended.files(): store(file.sha256, file.media_type, file.body)

Nothing here changes a verdict, and nothing is written: files are values, named by the sha256 of their bytes.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

import numpy as np

from worker.forensics.agreement import logprob_gap, refuse_disagreement, tolerance
from worker.forensics.arrays import arrays_npz
from worker.forensics.chance import mass_in_placed, mass_in_random
from worker.forensics.maps import METHOD, AttentionMap, ImageMap, Target, TargetKind, mass_inside, points_inside
from worker.forensics.overlay import layer_png, overlay_png
from worker.forensics.reader import MEMORY_GIB, Reader, Reading
from worker.forensics.recorded import RecordedStage, RecordedVerdict
from worker.forensics.relevancy import logprob, relevance
from worker.forensics.tokens import Span, box_spans, said, sentence_spans
from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Stage
from worker.moderation.release import Release
from worker.vision.checkpoint import CARD_FILE, Checkpoint, release_facts

__all__ = ("METHOD", "Attended", "AttendedFile", "Attender", "AttentionFigures", "FileRole", "verdict_map")

MOST_SENTENCES = 12  # maps of one explanation's sentences: 240 characters seldom hold more, and what does shares the last map


class FileRole(StrEnum):
    """What a file is."""

    OVERLAY = "overlay"  # PNG: image, map, boxes, legend
    LAYER = "layer"  # PNG with alpha: the map alone, of the whole image's size as sent
    ARRAYS = "arrays"  # npz, see `arrays`


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendedFile:
    """A file as it is to be stored. `target` is None for what holds all targets."""

    role: FileRole
    target: Target | None
    media_type: str
    body: bytes
    sha256: str

    @property
    def name(self) -> str:
        """A name for people."""
        return "attention.npz" if self.target is None else f"{self.target.name}-{self.role}.png"


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionFigures:
    """Of the verdict's map over the whole image; None where nothing was named, or no relevance lies there.

    Crops count nowhere here: they show nothing but named regions, and would flatter every figure.
    """

    logprob_gap: float  # largest of the stages', nats; see `agreement`
    mass_in_regions: float | None  # share of the mass inside the regions
    mass_in_random: float | None  # the same inside boxes of the same sides at random places: their share of the area, see `chance`
    mass_in_placed: float | None  # stricter: inside boxes of the same sides that lie inside the image, and so more often in its middle
    pointing_game: bool | None  # whether the peak lies in a region
    seconds: float  # loading and pictures excluded

    @property
    def attention_ratio(self) -> float | None:
        """Mass in the regions over that in random boxes."""
        return self.mass_in_regions / self.mass_in_random if self.mass_in_regions is not None and self.mass_in_random else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attended:
    """Everything that was computed of one verdict. Maps: the verdict's of each stage, then sentences, then boxes."""

    recorded: RecordedVerdict
    figures: AttentionFigures
    maps: tuple[AttentionMap, ...]

    def files(self) -> Iterator[AttendedFile]:
        """Two pictures of each map, then the arrays of all. Each is drawn as it is taken: all together are many times the image."""
        for attention in self.maps:
            yield _file(FileRole.OVERLAY, attention.target, "image/png", overlay_png(attention, self.recorded))
            yield _file(FileRole.LAYER, attention.target, "image/png", layer_png(attention, self.recorded))
        yield _file(FileRole.ARRAYS, None, "application/x-npz", arrays_npz(self.maps, self.recorded))

    @property
    def verdict_map(self) -> AttentionMap:
        """Of the final verdict."""
        return next(m for m in self.maps if m.target.kind is TargetKind.VERDICT and m.target.stage is Stage.ZOOM)


class Attender:
    """A loaded checkpoint that draws maps. For one thread at a time."""

    def __init__(self, reader: Reader, digests: dict[str, str]) -> None:
        self.reader = reader
        self._digests = digests  # sha256 of the checkpoint's files, by name

    @classmethod
    def load(cls, checkpoint: Checkpoint, *, dtype: str | None = None, device: str | None = None, memory_gib: float = MEMORY_GIB) -> Self:
        """As `Reader.load`. Raises MisconfiguredError."""
        return cls(Reader.load(checkpoint, dtype=dtype, device=device, memory_gib=memory_gib), release_facts(checkpoint)["files"])

    def attend(self, recorded: RecordedVerdict) -> Attended:
        """Maps and figures of a verdict. Raises RejectedError, and MisconfiguredError where this checkpoint did not say it."""
        self.refuse_other(recorded.release)
        begun = time.perf_counter()
        gaps: list[float] = []
        maps = [attention for stage in recorded.stages for attention in self._stage_maps(stage, recorded, gaps)]
        verdict = next(m for m in maps if m.target.kind is TargetKind.VERDICT and m.target.stage is Stage.ZOOM)
        boxes = [region.box for region in recorded.regions]
        figures = AttentionFigures(
            logprob_gap=max(gaps),
            mass_in_regions=mass_inside(verdict.whole, boxes) if boxes else None,
            mass_in_random=mass_in_random(verdict.whole, boxes),
            mass_in_placed=mass_in_placed(verdict.whole, boxes),
            pointing_game=points_inside(verdict.whole, boxes) if boxes else None,
            seconds=time.perf_counter() - begun,
        )
        return Attended(recorded=recorded, figures=figures, maps=tuple(maps))

    def refuse_other(self, release: Release) -> None:
        """Returns when the release's files are the checkpoint's, but for the card. Raises MisconfiguredError."""
        said = (release.facts.get("model") or {}).get("files") or {}
        if _without_card(said) != _without_card(self._digests):
            raise MisconfiguredError(
                "checkpoint_of_another_release",
                f"The verdict is {release.id}'s, and the checkpoint here is another: its files differ. Name the release's own checkpoint "
                "with ZOOMIN_MODEL; where it is gone, rescan the image.",
            )

    def _stage_maps(self, stage: RecordedStage, recorded: RecordedVerdict, gaps: list[float]) -> Iterator[AttentionMap]:
        reading = self.reader.read(stage)
        gap = logprob_gap(stage.p_generated, float(reading.verdict_logit.detach()))
        gaps.append(gap)
        refuse_disagreement(stage.stage, gap, tolerance(self.reader.dtype, _engine_dtype(recorded.release)))
        yield verdict_map(reading, stage)
        for number, span in enumerate(sentence_spans(stage.reply, MOST_SENTENCES), 1):
            yield _text_map(reading, stage, TargetKind.SENTENCE, number, span)
        for number, span in enumerate(box_spans(stage.reply) if stage.stage is Stage.SCAN else (), 1):
            yield _text_map(reading, stage, TargetKind.BOX, number, span)


def _without_card(digests: Mapping[str, str]) -> dict[str, str]:
    """A calibration is written to the card, long after verdicts were recorded; what else changed, the log-probabilities tell."""
    return {name: digest for name, digest in digests.items() if name != CARD_FILE}


def verdict_map(reading: Reading, stage: RecordedStage) -> AttentionMap:
    """Of the logit difference generated − real. Where the verdict is “real”, it shows what speaks for “generated” all the same."""
    place = reading.reply.verdict
    target = Target(stage=stage.stage, kind=TargetKind.VERDICT, number=1, text=_said(reading, place))
    return _map(reading, stage, target, relevance(reading, reading.verdict_logit, [place]).cpu().numpy())


def _text_map(reading: Reading, stage: RecordedStage, kind: TargetKind, number: int, span: Span) -> AttentionMap:
    places = reading.reply.inside(span)
    target = Target(stage=stage.stage, kind=kind, number=number, text=said(stage.reply, span))
    return _map(reading, stage, target, relevance(reading, logprob(reading, places), places).cpu().numpy())


def _map(reading: Reading, stage: RecordedStage, target: Target, found: np.ndarray) -> AttentionMap:
    if not np.isfinite(found).all():  # gradients overflow float16 long before scores do
        raise RejectedError(
            "attention_not_finite",
            f"The attention of {target.name} came out as no number, as where gradients leave the range of a narrow type: no map is drawn. "
            "Nothing changes by asking again: the checkpoint has to be read in a wider type.",
        )
    parts = [found[tokens.start : tokens.start + tokens.rows * tokens.columns] for tokens in reading.images]
    seen, everything = float(sum(part.sum() for part in parts)), float(found.sum())
    images = tuple(
        ImageMap(image.sha256, image.shows, (part / seen if seen > 0 else part).reshape(tokens.rows, tokens.columns).astype(np.float32))
        for image, tokens, part in zip(stage.images, reading.images, parts, strict=True)
    )
    return AttentionMap(target=target, images=images, on_images=seen / everything if everything > 0 else 0.0)


def _said(reading: Reading, place: int) -> str:
    start = reading.reply.spans[place].start
    return reading.reply.text[start:].split('"')[0].split("<")[0].strip()


def _engine_dtype(release: Release) -> str:
    return str((release.facts.get("model") or {}).get("dtype", ""))


def _file(role: FileRole, target: Target | None, media_type: str, body: bytes) -> AttendedFile:
    return AttendedFile(role=role, target=target, media_type=media_type, body=body, sha256=hashlib.sha256(body).hexdigest())
