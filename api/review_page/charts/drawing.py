"""A sheet of SVG, and what all charts have on it: title and description, marks, a legend. The library that writes texts escapes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from markupsafe import Markup

WIDTH = 640  # of every chart, in its own units: about a pixel each where two stand side by side
LINE = 18  # height of a line of text
LETTER = 6.6  # width of a letter of it, about
SERIES = 4  # told apart by colour, marker, dash and hatching; more become a table's


@dataclass(frozen=True, slots=True)
class Frame:
    """Where values are drawn on a sheet."""

    left: float
    top: float
    right: float
    bottom: float


class Sheet:
    """An SVG that grows by elements."""

    def __init__(self, key: str, title: str, description: str, height: float) -> None:
        """`key` is the chart's own on its page."""
        self._root = Element(
            "svg",
            {
                "class": "chart",
                "viewBox": f"0 0 {WIDTH} {number(height)}",
                "role": "img",
                "aria-labelledby": f"{key}-title {key}-desc",
            },
        )
        SubElement(self._root, "title", {"id": f"{key}-title"}).text = title
        SubElement(self._root, "desc", {"id": f"{key}-desc"}).text = description

    def draw(self, tag: str, kind: str, *, told: str = "", **attributes: float | str) -> None:
        """An element of a class; `told` is said when it is pointed at."""
        element = SubElement(self._root, tag, _attributes(kind, attributes))
        if told:
            SubElement(element, "title").text = told

    def write(self, text: str, kind: str, x: float, y: float, *, told: str = "") -> None:
        """A text."""
        element = SubElement(self._root, "text", _attributes(kind, {"x": x, "y": y}))
        element.text = text
        if told:
            SubElement(element, "title").text = told

    def markup(self) -> Markup:
        """The whole, for a page."""
        return Markup(tostring(self._root, encoding="unicode"))  # noqa: S704  escaped by ElementTree


def number(value: float) -> str:
    """A coordinate: a tenth of a unit is finer than anybody sees."""
    return f"{value:.1f}".rstrip("0").rstrip(".")


def path(points: Sequence[tuple[float, float]]) -> str:
    """The `d` of a line through points."""
    return "M" + "L".join(f"{number(x)},{number(y)}" for x, y in points)


def marker(sheet: Sheet, series: int, x: float, y: float) -> None:
    """The mark of a series: dot, square, triangle, diamond."""
    match series % SERIES:
        case 0:
            sheet.draw("circle", f"mark s{series}", cx=x, cy=y, r=3.2)
        case 1:
            sheet.draw("rect", f"mark s{series}", x=x - 3, y=y - 3, width=6, height=6)
        case 2:
            sheet.draw("path", f"mark s{series}", d=path([(x, y - 4), (x + 4, y + 3), (x - 4, y + 3)]) + "Z")
        case _:
            sheet.draw("path", f"mark s{series}", d=path([(x, y - 4.5), (x + 4.5, y), (x, y + 4.5), (x - 4.5, y)]) + "Z")


def legend(sheet: Sheet, names: Sequence[str], *, swatch: str) -> None:
    """The names of series, in lines from the top; see `legend_height`. `swatch`: a class that makes bars, or none for lines."""
    for series, ((x, y), name) in enumerate(zip(_places(names), names, strict=True)):
        if swatch:
            sheet.draw("rect", f"{swatch} s{series}", x=x, y=y - 10, width=18, height=11)
        else:
            sheet.draw("path", f"line s{series}", d=path([(x, y - 4), (x + 18, y - 4)]))
            marker(sheet, series, x + 9, y - 4)
        sheet.write(name, "legend", x + 24, y)


def legend_height(names: Sequence[str]) -> float:
    """What `legend` needs at the top."""
    return _places(names)[-1][1] + 6 if names else 0


def _places(names: Sequence[str]) -> list[tuple[float, float]]:
    places: list[tuple[float, float]] = []
    x, y = 0.0, float(LINE - 4)
    for name in names:
        width = 24 + len(name) * LETTER + 20
        if places and x + width > WIDTH:
            x, y = 0.0, y + LINE
        places.append((x, y))
        x += width
    return places


def _attributes(kind: str, attributes: dict[str, float | str]) -> dict[str, str]:
    written = {name: value if isinstance(value, str) else number(value) for name, value in attributes.items()}
    return {"class": kind, **written}
