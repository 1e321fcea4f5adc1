"""Charts over time: lines, where a value goes on from one step to the next, and columns, where each step has its own."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from markupsafe import Markup

from api.review_page.charts.drawing import SERIES, WIDTH, Frame, Sheet, legend, legend_height, marker, path
from api.review_page.charts.scales import Scale, Unit, labelled, marks, said

Value = TypeVar("Value")
PLOT = 170  # height of where values are drawn
BELOW = 24  # for the time axis
MARKED = 32  # steps up to which each value has a mark; of more, the line alone is seen


@dataclass(frozen=True, slots=True)
class Series:
    """A value for each step, None where there is none; with `bounds`, how far each may be off."""

    name: str
    values: Sequence[float | None]
    bounds: Sequence[tuple[float, float] | None] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeChart:
    """What a chart over time shows. `moments` are its steps' beginnings, at equal distances; of more than SERIES series, the first."""

    key: str
    title: str
    description: str
    moments: Sequence[datetime]
    series: Sequence[Series]
    unit: Unit = Unit.COUNT

    @property
    def step(self) -> timedelta:
        """From one moment to the next."""
        return self.moments[1] - self.moments[0]


def lines(chart: TimeChart) -> Markup:
    """A line for each series, broken where a value is missing, with a band for its bounds."""
    shown = chart.series[:SERIES]
    tops = [bound[1] for one in shown for bound in one.bounds if bound is not None]
    sheet, frame, y = _begin(chart, shown, tops, swatch="")
    x = Scale(0, len(chart.moments), frame.left, frame.right)
    _columns_to_point_at(sheet, chart, shown, frame)
    for number, one in enumerate(shown):
        for bounds in _runs(one.bounds):
            upper = [(x.at(step + 0.5), y.at(high)) for step, (_, high) in bounds]
            lower = [(x.at(step + 0.5), y.at(low)) for step, (low, _) in reversed(bounds)]
            sheet.draw("path", f"band s{number}", d=path([*upper, *lower]) + "Z")
    for number, one in enumerate(shown):
        for run in _runs(one.values):
            points = [(x.at(step + 0.5), y.at(value)) for step, value in run]
            sheet.draw("path", f"line s{number}", d=path(points))
            for point in points if len(chart.moments) <= MARKED or len(points) == 1 else points[-1:]:
                marker(sheet, number, *point)
    return sheet.markup()


def columns(chart: TimeChart) -> Markup:
    """Columns side by side for each step; the last step's, which still runs, are outlines."""
    shown = chart.series[:SERIES]
    sheet, frame, y = _begin(chart, shown, (), swatch="bar")
    x = Scale(0, len(chart.moments), frame.left, frame.right)
    wide = (x.at(1) - x.at(0)) * 0.8 / len(shown)
    for number, one in enumerate(shown):
        for step, value in enumerate(one.values):
            if value:
                left = x.at(step + 0.1) + number * wide
                kind = f"bar s{number}" + (" running" if step == len(chart.moments) - 1 else "")
                sheet.draw("rect", kind, x=left, y=y.at(value), width=max(wide - 0.6, 0.8), height=y.at(0) - y.at(value))
    _columns_to_point_at(sheet, chart, shown, frame)
    return sheet.markup()


def _begin(chart: TimeChart, shown: Sequence[Series], tops: Sequence[float], *, swatch: str) -> tuple[Sheet, Frame, Scale]:
    """A sheet with both axes and, for more than one series, their names."""
    values = [value for one in shown for value in one.values if value is not None]
    axis = marks(max([*values, *tops], default=0), chart.unit)
    names = [one.name for one in shown] if len(shown) > 1 else []
    top = legend_height(names) + 10
    widest = max(len(chart.unit.written(mark)) for mark in axis)
    frame = Frame(10 + widest * 7, top, WIDTH - 8, top + PLOT)
    sheet = Sheet(chart.key, chart.title, chart.description, frame.bottom + BELOW)
    legend(sheet, names, swatch=swatch)
    y = Scale(0, axis[-1], frame.bottom, frame.top)
    for mark in axis:
        sheet.draw("path", "grid" if mark else "axis", d=path([(frame.left, y.at(mark)), (frame.right, y.at(mark))]))
        sheet.write(chart.unit.written(mark), "at-left", frame.left - 6, y.at(mark) + 4)
    x = Scale(0, len(chart.moments), frame.left, frame.right)
    for step, label in labelled(chart.moments):
        sheet.draw("path", "axis", d=path([(x.at(step), frame.bottom), (x.at(step), frame.bottom + 4)]))
        sheet.write(label, "below", min(x.at(step), frame.right - 16), frame.bottom + 18)
    return sheet, frame, y


def _columns_to_point_at(sheet: Sheet, chart: TimeChart, shown: Sequence[Series], frame: Frame) -> None:
    """The whole height of each step says what its values are."""
    x = Scale(0, len(chart.moments), frame.left, frame.right)
    for step, at in enumerate(chart.moments):
        values = [_told(chart.unit, one, step) for one in shown]
        sheet.draw(
            "rect",
            "point-at",
            told="\n".join([f"{said(at, chart.step)} UTC", *values]),
            x=x.at(step),
            y=frame.top,
            width=x.at(step + 1) - x.at(step),
            height=frame.bottom - frame.top,
        )


def _told(unit: Unit, series: Series, step: int) -> str:
    value = series.values[step]
    bound = series.bounds[step] if series.bounds else None
    between = f" ({unit.written(bound[0])} to {unit.written(bound[1])})" if bound is not None else ""
    return f"{series.name}: {'–' if value is None else unit.written(value)}{between}"


def _runs(values: Sequence[Value | None]) -> Iterator[list[tuple[int, Value]]]:
    """Stretches of steps that have a value."""
    run: list[tuple[int, Value]] = []
    for step, value in enumerate(values):
        if value is not None:
            run.append((step, value))
        elif run:
            yield run
            run = []
    if run:
        yield run
