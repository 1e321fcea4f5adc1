"""What the model must reply, as JSON schemas, and how its replies are read.

Guided decoding is no guarantee: replies are cut off, and endpoints ignore schemas. Reading is tolerant of form (fences, Qwen's box
tokens, `<verdict>` tags, a truncated list) and strict about content. A reply is never evaluated, and an unreadable one is never "real".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict
from worker.moderation.text import clean
from worker.vision.model import ReplyLimits

LARGEST_COORDINATE = 16_384  # the largest side an image may have
_DECODER = json.JSONDecoder(strict=False)  # models put raw line breaks into strings
_FENCE_END = re.compile(r"\s*```\s*$")
_BOX_TOKENS = re.compile(r"<\|box_start\|>\((\d{1,5}),(\d{1,5})\),\((\d{1,5}),(\d{1,5})\)<\|box_end\|>")
_VERDICT_TAG = re.compile(r"<verdict>\s*(real|generated)\s*</verdict>", re.IGNORECASE)

Coordinate = Annotated[float, Field(ge=-LARGEST_COORDINATE, le=LARGEST_COORDINATE, allow_inf_nan=False)]


class UnreadableReplyError(Exception):
    """The reply holds no answer that could be read. The message says what is missing."""


@dataclass(frozen=True, slots=True)
class ProposedRegion:
    """A region as the scan named it; `box` in the model's own coordinates, not yet checked against any image."""

    box: Box
    reason: str


@dataclass(frozen=True, slots=True)
class ScanReply:
    """The scan's answer. The verdict is provisional and may be missing from a truncated reply."""

    explanation: str
    regions: tuple[ProposedRegion, ...]
    verdict: Verdict | None


@dataclass(frozen=True, slots=True)
class ZoomReply:
    """The zoom's answer. `findings` maps region numbers, from 1, to what was found there."""

    findings: Mapping[int, str]
    explanation: str
    verdict: Verdict


class _Region(BaseModel):
    model_config = ConfigDict(strict=False, extra="ignore")
    bbox_2d: tuple[Coordinate, Coordinate, Coordinate, Coordinate]
    reason: str = ""


class _Finding(BaseModel):
    model_config = ConfigDict(extra="ignore")
    region: Annotated[int, Field(ge=1, le=99)]
    finding: str


def scan_schema(limits: ReplyLimits) -> dict[str, Any]:
    """Explanation, then regions, then the provisional verdict: the order matters, each leans on what stands before it."""
    coordinate = {"type": "integer", "minimum": 0, "maximum": LARGEST_COORDINATE}
    region = _object(
        bbox_2d={"type": "array", "items": coordinate, "minItems": 4, "maxItems": 4},
        reason=_text(limits.reason_chars),
    )
    return _object(
        explanation=_text(limits.explanation_chars),
        # At least one: a box means "worth a closer look", and in the paper's data 99.5 % of images, real ones too, carry one.
        regions={"type": "array", "items": region, "minItems": 1, "maxItems": limits.proposed_regions},
        verdict=_VERDICT,
    )


def zoom_schema(limits: ReplyLimits) -> dict[str, Any]:
    """A finding per region, then the explanation, then the final verdict."""
    number = {"type": "integer", "minimum": 1, "maximum": limits.zoomed_regions}
    finding = _object(region=number, finding=_text(limits.finding_chars))
    return _object(
        findings={"type": "array", "items": finding, "maxItems": limits.zoomed_regions},
        explanation=_text(limits.explanation_chars),
        verdict=_VERDICT,
    )


def read_scan(text: str) -> ScanReply:
    """The scan's reply. Raises UnreadableReplyError when it holds neither regions nor a verdict."""
    fields, complete, around = _fields(text)
    entries = _list(fields.get("regions"))
    if not complete and entries and not (isinstance(entries[-1], dict) and "reason" in entries[-1]):
        entries = entries[:-1]  # cut off inside its numbers: 40 may read as 4
    proposed = [_proposed(entry) for entry in entries]
    regions = tuple(region for region in proposed if region is not None) or _tagged_regions(text)
    verdict = _verdict(fields, around)
    if not regions and verdict is None:
        raise UnreadableReplyError("the scan's reply holds neither regions nor a verdict")
    return ScanReply(clean(_string(fields.get("explanation"))), regions, verdict)


def read_zoom(text: str) -> ZoomReply:
    """The zoom's reply. Raises UnreadableReplyError without a verdict: a cut-off reply judges nothing."""
    fields, _, around = _fields(text)
    verdict = _verdict(fields, around)
    if verdict is None:
        raise UnreadableReplyError("the zoom's reply holds no verdict")
    findings: dict[int, str] = {}
    for entry in _list(fields.get("findings")):
        try:
            finding = _Finding.model_validate(entry)
        except ValidationError:
            continue  # a malformed finding is dropped; the verdict does not hang on it
        findings.setdefault(finding.region, clean(finding.finding))
    return ZoomReply(findings, clean(_string(fields.get("explanation"))), verdict)


def without_verdict(scan_reply: str) -> str:
    """The scan's reply up to its verdict, byte for byte, so that the zoom's prompt shares the scan's prefix but not its opinion."""
    return re.split(r',?\s*"verdict"\s*:|<verdict>', scan_reply, maxsplit=1)[0]


_VERDICT: dict[str, Any] = {"type": "string", "enum": [Verdict.REAL.value, Verdict.GENERATED.value]}


def _text(limit: int) -> dict[str, Any]:
    return {"type": "string", "maxLength": limit}


def _object(**properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _fields(text: str) -> tuple[dict[str, Any], bool, str]:
    """The first JSON object in `text` and whether it is complete, else an empty one; and the prose or fence around it."""
    start = text.find("{")
    if start < 0:
        return {}, False, text
    try:
        value, end = _DECODER.raw_decode(text, start)
    except (ValueError, RecursionError):
        fields = _cut_off_fields(text[start:])
        return fields, False, text[:start] if fields else text
    return value, True, text[:start] + text[end:]


def _cut_off_fields(text: str) -> dict[str, Any]:
    try:
        value = from_json(_FENCE_END.sub("", text), allow_partial=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _verdict(fields: Mapping[str, Any], around: str) -> Verdict | None:
    """The field's, or that of a tag around the object: inside, a tag is something quoted, say what is written on the image."""
    value = fields.get("verdict")
    if isinstance(value, str) and value.strip().lower() in tuple(Verdict):
        return Verdict(value.strip().lower())
    tag = _VERDICT_TAG.search(around)
    return Verdict(tag[1].lower()) if tag else None


def _proposed(entry: object) -> ProposedRegion | None:
    try:
        region = _Region.model_validate(entry)
    except ValidationError:
        return None  # one malformed box, or the last one of a truncated list: the others stand
    return ProposedRegion(Box(*region.bbox_2d), clean(region.reason))


def _tagged_regions(text: str) -> tuple[ProposedRegion, ...]:
    return tuple(ProposedRegion(Box(*map(float, match)), "") for match in _BOX_TOKENS.findall(text))


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
