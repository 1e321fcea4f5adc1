"""A pipeline around a scripted model: real prompts, replies, regions and pixels; only fetch, decode pool and storage stay in memory."""

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

from PIL import Image

from worker.images.fetch import Fetched
from worker.images.mask import Mask
from worker.images.prepare import Crop, Evidence, ScanImage, cut_crops, prepare_scan, shrink
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.calibration import BandCalibration, Calibration
from worker.moderation.degradation import DegradationBand
from worker.moderation.outcomes import ItemReference, SourceFacts, Verdict
from worker.vision.model import Answer, Question
from worker.vision.scripted import SCRIPTED_CARD, ScriptedVision
from worker.zoomin.prompts import load_prompts
from worker.zoomin.regions import RegionChoice, scan_boxes
from worker.zoomin.tools import Tools

ITEM = ItemReference(UUID(int=1), 7, "seven", "photos", "seven.png")
SCAN = (
    '{"explanation":"A bridge.","regions":[{"bbox_2d":[28,28,140,140],"reason":"edge"},'
    '{"bbox_2d":[200,56,308,168],"reason":"sign"}],"verdict":"real"}'
)
ZOOM = (
    '{"findings":[{"region":1,"finding":"clean"},{"region":2,"finding":"melted letters"}],'
    '"explanation":"Melted letters.","verdict":"generated"}'
)
LOGPROBS = {Verdict.REAL: -1.3862943611198906, Verdict.GENERATED: -0.2876820724517809}  # 1/4 and 3/4


def picture(width: int = 896, height: int = 448) -> bytes:
    """A PNG with structure everywhere."""
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((width, height)).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


def said(text: str) -> Answer:
    """A complete answer with the log-probabilities above."""
    return Answer(text=text, finish_reason="stop", verdict_logprobs=LOGPROBS, prompt_tokens=300, completion_tokens=40, cached_tokens=256)


class InlineDecoder:
    """Decodes in this process: the tests' pictures are ours."""

    async def prepare_scan(self, body: bytes, limits: PixelLimits) -> ScanImage:
        """See DecodePool."""
        return prepare_scan(body, limits)

    async def shrink(self, body: bytes, limits: PixelLimits, mask: Mask | None = None) -> ScanImage:
        """See DecodePool."""
        return shrink(body, limits, mask)

    async def cut_crops(self, body: bytes, boxes: Sequence[Box], limits: PixelLimits, mask: Mask | None = None) -> Sequence[Crop]:
        """See DecodePool."""
        return cut_crops(body, boxes, limits, mask)


@dataclass
class World:
    """Tools over a script, and what was kept."""

    script: Sequence[Answer | str | Exception] | Callable[[Question], Answer | str | Exception]
    body: bytes | Exception = field(default_factory=picture)
    choose: RegionChoice = scan_boxes
    calibration: Calibration | None = None
    bands: Mapping[DegradationBand, BandCalibration] = field(default_factory=dict)
    evidence: dict[str, bytes] = field(default_factory=dict)
    vision: ScriptedVision = field(init=False)

    def __post_init__(self) -> None:
        self.vision = ScriptedVision(self.script, replace(SCRIPTED_CARD, calibration=self.calibration, bands=self.bands))

    async def fetch(self, item: ItemReference) -> Fetched:
        """The picture, whatever the item."""
        if isinstance(self.body, Exception):
            raise self.body
        return Fetched(self.body, SourceFacts(sha256="ab" * 32, etag="e", byte_count=len(self.body)))

    async def keep(self, sent: Sequence[Evidence]) -> None:
        """Keeps evidence in memory."""
        self.evidence |= {evidence.facts.sha256: evidence.body for evidence in sent}

    @property
    def tools(self) -> Tools:
        """What `moderate` takes."""
        return Tools(
            fetch=self.fetch,
            decoder=InlineDecoder(),
            keep=self.keep,
            vision=self.vision,
            prompts=load_prompts(),
            choose=self.choose,
            release_id="scripted-0",
        )
