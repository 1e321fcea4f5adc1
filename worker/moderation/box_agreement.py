"""Which boxes of a picture are right, when several people have judged them. Pure.

Of a box that the model drew, those count who spoke of it: accepting and moving say that it is right, rejecting that it is not. Of a box
that was added, all count who spoke of any: those are for it who added it, too, at about the same place. More than half decide; an even
split is a dispute. Each side of a box that is right is the median of those named for it; places too far apart for one box are a dispute.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from worker.moderation.boxes import Box, intersection_over_union
from worker.moderation.errors import RejectedError
from worker.moderation.review import JudgementKind, RegionJudgement

SAME_PLACE = 0.5  # intersection over union from which two people mean one box: detection's customary threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedBoxes:
    """In original, oriented pixels. `wrong` and `unjudged` are the model's own."""

    right: tuple[Box, ...]
    wrong: tuple[Box, ...]
    unjudged: tuple[Box, ...]


def agree_on_boxes(proposed: Mapping[int, Box], answers: Sequence[Sequence[RegionJudgement]]) -> AgreedBoxes:
    """What `answers`, one per reviewer, make of the model's boxes by position and of added ones. Raises RejectedError `boxes_disputed`."""
    right: list[Box] = []
    wrong: list[Box] = []
    unjudged: list[Box] = []
    for position, box in sorted(proposed.items()):
        said = [judgement for answer in answers for judgement in answer if judgement.position == position]
        named = [judgement.box or box for judgement in said if judgement.kind is not JudgementKind.REJECT]
        if not said:
            unjudged.append(box)
        elif _most(len(named), len(said), f"Box {position} is right to {len(named)} of {len(said)} who judged it."):
            right.append(_middle(named, f"Box {position}"))
        else:
            wrong.append(box)
    return AgreedBoxes(right=(*right, *_added(answers)), wrong=tuple(wrong), unjudged=tuple(unjudged))


def _added(answers: Sequence[Sequence[RegionJudgement]]) -> list[Box]:
    groups: list[dict[int, Box]] = []  # each: one box by those who added it
    for reviewer, answer in enumerate(answers):
        for box in (judgement.box for judgement in answer if judgement.kind is JudgementKind.ADD and judgement.box):
            group = next((group for group in groups if reviewer not in group and _is_near(box, group.values())), None)
            if group is None:
                groups.append({reviewer: box})
            else:
                group[reviewer] = box
    everybody = sum(bool(answer) for answer in answers)
    return [
        _middle(list(group.values()), "An added box")
        for group in groups
        if _most(len(group), everybody, f"A box was added by {len(group)} of {everybody} who judged boxes.")
    ]


def _is_near(box: Box, others: Iterable[Box]) -> bool:
    return all(intersection_over_union(box, other) >= SAME_PLACE for other in others)


def _most(number: int, everybody: int, dispute: str) -> bool:
    """Whether it is more than half. Raises RejectedError when it is exactly that."""
    if number * 2 == everybody:
        raise RejectedError("boxes_disputed", dispute)
    return number * 2 > everybody


def _middle(named: Sequence[Box], what: str) -> Box:
    """Medians of ordered sides are ordered: the box is not empty. Raises RejectedError when somebody named another place."""
    left, top = median(box.x0 for box in named), median(box.y0 for box in named)
    middle = Box(left, top, median(box.x1 for box in named), median(box.y1 for box in named))
    if any(intersection_over_union(middle, box) < SAME_PLACE for box in named):
        raise RejectedError("boxes_disputed", f"{what} was placed differently by {len(named)} people.")
    return middle
