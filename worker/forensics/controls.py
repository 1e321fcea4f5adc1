"""Where a control hides something: as much as is hidden of what is cited, at random outside all that is cited.

Boxes of the same sides where there is room for them. Where the cited regions leave too little, each box is cut in halves, and again: the
same area, in smaller pieces.
"""

import itertools
import random
from collections.abc import Iterable, Sequence

from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.moderation.errors import RejectedError
from worker.moderation.faithfulness import NO_ROOM

CUTS = 3  # in halves: then pieces are an eighth of a box, and a scatter of smaller ones would be no control for a region
TRIES = 60  # at one box, anywhere: room of 5 % of the places is found with a chance of 95 %
LOOSE, SNUG = 3, 6  # arrangements of all boxes: anywhere; then edge to edge, where the cited ones leave little room


def place_controls(hidden: Sequence[Box], cited: Sequence[Box], size: Size, chance: random.Random) -> tuple[Box, ...]:
    """Boxes of the sides of the `hidden` ones, or pieces of them, that overlap neither what is cited nor each other; whole original pixels.

    Raises RejectedError `no_room_for_control` where the cited ones leave no room.
    """
    pieces, taken = _whole(hidden, size), _whole(cited, size)
    for _ in range(1 + CUTS):
        for arrangement in range(LOOSE + SNUG):
            if (placed := _arranged(pieces, taken, size, chance, snug=arrangement >= LOOSE)) is not None:
                return placed
        pieces = [half for piece in pieces for half in _halves(piece)]
    raise RejectedError(NO_ROOM, "The cited regions leave no room for as much to be hidden elsewhere, as a control.")


def _whole(boxes: Sequence[Box], size: Size) -> list[Box]:
    return [box.outward().clamped(size) for box in boxes]


def _halves(box: Box) -> tuple[Box, Box]:
    """Cut across its longer side."""
    x0, y0, x1, y1 = box.corners()
    if x1 - x0 > y1 - y0:
        middle = (x0 + x1) // 2
        return Box(x0, y0, middle, y1), Box(middle, y0, x1, y1)
    middle = (y0 + y1) // 2
    return Box(x0, y0, x1, middle), Box(x0, middle, x1, y1)


def _arranged(pieces: Sequence[Box], taken: Sequence[Box], size: Size, chance: random.Random, *, snug: bool) -> tuple[Box, ...] | None:
    """The largest first, for which there is least room; None where one finds none."""
    placed: list[Box] = []
    for piece in sorted(pieces, key=lambda piece: -piece.area):
        x0, y0, x1, y1 = piece.corners()
        width, height, others = x1 - x0, y1 - y0, (*taken, *placed)
        places = _edges(width, height, others, size, chance) if snug else _anywhere(width, height, size, chance)
        boxes = (Box(x, y, x + width, y + height) for x, y in places)
        free = next((box for box in boxes if all(intersection_over_union(box, other) == 0 for other in others)), None)
        if free is None:
            return None
        placed.append(free)
    return tuple(placed)


def _anywhere(width: int, height: int, size: Size, chance: random.Random) -> Iterable[tuple[int, int]]:
    return ((chance.randint(0, size.width - width), chance.randint(0, size.height - height)) for _ in range(TRIES))


def _edges(width: int, height: int, others: Sequence[Box], size: Size, chance: random.Random) -> Sequence[tuple[int, int]]:
    """Every place where the box touches edges of the image or of others on two sides, in any order."""
    columns = {0, size.width - width, *(side for box in others for side in (int(box.x1), int(box.x0) - width))}
    rows = {0, size.height - height, *(side for box in others for side in (int(box.y1), int(box.y0) - height))}
    places = [
        (x, y)
        for x, y in itertools.product(sorted(columns), sorted(rows))
        if 0 <= x <= size.width - width and 0 <= y <= size.height - height
    ]
    chance.shuffle(places)
    return places
