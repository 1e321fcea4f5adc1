"""What a reply is worth: the published rewards (METHOD.md), each in 0..1. Pure.

Scan: form, and the mean over the boxes it names of the best IoU with a true box. Zoom: the correct verdict, and BLEU-2 of the
explanation. How they are weighed against each other is not published; here all count alike. The scan's verdict earns nothing: rewarding
it was measured to make the zoom repeat the scan.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from enum import StrEnum
from itertools import pairwise

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from worker.moderation.boxes import Box, intersection_over_union
from worker.moderation.outcomes import Verdict
from worker.vision.model import ReplyLimits
from worker.zoomin.replies import UnreadableReplyError, read_scan, read_zoom, scan_schema


class Part(StrEnum):
    """What is rewarded."""

    FORMAT = "format"
    IOU = "iou"
    VERDICT = "verdict"
    BLEU = "bleu_2"


Rewards = Mapping[Part, float]  # what a reply earned for each part that applies to it


def reward_scan(reply: str, true: Sequence[Box], limits: ReplyLimits) -> Rewards:
    """FORMAT, and IOU where there are `true` boxes, which are in the model's coordinates: without any, no box is better than another."""
    rewards = {Part.FORMAT: float(_is_well_formed(reply, limits))}
    if true:
        rewards[Part.IOU] = mean_best_iou(_named(reply), true)
    return rewards


def reward_zoom(reply: str, truth: Verdict, reference: str) -> Rewards:
    """VERDICT, and BLEU of the explanation against `reference`; nothing for a reply that cannot be read."""
    try:
        read = read_zoom(reply)
    except UnreadableReplyError:
        return {Part.VERDICT: 0.0, Part.BLEU: 0.0}
    return {Part.VERDICT: float(read.verdict is truth), Part.BLEU: bleu_2(read.explanation, reference)}


def mean_best_iou(named: Sequence[Box], true: Sequence[Box]) -> float:
    """Mean over `named` of the best IoU with a `true` box; 0 when nothing is named. Reversed corners count as swapped, as when zooming.

    The paper's own mean: it does not ask whether every true box was found.
    """
    best = [max((intersection_over_union(box.ordered(), other) for other in true), default=0.0) for box in named]
    return sum(best) / len(best) if best else 0.0


def bleu_2(said: str, reference: str) -> float:
    """BLEU over words and pairs of words, case ignored.

    One is added to the pairs' counts (Lin and Och 2004): in a sentence of ten words, the right words in no right order are worth something.
    """
    words, expected = _words(said), _words(reference)
    if not words or not expected:
        return 0.0
    single = (Counter(words) & Counter(expected)).total() / len(words)
    pairs = (Counter(pairwise(words)) & Counter(pairwise(expected))).total()
    double = (pairs + 1) / len(words)  # there is one pair fewer than words, and one is added
    brevity = math.exp(min(0.0, 1 - len(expected) / len(words)))
    return brevity * math.sqrt(single * double)


def _named(reply: str) -> list[Box]:
    try:
        return [region.box for region in read_scan(reply).regions]
    except UnreadableReplyError:
        return []


def _is_well_formed(reply: str, limits: ReplyLimits) -> bool:
    """Whether the whole reply is JSON of the scan's schema: reading is more tolerant than that."""
    try:
        value = json.loads(reply)
    except ValueError:
        return False
    return bool(Draft202012Validator(scan_schema(limits)).is_valid(value))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
