"""What a check hides as disjoint patches, and where its control hides as many: at random, outside all that is cited.

Patches of the same sides where there is room for them. Where the cited regions leave too little, each is cut in halves, and again: the
same area, in smaller pieces. A piece remembers the box that it was cut from, so that it is hidden as strongly.
"""

import itertools
import random
from collections.abc import Iterable, Sequence

from worker.images.mask import Patch
from worker.moderation.boxes import Box, Size, intersection_over_union
from worker.moderation.errors import RejectedError
from worker.moderation.faithfulness import NO_ROOM

CUTS = 3  # in halves: then pieces are an eighth of a box, and a scatter of smaller ones would be no control for a region
TRIES = 60  # at one box, anywhere: room of 5 % of the places is found with a chance of 95 %
LOOSE, SNUG = 3, 6  # arrangements of all boxes: anywhere; then edge to edge, where the cited ones leave little room


def patches(boxes: Sequence[Box], size: Size) -> tuple[Patch, ...]:
    """What `boxes` cover of an image of `size`, in whole-pixel patches without overlap: the largest box, then what it leaves of others."""
    found: list[Patch] = []
    for box in sorted((box.outward().clamped(size) for box in boxes), key=lambda box: -box.area):
        left = [box] if box.area > 0 else []
        for other in tuple(found):
            left = [part for piece in left for part in _outside(piece, other.box)]
        found += [Patch(part, _sides(box)) for part in left]
    return tuple(found)


def place_controls(hidden: Sequence[Patch], cited: Sequence[Box], size: Size, chance: random.Random) -> tuple[Patch, ...]:
    """Patches of the sides of the `hidden` ones, or halves of them, that overlap neither what is cited nor each other; whole pixels.

    Raises RejectedError `no_room_for_control` where the cited ones leave no room.
    """
    pieces, taken = list(hidden), [box.outward().clamped(size) for box in cited]
    for _ in range(1 + CUTS):
        for arrangement in range(LOOSE + SNUG):
            if (placed := _arranged(pieces, taken, size, chance, snug=arrangement >= LOOSE)) is not None:
                return placed
        pieces = [Patch(half, piece.of) for piece in pieces for half in _halves(piece.box)]
    raise RejectedError(NO_ROOM, "The cited regions leave no room for as much to be hidden elsewhere, as a control.")


def _sides(box: Box) -> Size:
    x0, y0, x1, y1 = box.corners()
    return Size(x1 - x0, y1 - y0)


def _outside(box: Box, other: Box) -> list[Box]:
    """What `other` leaves of `box`, in at most four pieces: cut across or down, whichever leaves the larger one."""
    common = Box(max(box.x0, other.x0), max(box.y0, other.y0), min(box.x1, other.x1), min(box.y1, other.y1))
    if common.area == 0:
        return [box]
    across = (
        Box(box.x0, box.y0, box.x1, common.y0),
        Box(box.x0, common.y1, box.x1, box.y1),
        Box(box.x0, common.y0, common.x0, common.y1),
        Box(common.x1, common.y0, box.x1, common.y1),
    )
    down = (
        Box(box.x0, box.y0, common.x0, box.y1),
        Box(common.x1, box.y0, box.x1, box.y1),
        Box(common.x0, box.y0, common.x1, common.y0),
        Box(common.x0, common.y1, common.x1, box.y1),
    )
    return [piece for piece in max(across, down, key=lambda pieces: max(piece.area for piece in pieces)) if piece.area > 0]


def _halves(box: Box) -> list[Box]:
    """Cut across its longer side; a single pixel stays one."""
    x0, y0, x1, y1 = box.corners()
    if x1 - x0 > y1 - y0:
        middle = (x0 + x1) // 2
        halves = [Box(x0, y0, middle, y1), Box(middle, y0, x1, y1)]
    else:
        middle = (y0 + y1) // 2
        halves = [Box(x0, y0, x1, middle), Box(x0, middle, x1, y1)]
    return [half for half in halves if half.area > 0]


def _arranged(pieces: Sequence[Patch], taken: Sequence[Box], size: Size, chance: random.Random, *, snug: bool) -> tuple[Patch, ...] | None:
    """The largest first, for which there is least room; None where one finds none."""
    placed: list[Patch] = []
    for piece in sorted(pieces, key=lambda piece: -piece.box.area):
        sides, others = _sides(piece.box), (*taken, *(patch.box for patch in placed))
        width, height = sides.width, sides.height
        places = _edges(width, height, others, size, chance) if snug else _anywhere(width, height, size, chance)
        boxes = (Box(x, y, x + width, y + height) for x, y in places)
        free = next((box for box in boxes if all(intersection_over_union(box, other) == 0 for other in others)), None)
        if free is None:
            return None
        placed.append(Patch(free, piece.of))
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
