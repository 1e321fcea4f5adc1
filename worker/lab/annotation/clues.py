"""An explanation's clues: what the explainer is asked to reply, and how its reply is read. A refusal or a torso is a kind, no error."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from worker.moderation.artefacts import Artefact, artefact_of
from worker.moderation.text import clean

MOST_CLUES = 8
WHERE_CHARS, WHAT_CHARS, EXPLANATION_CHARS = 80, 200, 600
_FENCE_END = re.compile(r"\s*```\s*$")
# How the usual models begin a refusal that is not marked as one.
_REFUSAL = re.compile(r"^\W*(i['’]?m sorry|sorry,|i (can(no|['’])t|am (not able|unable)|won['’]?t)|as an ai\b|unable to)", re.IGNORECASE)


class ReplyKind(StrEnum):
    """What a reply turned out to be."""

    READ = "read"
    NO_CLUES = "no_clues"  # in the form asked for, with nothing in it
    PROSE = "prose"  # no JSON object with clues
    CUT_OFF = "cut_off"  # ended at the limit of tokens, and no clue of it is whole
    REFUSED = "refused"
    REJECTED = "rejected"  # the endpoint turned the request itself down: no reply
    OVERSIZED = "oversized"  # more bytes than any explanation has: not read to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """One observation: where it is, in words that find it, and what is odd or telling there."""

    where: str
    what: str

    @property
    def text(self) -> str:
        """As it is compared and grounded."""
        return f"{self.where}: {self.what}" if self.where else self.what

    @property
    def artefact(self) -> Artefact:
        """What it is about, for figures."""
        return artefact_of(self.where, self.what)


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A reply, read. `clues` are empty unless `kind` is READ."""

    kind: ReplyKind
    text: str = ""
    clues: tuple[Clue, ...] = ()


class _Clue(BaseModel):
    model_config = ConfigDict(extra="ignore")
    where: str = ""
    what: str = Field(min_length=1)


CLUE_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "clues": {
            "type": "array",
            "maxItems": MOST_CLUES,
            "items": {
                "type": "object",
                "properties": {
                    "where": {"type": "string", "maxLength": WHERE_CHARS},
                    "what": {"type": "string", "maxLength": WHAT_CHARS},
                },
                "required": ["where", "what"],
                "additionalProperties": False,
            },
        },
        "explanation": {"type": "string", "maxLength": EXPLANATION_CHARS},  # last: a reply that is cut off still has clues
    },
    "required": ["clues", "explanation"],
    "additionalProperties": False,
}


def read_explanation(text: str, finish_reason: str, refusal: str | None = None) -> Explanation:
    """The explanation in a reply, whatever the reply is. Salvages the whole clues of one that was cut off."""
    if refusal or _REFUSAL.match(text):
        return Explanation(kind=ReplyKind.REFUSED, text=_shown(refusal or text))
    cut_off = finish_reason == "length"
    fields, complete = _fields(text)
    entries = fields.get("clues")
    if not isinstance(entries, list):
        return Explanation(kind=ReplyKind.CUT_OFF if cut_off and fields else ReplyKind.PROSE, text=_shown(text))
    if not complete:
        entries = entries[:-1]  # the last may lack the end of a sentence
    clues = tuple(dict.fromkeys(clue for entry in entries[:MOST_CLUES] if (clue := _clue(entry)) is not None))
    said = fields.get("explanation")
    kind = ReplyKind.READ if clues else ReplyKind.NO_CLUES if complete else ReplyKind.CUT_OFF
    return Explanation(kind=kind, text=_shown(said if isinstance(said, str) else ""), clues=clues)


def _clue(entry: object) -> Clue | None:
    try:
        read = _Clue.model_validate(entry)
    except ValidationError:
        return None  # one malformed clue: the others stand
    what = clean(read.what, WHAT_CHARS)
    return Clue(where=clean(read.where, WHERE_CHARS), what=what) if what else None


def _fields(text: str) -> tuple[dict[str, Any], bool]:
    """The first JSON object in `text`, whatever stands around it, and whether it is complete; else empty. Never evaluated."""
    start = text.find("{")
    if start < 0:
        return {}, False
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text, start)
    except (ValueError, RecursionError):
        return _begun(text[start:]), False
    return (value, True) if isinstance(value, dict) else ({}, False)


def _begun(text: str) -> dict[str, Any]:
    try:
        value = from_json(_FENCE_END.sub("", text), allow_partial=True)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _shown(text: str) -> str:
    return clean(text, EXPLANATION_CHARS)
