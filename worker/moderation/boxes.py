"""Boxes and the arithmetic on them. A box always says in its owner's name which pixel space it is in."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def pixels(self) -> int:
        """Area in pixels."""
        return self.width * self.height


@dataclass(frozen=True, slots=True)
class Box:
    """Half-open pixel rectangle: x0 ≤ x < x1, y0 ≤ y < y1, origin top left."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Area in square pixels; 0 for a reversed or empty box."""
        return max(0.0, self.x1 - self.x0) * max(0.0, self.y1 - self.y0)

    def ordered(self) -> "Box":
        """The same box with reversed corners swapped."""
        return Box(min(self.x0, self.x1), min(self.y0, self.y1), max(self.x0, self.x1), max(self.y0, self.y1))

    def clamped(self, size: Size) -> "Box":
        """The part inside an image of `size`; may be empty."""
        return Box(
            min(max(self.x0, 0), size.width),
            min(max(self.y0, 0), size.height),
            min(max(self.x1, 0), size.width),
            min(max(self.y1, 0), size.height),
        )

    def scaled(self, x: float, y: float) -> "Box":
        """Coordinates multiplied by `x` and `y`."""
        return Box(self.x0 * x, self.y0 * y, self.x1 * x, self.y1 * y)

    def outward(self) -> "Box":
        """The smallest box with whole-pixel corners that contains this one."""
        return Box(math.floor(self.x0), math.floor(self.y0), math.ceil(self.x1), math.ceil(self.y1))

    def corners(self) -> tuple[int, int, int, int]:
        """(x0, y0, x1, y1) rounded to whole pixels."""
        return round(self.x0), round(self.y0), round(self.x1), round(self.y1)


def intersection_over_union(a: Box, b: Box) -> float:
    """IoU in 0..1; 0 for disjoint, touching or empty boxes."""
    common = Box(max(a.x0, b.x0), max(a.y0, b.y0), min(a.x1, b.x1), min(a.y1, b.y1)).area
    union = a.area + b.area - common
    return common / union if union > 0 else 0.0
