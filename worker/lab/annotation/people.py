"""What people made of the sample: how often a box was right, by artefact; how far a moved one was off; and labels with their fixes.

Figures are over judgements, one for each box and reviewer. Of several reviewers of a box more than half decide about the label, see
`worker.moderation.box_agreement`; figures keep everybody's word. Pure, but for reading and writing files.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from worker.exports.whole_files import write_whole
from worker.lab.annotation.lines import LABELS, KeptClue, Line, encode_lines
from worker.lab.evaluation.bootstrap import estimate
from worker.moderation.artefacts import artefact_of
from worker.moderation.box_agreement import agree_on_boxes
from worker.moderation.boxes import Box, intersection_over_union
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.review import JudgementKind, RegionJudgement
from worker.moderation.shares import Share
from worker.store.reviewed_pictures import ReviewedPicture

AGREEMENT = "agreement.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A picture of the sample that people have decided on."""

    line: Line
    picture: ReviewedPicture

    @property
    def judgements(self) -> tuple[RegionJudgement, ...]:
        """Everybody's."""
        return tuple(judgement for review in self.picture.reviews for judgement in review.answer.judgements)

    def of(self, position: int) -> list[tuple[RegionJudgement, ...]]:
        """What each reviewer said of a box."""
        answers = [review.answer.judgements for review in self.picture.reviews]
        return [tuple(judgement for judgement in answer if judgement.position == position) for answer in answers]


def find_judged(lines: Iterable[Line], pictures: Iterable[ReviewedPicture]) -> tuple[Judged, ...]:
    """The lines that people have decided on. A decision that is contested, held or about an erased picture is left alone."""
    by_sha256 = {line.sha256: line for line in lines}
    usable = [picture for picture in pictures if not (picture.erased or picture.held or picture.contested) and picture.reviews]
    return tuple(Judged(line=by_sha256[picture.image_sha256], picture=picture) for picture in usable if picture.image_sha256 in by_sha256)


def figures(judged: Sequence[Judged], sampled: int) -> dict[str, Any]:
    """Counts and shares with 95 % intervals: Wilson's of shares, a bootstrap over pictures of the moved boxes' IoU."""
    by_artefact: dict[str, list[JudgementKind]] = {}
    for each in judged:
        for position, clue in enumerate(each.line.clues, 1):
            by_artefact.setdefault(clue.artefact, []).extend(one.kind for answer in each.of(position) for one in answer)
    every = [kind for kinds in by_artefact.values() for kind in kinds]
    same = [each.picture.verdict is each.line.label for each in judged]
    return {
        "sampled": sampled,
        "decided": len(judged),
        "reviewers": len({review.reviewer for each in judged for review in each.picture.reviews}),
        "labels_shared": _share(Share(sum(same), len(same))),
        "boxes": _shares(every),
        "by_artefact": {artefact: _shares(kinds) for artefact, kinds in sorted(by_artefact.items()) if kinds},
        "added": sum(one.kind is JudgementKind.ADD for each in judged for one in each.judgements),
        "unjudged": sum(not any(each.of(position)) for each in judged for position in range(1, len(each.line.clues) + 1)),
        "moved_iou": _moved(judged),
    }


def fixed(lines: Sequence[Line], judged: Sequence[Judged]) -> tuple[list[Line], dict[str, str]]:
    """All lines with what people said in them, and the sha256 of those that are left out, with the reason."""
    decided = {each.line.sha256: each for each in judged}
    kept: list[Line] = []
    left_out: dict[str, str] = {}
    for line in lines:
        try:
            kept.append(_fixed(decided[line.sha256]) if line.sha256 in decided else line)
        except RejectedError as error:
            left_out[line.sha256] = f"{error.code}: {error.message}"
    return kept, left_out


def write_fixed(out: Path, lines: Sequence[Line], report: Mapping[str, Any]) -> None:
    """Writes labels and report. Raises OSError."""
    write_whole(out / LABELS, encode_lines(list(lines)))
    write_whole(out / AGREEMENT, msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def _fixed(judged: Judged) -> Line:
    """Raises RejectedError: label_disputed, boxes_disputed, no_box_left."""
    line = judged.line
    if judged.picture.verdict is not line.label:
        raise RejectedError("label_disputed", f"Known as {line.label}, and decided to be {judged.picture.verdict}.")
    clues = tuple(_judged_clue(judged, position, clue) for position, clue in enumerate(line.clues, 1))
    added = agree_on_boxes({}, [review.answer.judgements for review in judged.picture.reviews]).right
    clues = (*clues, *(_added(box) for box in added))
    boxes = [clue.box for clue in clues if clue.person != "rejected"]
    if not boxes:
        raise RejectedError("no_box_left", "People rejected every box.")
    regions = tuple(boxes) if line.label is Verdict.GENERATED else line.regions
    return msgspec.structs.replace(line, clues=clues, regions=regions, reviewed=True)


def _judged_clue(judged: Judged, position: int, clue: KeptClue) -> KeptClue:
    agreed = agree_on_boxes({position: judged.picture.boxes.get(position, clue.place)}, judged.of(position))
    if agreed.unjudged:
        return msgspec.structs.replace(clue, person="unjudged")
    if agreed.wrong:
        return msgspec.structs.replace(clue, person="rejected")
    (box,) = agreed.right
    moved = box.corners() != clue.box
    return msgspec.structs.replace(clue, person="moved" if moved else "accepted", box=box.corners())


def _added(box: Box) -> KeptClue:
    return KeptClue(where="", what="", artefact=artefact_of("", None), box=box.corners(), person="added")


def _shares(kinds: Sequence[JudgementKind]) -> dict[str, Any]:
    """Of boxes that somebody judged. `accepted` as they were; `right`: accepted or moved."""
    accepted, moved = kinds.count(JudgementKind.ACCEPT), kinds.count(JudgementKind.MOVE)
    return {
        "judged": len(kinds),
        "accepted": _share(Share(accepted, len(kinds))),
        "right": _share(Share(accepted + moved, len(kinds))),
        "moved": moved,
        "rejected": kinds.count(JudgementKind.REJECT),
    }


def _share(share: Share) -> dict[str, Any]:
    interval = share.interval
    return {"value": share.value, "interval": [interval.low, interval.high] if interval else None, "of": share.whole}


def _moved(judged: Sequence[Judged]) -> dict[str, Any]:
    """How much of a box that was moved had been right: its mean IoU with where it was put."""
    ious: list[float] = []
    owners: list[str] = []
    for each in judged:
        for position, box in each.picture.boxes.items():
            placed = [one.box for answer in each.of(position) for one in answer if one.kind is JudgementKind.MOVE and one.box is not None]
            ious += [intersection_over_union(box, other) for other in placed]
            owners += [each.line.sha256] * len(placed)
    if not ious:
        return {"value": None, "interval": None, "of": 0}
    values = np.array(ious)
    found = estimate({"iou": lambda places: float(values[places].mean())}, np.array(owners))["iou"]
    return {"value": found.value, "interval": [found.low, found.high] if found.low is not None else None, "of": len(ious)}
