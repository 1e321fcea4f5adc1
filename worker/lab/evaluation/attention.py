"""Whether attention maps mean something: they lie where the truth is, they go when the weights go, and what they name moves the score."""

import base64
import io
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from worker.forensics.agreement import DisagreementError, logprob_gap
from worker.forensics.attend import Attender, verdict_map
from worker.forensics.chance import mass_in_placed, mass_in_random
from worker.forensics.curves import Curves, curves
from worker.forensics.maps import AttentionMap, ImageMap, TargetKind, mass_inside, points_inside
from worker.forensics.overlay import overlay_png
from worker.forensics.randomised import Randomised, randomise, rank_correlation
from worker.forensics.reader import MEMORY_GIB, Reader
from worker.forensics.recorded import RecordedVerdict, evidence_pixels, recorded_verdict
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
    """How one map over the whole image lies to the true regions; None in its place where nothing lies there, or no number came out."""

    inside: float  # share of its mass
    chance: float  # their share of the area
    placed: float  # share of its mass inside boxes of the same sides that lie inside the image
    points: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AttendedPicture:
    """One picture. What is measured against the truth is None unless it is generated, called so, and its regions are known."""

    judged: Judged
    gap: float  # NaN where PyTorch does not read it
    gap_in_other: float = math.nan  # read in OTHER_DTYPE
    seconds: float | None = None  # of all its maps, loading and drawing excluded; None where none were drawn
    named_ratio: float | None = None  # mass in the named regions over chance, whether the verdict is right or not
    verdicts: Mapping[Stage, Placed | None] = field(default_factory=dict)
    noise: Mapping[Randomised, tuple[Placed | None, float | None]] = field(
        default_factory=dict
    )  # with the rank correlation to the true weights' map
    curves: Curves | None = None
    overlay: bytes | None = None  # PNG


@dataclass(frozen=True, slots=True)
class Traced:
    """A picture judged with everything that its verdict can be read again from."""

    label: Label
    judged: Judged
    read: Callable[[], RecordedVerdict]  # its pixels are decoded anew each time: those of a thousand pictures are gigabytes


def traced(examiner: Examiner, labels: Sequence[Label], most: int, report: Report, folder: Path) -> list[Traced]:
    """At most about `most` of the pictures, of whole photographs, judged anew for their traces. Those without a verdict are left out.

    `folder` keeps what the model was sent, for as long as the pictures are read.
    """
    chosen, found = sample_by_source(labels, most), list[Traced]()

    async def keep(sent: Sequence[Evidence]) -> None:
        for evidence in sent:
            (folder / evidence.facts.sha256).write_bytes(evidence.body)

    def pixels(sha256: str) -> Image.Image:
        return evidence_pixels((folder / sha256).read_bytes(), sha256)

    for number, (label, outcome) in enumerate(examiner.outcomes(chosen, MAIN, keep), 1):
        read = partial(recorded_verdict, outcome, examiner.release, pixels)
        with suppress(RejectedError):
            read()
            found.append(Traced(label, judged(label, outcome), read))
        report(EvaluationProgress("judging for maps", number, len(chosen)))
    return sorted(found, key=lambda one: chosen.index(one.label))


def attend_pictures(
    checkpoint: Checkpoint, pictures: Sequence[Traced], report: Report, memory_gib: float = MEMORY_GIB
) -> tuple[AttendedPicture, ...]:
    """Maps of all; none of those that PyTorch does not read, or otherwise than the engine did. One copy of the weights at a time.

    Raises MisconfiguredError: the checkpoint does not load, or is not the pictures' release's.
    """
    drawn = _draw_all(checkpoint, pictures, report, memory_gib)
    gaps = _gaps_in_other(checkpoint, pictures, report, memory_gib)
    counted = [(number, one, drawn[number].verdict) for number, one in enumerate(pictures)]
    measured = [_Measured(number, one, true) for number, one, true in counted if true is not None]
    noise = {what: _noise_of_all(checkpoint, what, measured, report, memory_gib) for what in Randomised if measured}
    return tuple(
        replace(
            one.picture, gap_in_other=gap, noise={what: found[number] for what, found in noise.items()} if one.verdict is not None else {}
        )
        for number, (one, gap) in enumerate(zip(drawn, gaps, strict=True))
    )


def shelf(pictures: Sequence[AttendedPicture]) -> Shelf:
    """Maps to look at: of what is rightly flagged, in the labels' order."""
    shown = [one for one in pictures if one.overlay is not None][:MOST_SHOWN]
    title = "Attention: what the final verdict rests on (blue: the named regions)"
    return Shelf(title=title, exhibits=tuple(Exhibit(judged=one.judged, jpeg=_jpeg(one.overlay or b"")) for one in shown))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """What the true weights gave. `verdict` is the final verdict's map of what is measured against the truth."""

    picture: AttendedPicture
    verdict: AttentionMap | None = None


@dataclass(frozen=True, slots=True)
class _Measured:
    """A picture, by its place among all, with what the maps of noise are held against."""

    number: int
    one: Traced
    true: AttentionMap


def _draw_all(checkpoint: Checkpoint, pictures: Sequence[Traced], report: Report, memory_gib: float) -> list[_Drawn]:
    attender = Attender.load(checkpoint, memory_gib=memory_gib)
    curved = {id(one) for one in islice((one for one in pictures if _counts(one)), CURVED)}
    found = []
    for number, one in enumerate(pictures, 1):
        found.append(_draw(one, attender, with_curves=id(one) in curved))
        report(EvaluationProgress("drawing maps", number, len(pictures)))
    return found


def _draw(one: Traced, attender: Attender, *, with_curves: bool) -> _Drawn:
    recorded = one.read()
    try:
        attended = attender.attend(recorded)
    except DisagreementError as error:  # counted, where a map is refused
        return _Drawn(AttendedPicture(judged=one.judged, gap=error.gap))
    except RejectedError:
        return _Drawn(AttendedPicture(judged=one.judged, gap=math.nan))
    figures = attended.figures
    drawn = AttendedPicture(judged=one.judged, gap=figures.logprob_gap, seconds=figures.seconds, named_ratio=figures.attention_ratio)
    if not _counts(one):
        return _Drawn(drawn)
    maps = {m.target.stage: m for m in attended.maps if m.target.kind is TargetKind.VERDICT}
    measured = replace(
        drawn,
        verdicts={stage: _placed(attention.whole, one.label.regions) for stage, attention in maps.items()},
        curves=curves(attender.reader, recorded.zoom, maps[Stage.ZOOM]) if with_curves else None,
        overlay=overlay_png(attended.verdict_map, recorded),
    )
    return _Drawn(measured, maps[Stage.ZOOM])


def _gaps_in_other(checkpoint: Checkpoint, pictures: Sequence[Traced], report: Report, memory_gib: float) -> list[float]:
    reader = Reader.load(checkpoint, dtype=OTHER_DTYPE, memory_gib=memory_gib)
    found = []
    for number, one in enumerate(pictures, 1):
        found.append(_gap(one.read(), reader))
        report(EvaluationProgress(f"reading in {OTHER_DTYPE}", number, len(pictures)))
    return found


def _noise_of_all(
    checkpoint: Checkpoint, what: Randomised, measured: Sequence[_Measured], report: Report, memory_gib: float
) -> dict[int, tuple[Placed | None, float | None]]:
    reader = Reader.load(checkpoint, memory_gib=memory_gib)
    randomise(reader, what)
    found = {}
    for done, one in enumerate(measured, 1):
        found[one.number] = _noise(reader, one.one, one.true)
        report(EvaluationProgress(f"noise for {what}", done, len(measured)))
    return found


def _noise(reader: Reader, one: Traced, true: AttentionMap) -> tuple[Placed | None, float | None]:
    """What is no map is left out and counted: taken for one that lies elsewhere, it would pass the sanity check for it."""
    try:
        zoom = one.read().zoom
        noise = verdict_map(reader.read(zoom), zoom).whole
    except RejectedError:
        return None, None
    return _placed(noise, one.label.regions), rank_correlation(true.whole, noise)


def _gap(recorded: RecordedVerdict, reader: Reader) -> float:
    try:
        gaps = [logprob_gap(stage.p_generated, reader.verdict_logit(stage)) for stage in recorded.stages]
    except RejectedError:
        return math.nan
    return float(np.max(gaps))  # NaN when one is


def _counts(one: Traced) -> bool:
    return one.judged.generated and one.judged.right and bool(one.label.regions)


def _placed(image: ImageMap, boxes: Sequence[Box]) -> Placed | None:
    inside, chance, placed = mass_inside(image, boxes), mass_in_random(image, boxes), mass_in_placed(image, boxes)
    points = points_inside(image, boxes)
    if inside is None or chance is None or placed is None or points is None:
        return None
    return Placed(inside, chance, placed, points)


def _jpeg(png: bytes) -> str:
    body = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(body, format="JPEG", quality=JPEG_QUALITY)
    return base64.b64encode(body.getvalue()).decode("ascii")
