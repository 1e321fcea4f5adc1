"""The second query: the crops beside the whole image, for findings and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from worker.images.prepare import Crop, ScanImage
from worker.moderation.boxes import Box
from worker.moderation.outcomes import Region, Stage, Verdict, ZoomPath
from worker.vision.model import ImagePart, Question, Turn
from worker.zoomin.ask import ask
from worker.zoomin.case import Case
from worker.zoomin.prompts import PromptSet
from worker.zoomin.regions import in_model_coordinates
from worker.zoomin.replies import ProposedRegion, ZoomReply, read_zoom, without_verdict, zoom_schema
from worker.zoomin.scan import Scanned
from worker.zoomin.score import attainable_tokens
from worker.zoomin.tools import Tools


@dataclass(frozen=True, slots=True)
class Zoomed:
    """The zoom's reply and what its score is read from."""

    reply: ZoomReply
    verdict_logprobs: Mapping[Verdict, float] | None
    path: ZoomPath


async def zoom(image: ScanImage, scanned: Scanned, crops: Sequence[Crop], case: Case, tools: Tools) -> Zoomed:
    """Continues the scan's conversation with the crops of `case.regions`, one each; without any, asks for a second look."""
    card, prompts = tools.vision.card, tools.prompts
    said = scanned.answer.text if prompts.zoom_shows_scan_verdict else without_verdict(scanned.answer.text)
    question = Question(
        turns=zoom_turns(scanned.turns, said, _told(image, crops, case, tools), prompts),
        reply_schema=zoom_schema(card.reply_limits),
        max_tokens=card.zoom_max_tokens,
        urgent=True,
    )
    reply, answer = await ask(
        question,
        stage=Stage.ZOOM,
        read=read_zoom,
        attainable=lambda zoomed: attainable_tokens(scanned.answer, zoomed, card.cache_block_tokens),
        vision=tools.vision,
        case=case,
    )
    case.regions = tuple(replace(region, finding=reply.findings.get(number)) for number, region in enumerate(case.regions, start=1))
    return Zoomed(reply, answer.verdict_logprobs, ZoomPath.ZOOMED if crops else ZoomPath.SECOND_LOOK)


def cut_region(region: ProposedRegion, crop: Crop) -> Region:
    """A region with the crop that was cut for it; its finding comes with the zoom."""
    return Region(box=region.box, reason=region.reason, crop_box=crop.box, crop_sha256=crop.evidence.facts.sha256, scale=crop.scale)


def zoom_turns(scanned: Sequence[Turn], said: str, crops: Sequence[tuple[Box, ImagePart]], prompts: PromptSet) -> tuple[Turn, ...]:
    """The scan's conversation, continued with crops and their boxes in the model's coordinates. Training holds the same."""
    parts: list[str | ImagePart] = []
    for number, (told, crop) in enumerate(crops, start=1):
        parts += [prompts.region(number, told), crop]
    asked = (*parts, prompts.zoom) if crops else (prompts.second_look,)
    return (*scanned, Turn("assistant", (said,)), Turn("user", asked))


def _told(image: ScanImage, crops: Sequence[Crop], case: Case, tools: Tools) -> list[tuple[Box, ImagePart]]:
    coordinates = tools.vision.card.coordinates
    return [
        (
            in_model_coordinates(region.box, coordinates, image.sent, image.original),
            ImagePart(uuid=crop.evidence.facts.sha256, pixels=crop.pixels),
        )
        for region, crop in zip(case.regions, crops, strict=True)
    ]
