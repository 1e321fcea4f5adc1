"""What becomes of a clue: kept, or rejected for the first of these reasons that applies. Pure; every clue stays on record with its fate."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from worker.lab.annotation.recipe import Recipe
from worker.moderation.boxes import Box, Size, intersection_over_union


class Fate(StrEnum):
    """Of a clue. All but `kept` are rejections, in the order in which they are asked."""

    KEPT = "kept"
    EXPLANATION_UNREADABLE = "explanation_unreadable"  # one of the two explanations was refused, prose, cut off or empty
    EXPLANATIONS_DIFFER = "explanations_differ"  # the two share too little: none of their clues is trusted
    NOT_SECONDED = "not_seconded"  # only one of the two explanations says it
    GROUNDING_UNREADABLE = "grounding_unreadable"  # the grounder's reply, or its request, came to nothing
    NO_BOX = "no_box"  # the grounder found nothing there
    GROUNDINGS_DIFFER = "groundings_differ"  # the two boxes overlap too little
    TOO_LARGE = "too_large"  # over half of the picture
    FRAMES_SUBJECT = "frames_subject"  # the box of the main subject, not of a detail
    REPEATED = "repeated"  # at the place of an earlier clue


@dataclass(frozen=True, slots=True)
class Grounding:
    """One look for a clue. `box` in original, oriented pixels, clamped; None: nothing was found, or nothing could be read."""

    box: Box | None
    readable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A seconded clue's fate. `box` is the mean of both groundings, whole pixels, where it is kept; `iou` where there are two boxes."""

    fate: Fate
    box: Box | None = None
    iou: float | None = None
    detail: str = ""  # for people: the figure that decided


def place(looks: tuple[Grounding, Grounding], subject: Box | None, taken: Sequence[Box], size: Size, recipe: Recipe) -> Placed:
    """The fate of a clue that both explanations named, in a picture of `size` whose main subject is at `subject`, if that is known."""
    first, second = (look.box for look in looks)
    if first is None or second is None:
        unreadable = any(not look.readable for look in looks)
        found = sum(look.box is not None for look in looks)
        return Placed(fate=Fate.GROUNDING_UNREADABLE if unreadable else Fate.NO_BOX, detail=f"{found} of 2 looks found a box")
    iou = intersection_over_union(first, second)
    if iou < recipe.least_iou:
        return Placed(fate=Fate.GROUNDINGS_DIFFER, iou=iou, detail=f"IoU {iou:.2f}, below {recipe.least_iou:g}")
    box = _mean(first, second)
    fate, detail = _shape(box, subject, taken, size, recipe)
    return Placed(fate=fate, box=box, iou=iou, detail=detail)


def _shape(box: Box, subject: Box | None, taken: Sequence[Box], size: Size, recipe: Recipe) -> tuple[Fate, str]:
    if (share := box.area / size.pixels) > recipe.largest_share:
        return Fate.TOO_LARGE, f"{share:.0%} of the picture, over {recipe.largest_share:.0%}"
    if subject is not None and (framing := intersection_over_union(box, subject)) >= recipe.subject_iou:
        return Fate.FRAMES_SUBJECT, f"IoU {framing:.2f} with the main subject, from {recipe.subject_iou:g}"
    if any(intersection_over_union(box, other) >= recipe.same_clue_iou for other in taken):
        return Fate.REPEATED, "the place of an earlier clue"
    return Fate.KEPT, ""


def _mean(a: Box, b: Box) -> Box:
    middle = Box((a.x0 + b.x0) / 2, (a.y0 + b.y0) / 2, (a.x1 + b.x1) / 2, (a.y1 + b.y1) / 2)
    return middle.outward()
