"""Everything nano can say. Short, and true to what it can see: how strong the traces of redrawing are, nothing else.

Its language has five grades of evidence. Training writes these sentences from what the vision tower finds in the very pixels that are
sent, never from the label: the label is for the verdict alone to learn.
"""

import json
from bisect import bisect_right
from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from worker.moderation.boxes import Box
from worker.moderation.outcomes import Verdict

GRADE_BOUNDS = (-1.5, -0.5, 0.5, 1.5)  # mean log-odds of the region's tokens that separate the grades
SEPARATORS = (",", ":")
LARGEST_MULTIPLE = 40  # of 28 px: coordinates up to 1,120 are one token each


class Grade(IntEnum):
    """How strong the traces are."""

    NO = 0
    FAINT = 1
    SOME = 2
    CLEAR = 3
    STRONG = 4


def grade(evidence: float) -> Grade:
    """The grade of a mean log-odds."""
    return Grade(bisect_right(GRADE_BOUNDS, evidence))


def scan_reply(regions: Sequence[tuple[Box, Grade]], verdict: Verdict) -> str:
    """The scan's reply; boxes in pixels of the image as sent."""
    strongest = max((found for _, found in regions), default=Grade.NO)
    return _written(
        {
            "explanation": f"At first sight {_trace(strongest)} of redrawing.",
            "regions": [{"bbox_2d": list(box.corners()), "reason": _trace(found)} for box, found in regions],
            "verdict": verdict.value,
        }
    )


def zoom_reply(grades: Sequence[Grade], verdict: Verdict) -> str:
    """The zoom's reply, one grade a crop."""
    return _written(
        {
            "findings": [{"region": number, "finding": f"{_trace(found)} of redrawing"} for number, found in enumerate(grades, start=1)],
            "explanation": _conclusion(grades),
            "verdict": verdict.value,
        }
    )


def _written(reply: dict[str, Any]) -> str:
    """As vLLM's guide writes JSON when it allows no whitespace: a model that was taught other spacing is lost behind the first colon."""
    return json.dumps(reply, separators=SEPARATORS)


def _conclusion(grades: Sequence[Grade]) -> str:
    if not grades:
        return "No region was looked at closely."
    strongest = max(grades)
    if strongest is Grade.NO:
        return "No region shows traces of redrawing."
    return f"Region {grades.index(strongest) + 1} shows {_trace(strongest)} of redrawing."


def _trace(found: Grade) -> str:
    return f"{found.name.lower()} traces"
