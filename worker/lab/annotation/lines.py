"""Labels as an annotation wrote them, with the clues beside: read back for people, and written again with what people said."""

from pathlib import Path

import msgspec

from worker.lab.dataset.claim import BUILD
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

LABELS = "labels.jsonl"
MACHINE_LABELS = BUILD / "labels.jsonl"  # as the models left them, whatever people change in the others


class KeptClue(msgspec.Struct, kw_only=True):
    """A clue that the models agreed on. `box` in original, oriented pixels; `person` is what people made of it, None before."""

    where: str
    what: str
    artefact: str
    box: tuple[int, int, int, int]
    said_by: tuple[int, ...] = ()
    similarity: float | None = None
    iou: float | None = None
    person: str | None = None  # "accepted", "moved", "rejected", "added", "unjudged"

    @property
    def place(self) -> Box:
        """Its box."""
        return Box(*self.box)


class Line(msgspec.Struct, kw_only=True):
    """A line of an annotation's labels. Other fields are not in it."""

    file: str
    label: Verdict
    regions: tuple[tuple[float, float, float, float], ...]
    source: str
    generator: str | None
    control: bool
    annotated_file: str
    given_regions: tuple[tuple[int, int, int, int], ...]
    explanation: str
    clues: tuple[KeptClue, ...]
    explainer: str
    grounder: str
    plumbing: bool
    reviewed: bool = False

    @property
    def sha256(self) -> str:
        """Of the picture's bytes, which name its file."""
        return Path(self.file).stem


def read_lines(out: Path) -> tuple[Line, ...]:
    """The labels of an annotation as the models left them. Raises RejectedError `not_annotated`, OSError."""
    path = out / MACHINE_LABELS
    if not path.is_file():
        raise RejectedError("not_annotated", f"{out} is no folder that `zoomin dataset annotate` has finished writing.")
    try:
        return tuple(msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines())
    except msgspec.DecodeError as error:
        raise RejectedError("not_annotated", f"{path} does not hold what `zoomin dataset annotate` writes: {error}.") from None


def encode_lines(lines: list[Line]) -> bytes:
    """As they stand in a file."""
    return msgspec.json.Encoder().encode_lines(lines)
