"""Pictures of one photograph that differ in nothing but their regions: clean, control, and one for each network, all at the same places."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

from worker.lab.placement import is_apart, random_box, random_count
from worker.lab.regenerate import VISIBLE_BELOW, Enlarger, interpolate, regenerate, visible_change
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError

TRIALS = 16  # boxes tried for all regions of a photograph together
LARGE_SHORT_SIDE = 600  # px to which a large picture's short side is brought to draw its boxes: sides of 16 to 35 % of it

DrawBox = Callable[[Size, np.random.Generator], Box]


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """RGB pictures of one size. `changes`: for each network, the PSNR in dB of each of `boxes` before saving."""

    clean: Image.Image
    control: Image.Image
    generated: Mapping[str, Image.Image]
    boxes: tuple[Box, ...]
    changes: Mapping[str, tuple[float, ...]]


def match(photograph: Image.Image, networks: Mapping[str, Enlarger], draw_box: DrawBox, chance: np.random.Generator) -> Matched:
    """One to three regions apart from each other, each visible in every network's picture. Raises RejectedError `nothing_visible`.

    Networks are asked in order, so the quickest should come first: most boxes fail at it.
    """
    wanted = random_count(chance)
    control, pictures, boxes, changes = photograph, dict.fromkeys(networks, photograph), list[Box](), list[dict[str, float]]()
    for box in _candidates(Size(*photograph.size), draw_box, chance):
        if len(boxes) == wanted:
            break
        if not is_apart(box, boxes) or (drawn := _drawn(pictures, box, networks)) is None:
            continue
        changes.append({network: visible_change(pictures[network], picture, box) for network, picture in drawn.items()})
        control, pictures = interpolate(control, box), drawn
        boxes.append(box)
    if not boxes:
        raise RejectedError("nothing_visible", f"Regenerating changed nothing visible at {TRIALS} places.")
    by_network = {network: tuple(change[network] for change in changes) for network in networks}
    return Matched(clean=photograph, control=control, generated=pictures, boxes=tuple(boxes), changes=by_network)


def large_box(size: Size, chance: np.random.Generator) -> Box:
    """As `random_box` for a picture of at least 1 MP, with sides that grow with it: 16 to 35 % of its short side."""
    scale = min(size.width, size.height) / LARGE_SHORT_SIDE
    box = random_box(Size(int(size.width / scale), int(size.height / scale)), chance)
    return Box(*box.scaled(scale, scale).clamped(size).corners())


def _candidates(size: Size, draw_box: DrawBox, chance: np.random.Generator) -> Iterator[Box]:
    return (draw_box(size, chance) for _ in range(TRIALS))


def _drawn(pictures: Mapping[str, Image.Image], box: Box, networks: Mapping[str, Enlarger]) -> dict[str, Image.Image] | None:
    """Each network's picture with `box` drawn as well; None as soon as one would show no change there."""
    drawn: dict[str, Image.Image] = {}
    for network, enlarger in networks.items():
        drawn[network] = regenerate(pictures[network], box, enlarger)
        if visible_change(pictures[network], drawn[network], box) >= VISIBLE_BELOW:
            return None
    return drawn
