"""Where a control hides something: boxes of the same sides as those that are cited, at random outside all of them."""

import random
from collections.abc import Sequence

from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.moderation.errors import RejectedError

TRIES = 300  # at one box: room of 1 % of the places is found with a chance of 95 %
ARRANGEMENTS = 20  # of all boxes: an unlucky first one may leave no room for the next


def place_controls(cited: Sequence[Box], size: Size, chance: random.Random) -> tuple[Box, ...]:
    """One box per cited one, in whole original pixels, that overlaps neither it nor any other, cited or placed.

    Raises RejectedError `no_room_for_control` where the cited ones leave no room.
    """
    for _ in range(ARRANGEMENTS):
        placed: list[Box] = []
        for box in cited:
            control = _place(box, size, (*cited, *placed), chance)
            if control is None:
                break
            placed.append(control)
        else:
            return tuple(placed)
    raise RejectedError("no_room_for_control", "The cited regions leave no room for as much to be hidden elsewhere, as a control.")


def _place(box: Box, size: Size, taken: Sequence[Box], chance: random.Random) -> Box | None:
    x0, y0, x1, y1 = box.outward().clamped(size).corners()
    for _ in range(TRIES):
        x, y = chance.randint(0, size.width - (x1 - x0)), chance.randint(0, size.height - (y1 - y0))
        control = Box(x, y, x + x1 - x0, y + y1 - y0)
        if all(intersection_over_union(control, other) == 0 for other in taken):
            return control
    return None
