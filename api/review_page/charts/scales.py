"""From values to pixels, and which of them are written at an axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

STEPS = (1, 2, 5, 10)  # of a power of ten: what people count in
INTERVALS = 4  # between the marks of a value axis, about
QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
LEAST_SHARE = 0.02  # at the top of an axis: smaller ones are all but nothing
MIDNIGHT = datetime(2000, 1, 1, tzinfo=UTC)
LABELLED = (timedelta(hours=4), timedelta(days=1), timedelta(days=5), timedelta(days=15))
MOST_LABELS = 8  # of a time axis: more run into each other


class Unit(Enum):
    """What values are, and so how they are written."""

    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"  # 0 to 1, written in percent

    def written(self, value: float) -> str:
        """The value as people read it."""
        match self:
            case Unit.COUNT:
                return f"{value:,.0f}"
            case Unit.SECONDS:
                return f"{value:,.0f} s"
            case Unit.SHARE:
                return f"{value:.1%}" if 0 < value < 0.1 else f"{value:.0%}"  # below 10 %, tenths tell something


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from the values `low` to `high` to the pixels `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """The pixel of a value; of values outside, the nearer end."""
        inside = min(max(value, self.low), self.high)
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def marks(most: float, unit: Unit) -> list[float]:
    """Round values from 0 to at least `most`; whole ones but for shares, which end at 1."""
    if unit is Unit.SHARE and most > QUARTERS[-2]:
        return [*QUARTERS]
    most = max(most, LEAST_SHARE if unit is Unit.SHARE else INTERVALS)
    power = 10.0 ** math.floor(math.log10(most / INTERVALS))
    step = next(factor * power for factor in STEPS if factor * power >= most / INTERVALS * (1 - 1e-9))
    return [count * step for count in range(math.ceil(most / step - 1e-9) + 1)]


def labelled(moments: Sequence[datetime]) -> list[tuple[int, str]]:
    """Which moments of a time axis are written, and how: the time of the day, the day of the week, or the date; UTC."""
    span = moments[-1] - moments[0]
    every = next((every for every in LABELLED if span / every < MOST_LABELS), LABELLED[-1])
    form = "%H:%M" if every < timedelta(days=1) else "%a %-d" if every == timedelta(days=1) else "%-d %b"
    return [(number, at.strftime(form)) for number, at in enumerate(moments) if not (at - MIDNIGHT) % every]


def said(at: datetime, step: timedelta) -> str:
    """A step in words, UTC."""
    return f"{at:%a %-d %b %Y}" if step >= timedelta(days=1) else f"{at:%a %-d %b, %H:%M}"
