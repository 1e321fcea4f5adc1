"""Charts of rows: a name, a mark or a bar, and a note; as long as there are rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from api.review_page.charts.drawing import LETTER, LINE, WIDTH, Frame, Sheet, legend, legend_height, path
from api.review_page.charts.scales import Scale, Unit, marks

ROW = 28  # height
NAME = 190  # width of names
LETTERS = 25  # that fit into it
HEAD = 12  # of them kept at the beginning of one that is too long: releases differ at their ends
NOTE = 116  # width of notes
ROOM = 16  # that a number needs beside its own letters, to stand inside a bar


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value between `low` and `high`, None where there is nothing to estimate from; `note` says what it rests on."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    note: str


@dataclass(frozen=True, slots=True)
class Parts:
    """Counts that add up, in an order that means something."""

    name: str
    counts: Sequence[int]
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChart:
    """What a chart of rows is about."""

    key: str
    title: str
    description: str


def estimates(chart: RowChart, rows: Sequence[Estimate], *, unit: Unit = Unit.SHARE, lowest: float = 0.0) -> Markup:
    """A dot for each value and a line for how far it may be off, on one scale from `lowest` to 1, or less where all lie far below."""
    most = max((row.high if row.high is not None else row.value or 0.0 for row in rows), default=1.0)
    axis = marks(most, unit) if lowest == 0 else [lowest, lowest / 2, 0, 0.5, 1]
    frame = Frame(NAME, 4, WIDTH - NOTE, 4 + ROW * len(rows))
    sheet = Sheet(chart.key, chart.title, chart.description, frame.bottom + LINE + 6)
    x = Scale(axis[0], axis[-1], frame.left, frame.right)
    for mark in axis:
        sheet.draw("path", "axis" if mark == 0 else "grid", d=path([(x.at(mark), frame.top), (x.at(mark), frame.bottom)]))
        sheet.write(unit.written(mark) if unit is Unit.SHARE else f"{mark:g}".replace("-", "−"), "below", x.at(mark), frame.bottom + LINE)
    for number, row in enumerate(rows):
        y = frame.top + ROW * (number + 0.5)
        told = _name(sheet, row.name, row.note, y)
        if row.value is None:
            sheet.write("nothing to tell from", "quiet", frame.left + 8, y + 4)
            continue
        written = unit.written(row.value) if unit is Unit.SHARE else f"{row.value:.2f}"
        if row.low is not None and row.high is not None:
            sheet.draw("path", "whisker", d=path([(x.at(row.low), y), (x.at(row.high), y)]))
            for end in (row.low, row.high):
                sheet.draw("path", "whisker", d=path([(x.at(end), y - 5), (x.at(end), y + 5)]))
            told += f", {unit.written(row.low)} to {unit.written(row.high)}"
        sheet.draw("circle", "mark s0", cx=x.at(row.value), cy=y, r=5)
        sheet.draw("rect", "point-at", told=f"{told}: {written}", x=frame.left, y=y - ROW / 2, width=frame.right - frame.left, height=ROW)
    return sheet.markup()


def stacks(chart: RowChart, rows: Sequence[Parts], names: Sequence[str]) -> Markup:
    """A bar for each row, of parts one behind the other, each with its number where it has room. `names` are the parts'."""
    named = names if len(names) > 1 else []
    top = legend_height(named) + 6
    frame = Frame(NAME, top, WIDTH - NOTE, top + ROW * len(rows))
    sheet = Sheet(chart.key, chart.title, chart.description, frame.bottom + 4)
    legend(sheet, named, swatch=f"part of-{len(names)}")
    x = Scale(0, max((sum(row.counts) for row in rows), default=0) or 1, frame.left, frame.right)
    sheet.draw("path", "axis", d=path([(frame.left, frame.top), (frame.left, frame.bottom)]))
    for number, row in enumerate(rows):
        y = frame.top + ROW * number
        _name(sheet, row.name, row.note, y + ROW / 2)
        begin = 0
        for part, (count, name) in enumerate(zip(row.counts, names, strict=True)):
            left, right = x.at(begin), x.at(begin + count)
            begin += count
            if not count:
                continue
            kind, told = f"part of-{len(names)} s{part}", f"{row.name}, {name}: {count:,}"
            sheet.draw("rect", kind, told=told, x=left, y=y + 4, width=max(right - left, 1), height=ROW - 8)
            if right - left >= len(f"{count:,}") * LETTER + ROOM:
                sheet.write(f"{count:,}", f"inside of-{len(names)} s{part}", (left + right) / 2, y + ROW / 2 + 4, told=told)
    return sheet.markup()


def _name(sheet: Sheet, name: str, note: str, y: float) -> str:
    """The row's name and note: what is said of it."""
    short = name if len(name) <= LETTERS else f"{name[:HEAD]}…{name[HEAD + 1 - LETTERS :]}"
    sheet.write(short, "at-left", NAME - 10, y + 4, told=name if short != name else "")
    sheet.write(note, "note", WIDTH - NOTE + 14, y + 4)
    return f"{name}, {note}"
