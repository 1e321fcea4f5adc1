"""JSON Lines: one object per item, the format that integrations rely on."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from worker.exports.pieces import write_pieces
from worker.moderation.identifiers import item_id
from worker.moderation.outcomes import Region
from worker.store.results import ItemResult

# Legal in JSON strings, but a terminal obeys the first and a reader is misled by the others (bidi overrides, zero-width characters).
_HIDDEN = re.compile("[\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")


def write_jsonl(results: Iterable[ItemResult], out: TextIO) -> int:
    """One line per item: how many. Raises OSError."""
    return write_pieces(jsonl_pieces(results), out)


def jsonl_pieces(results: Iterable[ItemResult]) -> Iterator[str]:
    """A line for each item."""
    return (json_line(result_object(result)) for result in results)


def json_line(value: object) -> str:
    """`value` on one line of JSON, ended, with hidden characters escaped."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _HIDDEN.sub(lambda match: f"\\u{ord(match[0]):04x}", line) + "\n"


def result_object(result: ItemResult) -> dict[str, Any]:
    """An item as plain JSON. `outcome` is null while it has none, `error` unless it has one; `size` is that of the original."""
    return {
        "id": item_id(result.batch_id, result.ordinal),
        "custom_id": result.custom_id,
        "source": result.source,
        "outcome": result.outcome,
        "verdict": result.verdict,
        "p_generated": result.p_generated,
        "regions": [region_object(region) for region in result.regions],
        "explanation": result.explanation,
        "path": result.path,
        "release": result.release,
        "training": result.training,
        "size": [result.size.width, result.size.height] if result.size else None,
        "revision": result.revision,
        "error": {"code": result.error.code, "message": result.error.message} if result.error else None,
        "erased": result.erased,
    }


def region_object(region: Region) -> dict[str, Any]:
    """A region as plain JSON; `box` is [x0, y0, x1, y1] in original, oriented pixels."""
    return {"box": list(region.box.corners()), "reason": region.reason, "finding": region.finding, "crop_sha256": region.crop_sha256}
