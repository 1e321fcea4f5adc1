"""The pipeline: fetch → decode → scan → cut → zoom → outcome. One coroutine per image; no barrier between the stages."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from worker.images.prepare import Crop, Evidence, ScanImage
from worker.images.resize import PixelLimits
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import ItemReference, Outcome
from worker.vision.model import ModelCard
from worker.zoomin.case import Case
from worker.zoomin.regions import crop_box
from worker.zoomin.replies import UnreadableReplyError
from worker.zoomin.scan import Scanned, scan
from worker.zoomin.tools import Tools
from worker.zoomin.zoom import cut_region, zoom


async def moderate(item: ItemReference, tools: Tools) -> Outcome:
    """The outcome of one image.

    A bad image is a value: what can never work becomes a `failed` outcome, what could not be read an `unreadable` one.
    Raises TransientError, MisconfiguredError, EngineDiedError: no outcome yet, the item stays unfinished.
    """
    case = Case(item, tools.release_id)
    try:
        return await examine(case, tools)
    except RejectedError as error:
        return case.failed(error)
    except UnreadableReplyError as error:
        return case.unreadable(error)


async def examine(case: Case, tools: Tools) -> Outcome:
    """The method, step by step."""
    body = await fetch(case, tools)
    image = await decode(body, case, tools)
    async with kept([image.evidence], case, tools):
        scanned = await scan(image, case, tools)
    crops = await cut(body, image, scanned, case, tools)
    async with kept([crop.evidence for crop in crops], case, tools):
        zoomed = await zoom(image, scanned, crops, case, tools)
    return case.judged(zoomed.reply, zoomed.verdict_logprobs, zoomed.path, tools.vision.card)


async def fetch(case: Case, tools: Tools) -> bytes:
    """The image's bytes; notes which they were."""
    with case.timed("fetch"):
        fetched = await tools.fetch(case.item)
    case.source = fetched.facts
    return fetched.body


async def decode(body: bytes, case: Case, tools: Tools) -> ScanImage:
    """The whole image at the legal size for the scan; notes its true format and size."""
    with case.timed("decode"):
        image = await tools.decoder.prepare_scan(body, scan_limits(tools.vision.card))
    case.note_pixels(image)
    return image


async def cut(body: bytes, image: ScanImage, scanned: Scanned, case: Case, tools: Tools) -> Sequence[Crop]:
    """The crops of the regions that the strategy chose, cut from the original; notes the regions."""
    card = tools.vision.card
    chosen = tools.choose(scanned.regions, image.original, card.reply_limits.zoomed_regions)
    limits = crop_limits(card)
    boxes = [crop_box(region.box, image.original, limits) for region in chosen]
    with case.timed("decode"):
        crops = await tools.decoder.cut_crops(body, boxes, limits) if boxes else ()
    case.regions = tuple(cut_region(region, crop) for region, crop in zip(chosen, crops, strict=True))
    return crops


@asynccontextmanager
async def kept(sent: Sequence[Evidence], case: Case, tools: Tools) -> AsyncIterator[None]:
    """Stores what the model is sent while it thinks: whatever it answers, the evidence lies there before the outcome names it."""
    storing = asyncio.ensure_future(tools.keep(sent))
    try:
        yield
    except (RejectedError, UnreadableReplyError):  # outcomes too: what could not be judged is there to look at
        await storing
        case.evidence += tuple(evidence.facts for evidence in sent)
        raise
    except BaseException:  # no outcome comes of this attempt, and a failed put must not hide why
        storing.cancel()
        raise
    await storing
    case.evidence += tuple(evidence.facts for evidence in sent)


def scan_limits(card: ModelCard) -> PixelLimits:
    """Pixels of the whole image as sent."""
    return PixelLimits(factor=card.resize_factor, min_pixels=card.scan_min_pixels, max_pixels=card.scan_max_pixels)


def crop_limits(card: ModelCard) -> PixelLimits:
    """Pixels of each crop as sent."""
    return PixelLimits(factor=card.resize_factor, min_pixels=card.crop_min_pixels, max_pixels=card.crop_max_pixels)
