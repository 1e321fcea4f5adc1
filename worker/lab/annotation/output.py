"""What a run leaves: the lab's own format with clues beside the labels, every clue with its fate, and a card that says what it is worth.

OUT/labels.jsonl  images/<sha256>.{jpg,png,webp}     pictures with at least one kept clue, as they are
OUT/clues.jsonl                                      every picture and every clue, kept or rejected and why
OUT/card.md  summary.json                            counts, fates, cost
OUT/.build: what it was begun with, and the replies that were paid for
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from worker.exports.whole_files import write_whole
from worker.lab.annotation.annotating import Annotated, Judgement, PictureFate
from worker.lab.annotation.lines import LABELS, MACHINE_LABELS
from worker.lab.annotation.views import Facts, read_file
from worker.lab.dataset.making import IMAGES
from worker.lab.dataset.reviewed import ENDINGS
from worker.lab.labels import Label, written_label
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict

CLUES, CARD, SUMMARY = "clues.jsonl", "card.md", "summary.json"


def write_pictures(annotated: Sequence[Annotated], folder: Path, out: Path, max_bytes: int, facts: Mapping[str, object]) -> None:
    """Copies the annotated pictures, then writes labels and clues. `facts` go into every label's line.

    Raises OSError, RejectedError `picture_changed`: a file is no longer what was annotated.
    """
    lines = []
    for each in annotated:
        if each.fate is PictureFate.ANNOTATED and each.facts is not None:
            _copy(folder / each.label.file, each.facts, out, max_bytes)
            lines.append({**_line(each, each.facts), **facts})
    for path in (out / LABELS, out / MACHINE_LABELS):
        write_whole(path, msgspec.json.Encoder().encode_lines(lines))
    write_whole(out / CLUES, msgspec.json.Encoder().encode_lines([_record(each) for each in annotated]))


def picture_file(facts: Facts) -> str:
    """Where a picture lies in the output, named by its bytes."""
    return f"{IMAGES}/{facts.sha256}.{ENDINGS[facts.media_type]}"


def _copy(path: Path, facts: Facts, out: Path, max_bytes: int) -> None:
    target = out / picture_file(facts)
    if target.is_file():
        return
    body = read_file(path, max_bytes)
    if hashlib.sha256(body).hexdigest() != facts.sha256:
        raise RejectedError("picture_changed", f"{path} changed while it was annotated. Repeat the command, into another folder.")
    write_whole(target, body)


def _line(annotated: Annotated, facts: Facts) -> dict[str, object]:
    """The lab's label, and beside it what the lab lets be.

    Of a generated picture the kept clues' boxes are its regions. A real one has none in this format, unless it is a control, whose own
    regions stay: its boxes stand with the clues alone.
    """
    label = annotated.label
    boxes = tuple(clue.placed.box for clue in annotated.kept if clue.placed.box is not None)
    kept = Label(
        file=picture_file(facts),
        label=label.label,
        regions=boxes if label.label is Verdict.GENERATED else label.regions,
        source=label.source,
        generator=label.generator,
        control=label.control,
    )
    return {
        **written_label(kept),
        "annotated_file": label.file,
        "given_regions": [box.corners() for box in label.regions],
        "explanation": annotated.explanations[0].text,
        "clues": [_clue(clue) for clue in annotated.kept],
    }


def _record(annotated: Annotated) -> dict[str, object]:
    facts = annotated.facts
    return {
        "file": annotated.label.file,
        "label": annotated.label.label,
        "fate": annotated.fate,
        "problem": annotated.problem or None,
        "sha256": facts.sha256 if facts else None,
        "size": [facts.size.width, facts.size.height] if facts else None,
        "explanations": [{"kind": each.kind, "text": each.text, "clues": len(each.clues)} for each in annotated.explanations],
        "shared": _rounded(annotated.shared),
        "subject": _corners(annotated.subject),
        "clues": [{**_clue(clue), "fate": clue.placed.fate, "detail": clue.placed.detail or None} for clue in annotated.clues],
    }


def _clue(judgement: Judgement) -> dict[str, Any]:
    weighed, placed = judgement.weighed, judgement.placed
    return {
        "where": weighed.clue.where,
        "what": weighed.clue.what,
        "artefact": weighed.clue.artefact,
        "said_by": weighed.said_by,
        "similarity": _rounded(weighed.similarity),
        "box": _corners(placed.box),
        "iou": _rounded(placed.iou),
    }


def _corners(box: Box | None) -> tuple[int, int, int, int] | None:
    return box.corners() if box is not None else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
