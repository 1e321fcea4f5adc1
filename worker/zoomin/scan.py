"""The first query: the whole image, for regions worth a closer look."""

from dataclasses import dataclass

from worker.images.prepare import ScanImage
from worker.moderation.boxes import Size
from worker.moderation.outcomes import Stage
from worker.vision.model import Answer, Coordinates, ImagePart, Question, Turn
from worker.zoomin.ask import ask
from worker.zoomin.case import Case
from worker.zoomin.prompts import PromptSet
from worker.zoomin.regions import in_original_pixels
from worker.zoomin.replies import ProposedRegion, ScanReply, read_scan, scan_schema
from worker.zoomin.score import probability_generated
from worker.zoomin.tools import Tools


@dataclass(frozen=True, slots=True)
class Scanned:
    """The scan's reply, its regions in original pixels, and the conversation so far, which the zoom continues."""

    reply: ScanReply
    regions: tuple[ProposedRegion, ...]
    turns: tuple[Turn, ...]
    answer: Answer


async def scan(image: ScanImage, case: Case, tools: Tools) -> Scanned:
    """Asks for regions and a provisional verdict. The image stands first, so that the zoom reuses its prefix."""
    card, prompts = tools.vision.card, tools.prompts
    whole = ImagePart(uuid=image.evidence.facts.sha256, pixels=image.pixels)
    turns = scan_turns(whole, prompts, card.reply_limits.proposed_regions, card.coordinates)
    question = Question(turns=turns, reply_schema=scan_schema(card.reply_limits), max_tokens=card.scan_max_tokens)
    reply, answer = await ask(question, stage=Stage.SCAN, read=read_scan, attainable=lambda _: None, vision=tools.vision, case=case)
    case.scan = reply
    case.scan_p_generated = probability_generated(answer.verdict_logprobs) if reply.verdict else None
    regions = tuple(in_original_pixels(region, card.coordinates, image.sent, image.original) for region in reply.regions)
    return Scanned(reply, regions, turns, answer)


def scan_turns(whole: ImagePart, prompts: PromptSet, limit: int, coordinates: Coordinates) -> tuple[Turn, ...]:
    """The conversation that asks for at most `limit` regions. Training holds the same."""
    text = prompts.scan(Size(*whole.pixels.size), limit, coordinates)
    return Turn("system", (prompts.system,)), Turn("user", (whole, text))
