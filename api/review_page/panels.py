"""What a dashboard is made of: tiles with one number, and panels with a chart and the table that says the same."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Tile:
    """A number at a glance, and what it rests on. `panel` has more; `tone` is a class of colours: bad, warn, ok or nothing."""

    panel: str
    label: str
    value: str
    note: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The same as the chart, for whoever wants the numbers; the first column names its row."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A chart with its table, under a title. Without a chart, `empty` says why there is none and what to do."""

    key: str
    title: str
    says: str  # in a sentence, what the numbers say
    note: str = ""  # how to read them
    chart: Markup | None = None
    table: Table | None = None
    empty: str = ""
