"""Whether attention maps mean something: they lie where the truth is, they go when the weights go, and what they name moves the score."""

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import islice

from PIL import Image

from worker.forensics.agreement import TOLERANCES, logprob_gap
from worker.forensics.attend import Attended, Attender, FileRole, verdict_map
from worker.forensics.chance import mass_in_placed, mass_in_random
from worker.forensics.curves import Curves, curves
from worker.forensics.maps import AttentionMap, ImageMap, TargetKind, mass_inside, points_inside
from worker.forensics.randomised import Randomised, randomise, rank_correlation
from worker.forensics.reader import Reader
from worker.forensics.recorded import RecordedStage, RecordedVerdict, evidence_pixels, recorded_verdict
from worker.images.prepare import Evidence
from worker.lab.evaluation.examiner import Examiner
from worker.lab.evaluation.gallery import MOST as MOST_SHOWN
from worker.lab.evaluation.gallery import Exhibit, Shelf
from worker.lab.evaluation.judged import Judged, judged
from worker.lab.evaluation.judgements import EvaluationProgress, Report
from worker.lab.evaluation.picture_set import sample_by_source
from worker.lab.evaluation.runs import MAIN
from worker.lab.labels import Label
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Stage
from worker.vision.checkpoint import Checkpoint

CURVED = 12  # flagged pictures that deletion and insertion are measured on: some 34 passes through the model each
OTHER_DTYPE = "bfloat16"  # also read in, to tell how far the log-probabilities then are
JPEG_QUALITY = 85


@dataclass(frozen=True, slots=True)
class Placed:
    """How one map over the whole image lies to the true regions."""

    inside: float  # share of its mass
    chance: float  # their share of the area
    placed: float  # share of its mass inside boxes of the same sides that lie inside the image
    points: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendedPicture:
    """One picture. What is measured against the truth is None unless it is generated, called so, and its regions are known."""

    judged: Judged
    gap: float
    gap_in_other: float  # read in OTHER_DTYPE
    seconds: float | None = None  # of all its maps and pictures, loading excluded; None where none were drawn
    named_ratio: float | None = None  # mass in the named regions over chance, whether the verdict is right or not
    verdicts: Mapping[Stage, Placed] = field(default_factory=dict)
    noise: Mapping[Randomised, tuple[Placed, float | None]] = field(
        default_factory=dict
    )  # with the rank correlation to the true weights' map
    curves: Curves | None = None
    overlay: bytes | None = None  # PNG


@dataclass(frozen=True, slots=True)
class Traced:
    """A picture judged with everything that its verdict can be read again from."""

    label: Label
    judged: Judged
    recorded: RecordedVerdict


def traced(examiner: Examiner, labels: Sequence[Label], most: int, report: Report) -> list[Traced]:
    """At most about `most` of the pictures, of whole photographs, judged anew for their traces. Those without a verdict are left out."""
    chosen, kept, found = sample_by_source(labels, most), dict[str, bytes](), list[Traced]()

    async def keep(sent: Sequence[Evidence]) -> None:
        kept.update({evidence.facts.sha256: evidence.body for evidence in sent})

    for number, (label, outcome) in enumerate(examiner.outcomes(chosen, MAIN, keep), 1):
        with suppress(RejectedError):
            read = recorded_verdict(outcome, examiner.release, lambda sha256: evidence_pixels(kept[sha256], sha256))
            found.append(Traced(label, judged(label, outcome), read))
        report(EvaluationProgress("judging for maps", number, len(chosen)))
    return sorted(found, key=lambda one: chosen.index(one.label))


def attend_pictures(checkpoint: Checkpoint, pictures: Sequence[Traced], report: Report) -> tuple[AttendedPicture, ...]:
    """Maps of all; none of those that PyTorch reads otherwise than the engine did. Raises MisconfiguredError, RejectedError."""
    attender = Attender.load(checkpoint)
    other = Reader.load(checkpoint, dtype=OTHER_DTYPE)
    noisy = {what: _noise(checkpoint, what) for what in Randomised}
    curved = {id(one) for one in islice((one for one in pictures if _counts(one)), CURVED)}
    found = []
    for number, one in enumerate(pictures, 1):
        found.append(_attended(one, attender, other, noisy, with_curves=id(one) in curved))
        report(EvaluationProgress("drawing maps", number, len(pictures)))
    return tuple(found)


def shelf(pictures: Sequence[AttendedPicture]) -> Shelf:
    """Maps to look at: of what is rightly flagged, in the labels' order."""
    shown = [one for one in pictures if one.overlay is not None][:MOST_SHOWN]
    title = "Attention: what the final verdict rests on (blue: the named regions)"
    return Shelf(title=title, exhibits=tuple(Exhibit(judged=one.judged, jpeg=_jpeg(one.overlay or b"")) for one in shown))


def _attended(one: Traced, attender: Attender, other: Reader, noisy: Mapping[Randomised, Reader], *, with_curves: bool) -> AttendedPicture:
    gaps = {reader: _gap(one.recorded, reader) for reader in (attender.reader, other)}
    if gaps[attender.reader] > TOLERANCES[attender.reader.dtype]:  # counted, where a map would be refused
        return AttendedPicture(judged=one.judged, gap=gaps[attender.reader], gap_in_other=gaps[other])
    attended, zoom, boxes = attender.attend(one.recorded), one.recorded.zoom, one.label.regions
    drawn = AttendedPicture(
        judged=one.judged,
        gap=gaps[attender.reader],
        gap_in_other=gaps[other],
        seconds=attended.figures.seconds,
        named_ratio=attended.figures.attention_ratio,
    )
    if not _counts(one):
        return drawn
    maps = {m.target.stage: m for m in attended.maps if m.target.kind is TargetKind.VERDICT}
    return replace(
        drawn,
        verdicts={stage: _placed(attention.whole, boxes) for stage, attention in maps.items()},
        noise={what: _in_noise(reader, zoom, maps[Stage.ZOOM], boxes) for what, reader in noisy.items()},
        curves=curves(attender.reader, zoom, maps[Stage.ZOOM]) if with_curves else None,
        overlay=_overlay(attended),
    )


def _gap(recorded: RecordedVerdict, reader: Reader) -> float:
    return max(logprob_gap(stage.p_generated, reader.verdict_logit(stage)) for stage in recorded.stages)


def _counts(one: Traced) -> bool:
    return one.judged.generated and one.judged.right and bool(one.label.regions)


def _in_noise(reader: Reader, stage: RecordedStage, true: AttentionMap, boxes: Sequence[Box]) -> tuple[Placed, float | None]:
    found = verdict_map(reader.read(stage), stage).whole
    return _placed(found, boxes), rank_correlation(true.whole, found)


def _placed(image: ImageMap, boxes: Sequence[Box]) -> Placed:
    return Placed(
        mass_inside(image, boxes) or 0.0,
        mass_in_random(image, boxes) or 0.0,
        mass_in_placed(image, boxes) or 0.0,
        points_inside(image, boxes),
    )


def _noise(checkpoint: Checkpoint, what: Randomised) -> Reader:
    reader = Reader.load(checkpoint)
    randomise(reader, what)
    return reader


def _overlay(attended: Attended) -> bytes:
    target = attended.verdict_map.target
    return next(file.body for file in attended.files if file.role is FileRole.OVERLAY and file.target == target)


def _jpeg(png: bytes) -> str:
    body = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(body, format="JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(body.getvalue()).decode("ascii")
