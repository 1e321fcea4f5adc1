"""Known answers as files: one JSON object per line. What `zoomin golden list --json` prints can be read again."""

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import msgspec

from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import parse_item_id
from worker.moderation.outcomes import Verdict
from worker.store.golden_items import Known


class GoldenLine(msgspec.Struct):
    """A line. Other names are passed over, so that listings can be read."""

    item: str
    verdict: Verdict
    boxes: list[tuple[int, int, int, int]] = []
    note: str = ""
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class GoldenAnswer:
    """What a line says, and which line."""

    line: int
    place: tuple[UUID, int]
    known: Known


def read_golden(path: Path) -> list[GoldenAnswer]:
    """The answers of a file; empty lines count for nothing. Raises OSError; RejectedError, which names the line."""
    return [_answer(path, number, line) for number, line in enumerate(path.read_bytes().splitlines(), 1) if line.strip()]


def _answer(path: Path, number: int, line: bytes) -> GoldenAnswer:
    try:
        found = msgspec.json.decode(line, type=GoldenLine)
        place = parse_item_id(found.item)
    except msgspec.MsgspecError as error:
        raise RejectedError("golden_file_invalid", f"{path}, line {number}: {error}. Nothing was imported.") from None
    except RejectedError as error:
        raise RejectedError(error.code, f"{path}, line {number}: {error.message} Nothing was imported.") from None
    boxes = tuple(Box(*corners) for corners in found.boxes)
    return GoldenAnswer(number, place, Known(verdict=found.verdict, boxes=boxes, note=found.note, revision=found.revision))
