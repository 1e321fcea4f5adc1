"""Shares with what they rest on: so many of so many, and Wilson's interval, which is honest where there are few."""

import math
from dataclasses import dataclass

Z = 1.959963984540054  # of the standard normal: 95 % lie within


@dataclass(frozen=True, slots=True)
class Interval:
    """From `low` to `high`, both within 0 and 1."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`. Of nothing there is no share, and no interval."""

    part: int
    whole: int

    @property
    def value(self) -> float | None:
        """0 to 1; None of nothing."""
        return self.part / self.whole if self.whole else None

    @property
    def interval(self) -> Interval | None:
        """Wilson's, at 95 %; None of nothing."""
        return wilson(self.part, self.whole) if self.whole else None

    def __add__(self, other: "Share") -> "Share":
        return Share(self.part + other.part, self.whole + other.whole)


def wilson(part: int, whole: int) -> Interval:
    """The score interval at 95 % (Wilson 1927; without continuity correction) of `part` of `whole` > 0."""
    share, square = part / whole, Z * Z
    middle = share + square / (2 * whole)
    reach = Z * math.sqrt(share * (1 - share) / whole + square / (4 * whole * whole))
    scale = 1 + square / whole
    # Rounding may leave the ends outside by the last digit.
    return Interval(max((middle - reach) / scale, 0.0), min((middle + reach) / scale, 1.0))
