"""What was sent to the model and what came back, legible: texts with hidden characters made visible, images by where they can be seen."""

import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from worker.moderation.identifiers import RegionPlace, item_id, region_id
from worker.moderation.text import HIDDEN_CATEGORIES
from worker.store.models import OutcomeRow, RegionRow, ReleaseRow, TraceRow

LONGEST = 100_000  # characters of one text; the API has all of it


@dataclass(frozen=True, slots=True)
class SentImage:
    """An image of a request. `address` is None when it is not this image's, or was not kept; `label` says what it shows."""

    sha256: str
    address: str | None
    label: str


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn of the conversation: texts and images in their order."""

    role: str
    parts: Sequence[str | SentImage]


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and its reply. `rest` is what else was sent along, as JSON."""

    row: TraceRow
    turns: Sequence[Turn]
    rest: str
    reply: str


@dataclass(frozen=True, slots=True)
class TraceView:
    """All exchanges of a revision, and the release that replied."""

    item_id: str
    revision: int
    outcome: OutcomeRow
    exchanges: Sequence[Exchange]
    release: ReleaseRow | None
    facts: str


def view_trace(outcome: OutcomeRow, regions: Sequence[RegionRow], traces: Sequence[TraceRow], release: ReleaseRow | None) -> TraceView:
    """The view of a revision's traces."""
    place = item_id(outcome.batch_id, outcome.ordinal)
    images = {outcome.sent_sha256: SentImage(outcome.sent_sha256 or "", _image(place, outcome), "the whole image")}
    for row in regions:
        name = region_id(RegionPlace(row.batch_id, row.ordinal, row.revision, row.position))
        images.setdefault(row.crop_sha256, SentImage(row.crop_sha256 or "", f"/v1/regions/{name}/crop", f"crop of box {row.position}"))
    return TraceView(
        item_id=place,
        revision=outcome.revision,
        outcome=outcome,
        exchanges=[_exchange(row, images) for row in traces],
        release=release,
        facts=_json(release.facts) if release is not None else "",
    )


def visible(text: str) -> str:
    """`text` with its line breaks; other characters that are not seen, or that change how others are, become their code points."""
    shown = (c if c in "\n\t" or unicodedata.category(c) not in HIDDEN_CATEGORIES else f"⟨U+{ord(c):04X}⟩" for c in text[:LONGEST])
    return "".join(shown)


def _image(place: str, outcome: OutcomeRow) -> str:
    return f"/v1/items/{place}/image?revision={outcome.revision}"


def _exchange(row: TraceRow, images: Mapping[str | None, SentImage]) -> Exchange:
    request = dict(row.request)
    turns = request.pop("turns", None)
    told = [_turn(turn, images) for turn in turns] if isinstance(turns, list) else []
    return Exchange(row, told, _json(request), visible(row.reply))


def _turn(turn: Any, images: Mapping[str | None, SentImage]) -> Turn:
    """As `worker.zoomin.ask.conversation` writes it; whatever else a turn is is shown as JSON."""
    if not isinstance(turn, dict) or not isinstance(turn.get("parts"), list):
        return Turn("", [visible(turn) if isinstance(turn, str) else _json(turn)])
    return Turn(str(turn.get("role", "")), [_part(part, images) for part in turn["parts"]])


def _part(part: Any, images: Mapping[str | None, SentImage]) -> str | SentImage:
    if isinstance(part, dict) and isinstance(part.get("image"), str):
        sha256 = part["image"]
        return images.get(sha256) or SentImage(sha256, None, "an image that is not kept here")
    return visible(part) if isinstance(part, str) else _json(part)


def _json(value: Any) -> str:
    return visible(json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True))
