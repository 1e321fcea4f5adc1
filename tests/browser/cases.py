"""Images as a scan leaves them: real pictures, the pixels that a model was sent of them, and what it said; hostile words among them."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from PIL import Image

from worker.images.prepare import Crop, Evidence, ScanImage, cut_crops, prepare_scan
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Outcome, OutcomeKind, Region, SourceFacts, Stage, StageSeconds, StageTrace, Verdict, ZoomPath
from worker.moderation.release import Release, Training
from worker.zoomin.regions import crop_box

RELEASE = Release("qwen2.5-vl-7b-tuned", Training.TRAINED, {"weights": "of the browser tests"})
SCAN = PixelLimits(factor=28, min_pixels=28 * 28, max_pixels=1_000_000)
CROP = PixelLimits(factor=28, min_pixels=112 * 112, max_pixels=200_000)

LONGEST = 10_000  # characters of hostile text
HOSTILE = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'><a href=\"javascript:window.hacked = 3\">look</a>"
    "</p></section><style>body{display:none}</style>{{7*7}} \u202edetareneg ton\u202c \u2066\u200b\ufeff&lt;b&gt; 'quoted\" %s \\u003c "
)


@dataclass(frozen=True, slots=True)
class Said:
    """What the model said of a box."""

    box: tuple[int, int, int, int]
    reason: str
    finding: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One image, and what became of it. `picture` is a sample's name; None for an image that could not be read."""

    name: str
    picture: str | None
    score: float = 0.0
    scan_said: Verdict = Verdict.GENERATED
    explanation: str = ""
    regions: tuple[Said, ...] = ()
    metadata: str = "spring"
    enlarged: int = 1  # times the sample's sides
    mark: bytes = b""  # behind the picture's end: the same picture in other bytes

    @property
    def verdict(self) -> Verdict:
        """By the score."""
        return Verdict.GENERATED if self.score >= 0.5 else Verdict.REAL


PORTRAIT, BRIDGE, CITRUS, HOSTILE_TEXT = "portrait", "bridge", "citrus", "hostile-text"
FLOWER, GONE, PASSED, BROKEN, CONTESTED = "flower", "gone", "passed", "broken", "contested"

CASES = (
    Case(
        name=PORTRAIT,
        picture="astronaut-regenerated.jpg",
        score=0.62,
        explanation=(
            "The patch in region 1 is smeared, and its letters do not form words. The hair in region 2 is even and plausible. "
            "In region 3 the stripes of the flag run into each other. Taken together, a part of the photograph was regenerated."
        ),
        regions=(
            Said((155, 282, 275, 424), "letters on the suit", "letters without form; texture too smooth"),
            Said((190, 30, 300, 130), "hair against a dark ground", "strands are separate and irregular, as a lens draws them"),
            Said((20, 60, 120, 250), "stripes of the flag", "stripes merge at the fold"),
        ),
    ),
    Case(
        name=BRIDGE,
        picture="bridge-regenerated.jpg",
        score=0.55,
        scan_said=Verdict.REAL,
        explanation="At first sight nothing is wrong. Region 1 repeats a pattern of stones that no mason lays. Region 2 says nothing.",
        regions=(
            Said((474, 306, 584, 414), "stones of the pier", "the same three stones, again and again"),
            Said((90, 180, 230, 300), "edge against the sky", None),
        ),
    ),
    Case(
        name=CITRUS,
        picture="citrus.jpg",
        score=0.38,
        scan_said=Verdict.REAL,
        explanation="Nothing stands out. The pores of the peel are irregular, and the light agrees everywhere.",
    ),
    Case(
        name=HOSTILE_TEXT,
        picture="coffee-regenerated.jpg",
        score=0.58,
        metadata=HOSTILE,
        explanation=(HOSTILE * (LONGEST // len(HOSTILE) + 1))[:LONGEST],
        regions=(Said((366, 265, 568, 364), HOSTILE, HOSTILE), Said((20, 20, 100, 90), "x" * 400, "word " * 200)),
    ),
    Case(
        name=FLOWER,
        picture="dandelion-regenerated.jpg",
        score=0.93,
        explanation="In region 1 the seeds melt into each other.",
        regions=(Said((210, 104, 357, 235), "fine seeds", "seeds melt into each other"),),
    ),
    Case(
        name=GONE,
        picture="honey-bee-regenerated.jpg",
        score=0.66,
        explanation="In region 1 a leg has no joint.",
        regions=(Said((235, 193, 338, 338), "legs of the bee", "a leg has no joint"),),
    ),
    Case(name=PASSED, picture="astronaut.jpg", score=0.04, scan_said=Verdict.REAL, explanation="An ordinary photograph."),
    Case(name=BROKEN, picture=None),
    Case(
        name=CONTESTED,
        picture="bridge.jpg",
        score=0.97,
        explanation="In region 1 the arch is bent.",
        regions=(Said((200, 200, 420, 380), "arch", "the arch is bent"),),
    ),
)


@dataclass(frozen=True, slots=True)
class Judged:
    """An outcome, and the objects that it names."""

    outcome: Outcome
    evidence: Sequence[Evidence]


def body_of(case: Case) -> bytes:
    """The bytes that were submitted."""
    return _sample(case.picture, case.enlarged) + case.mark if case.picture else b"no image"


def judged(case: Case, ordinal: int) -> Judged:
    """As a worker would have it, once the model had answered this."""
    if case.picture is None:
        error = Outcome(ordinal=ordinal, kind=OutcomeKind.FAILED, error_code="image_corrupt", error_message="The image is damaged.")
        return Judged(error, ())
    body = body_of(case)
    scan, crops = _sent(case.picture, case.enlarged, tuple(said.box for said in case.regions))
    sent = (scan.evidence, *(crop.evidence for crop in crops))
    outcome = Outcome(
        ordinal=ordinal,
        kind=OutcomeKind.VERDICT,
        release_id=RELEASE.id,
        verdict=case.verdict,
        p_generated=case.score,
        p_generated_raw=case.score,
        scan_verdict=case.scan_said,
        scan_p_generated=0.7 if case.scan_said is Verdict.GENERATED else 0.3,
        explanation=case.explanation,
        scan_explanation="Some parts are worth a closer look." if case.regions else "Nothing is worth a closer look.",
        path=ZoomPath.ZOOMED if case.regions else ZoomPath.SECOND_LOOK,
        regions=tuple(
            Region(
                box=Box(*said.box),
                reason=said.reason,
                finding=said.finding,
                crop_box=crop.box,
                crop_sha256=crop.evidence.facts.sha256,
                scale=crop.scale,
            )
            for said, crop in zip(case.regions, crops, strict=True)
        ),
        traces=tuple(_trace(stage, sent) for stage in Stage),
        evidence=tuple({one.facts.sha256: one.facts for one in sent}.values()),
        sent_sha256=scan.evidence.facts.sha256,
        sent_size=scan.sent,
        source=SourceFacts(
            sha256=hashlib.sha256(body).hexdigest(), etag="e", byte_count=len(body), media_type="image/jpeg", size=scan.original
        ),
        seconds=StageSeconds(fetch=0.02, decode=0.05, scan=1.4, zoom=1.1),
    )
    return Judged(outcome, sent)


def _trace(stage: Stage, sent: Sequence[Evidence]) -> StageTrace:
    images = [{"image": one.facts.sha256, "size": [560, 560]} for one in (sent[:1] if stage is Stage.SCAN else sent)]
    turns = [{"role": "user", "parts": [*images, f"Please {stage} <b>now</b>."]}]
    request: Mapping[str, object] = {"turns": turns, "max_tokens": 800, "temperature": 0.0}
    return StageTrace(
        stage=stage,
        attempt=1,
        request=request,
        reply='{"verdict": "generated", "explanation": "as above"}',
        finish_reason="stop",
        prompt_tokens=1_200,
        cached_tokens=800,
        attainable_tokens=900,
        completion_tokens=140,
        seconds=1.2,
    )


@cache
def _sent(picture: str, enlarged: int, boxes: tuple[tuple[int, int, int, int], ...]) -> tuple[ScanImage, tuple[Crop, ...]]:
    """The pixels that the model was sent."""
    body = _sample(picture, enlarged)
    scan = prepare_scan(body, SCAN)
    return scan, cut_crops(body, [crop_box(Box(*box), scan.original, CROP) for box in boxes], CROP)


@cache
def _sample(name: str, enlarged: int) -> bytes:
    body = (files("worker.local") / "samples" / name).read_bytes()
    if enlarged == 1:
        return body
    larger = io.BytesIO()
    with Image.open(io.BytesIO(body)) as image:
        image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.BICUBIC).save(larger, "JPEG", quality=92)
    return larger.getvalue()
