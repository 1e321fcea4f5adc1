"""Charts: where values are drawn, what is written, and that no text of anybody's becomes markup."""

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from xml.etree.ElementTree import Element, fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from api.review_page.charts.drawing import WIDTH
from api.review_page.charts.over_time import Series, TimeChart, columns, lines
from api.review_page.charts.rows import Estimate, Parts, RowChart, estimates, stacks
from api.review_page.charts.scales import Scale, Unit, labelled, marks

DAY = timedelta(days=1)
BEGIN = datetime(2026, 11, 2, tzinfo=UTC)
HOSTILE = "</title><script>alert(1)</script> \"'&"
ABOUT = RowChart(key="key", title="Title", description="Description")


def days(number: int) -> list[datetime]:
    return [BEGIN + day * DAY for day in range(number)]


def chart(*series: Series, unit: Unit = Unit.COUNT, moments: list[datetime] | None = None, title: str = "Title") -> TimeChart:
    moments = moments or days(len(series[0].values))
    return TimeChart(key="key", title=title, description="Description", moments=moments, series=series, unit=unit)


def read(markup: Markup) -> Element:
    return fromstring(markup)  # noqa: S314  our own


def is_mark(element: Element) -> bool:
    return "mark" in element.get("class", "").split()


def of_class(markup: Markup, kind: str) -> list[Element]:
    return [element for element in read(markup).iter() if kind in element.get("class", "").split()]


def numbers(path: str | None) -> list[float]:
    return [float(number) for number in re.findall(r"-?[\d.]+", path or "")]


@pytest.mark.parametrize(
    ("most", "unit", "expected"),
    [
        (0, Unit.COUNT, [0, 1, 2, 3, 4]),
        (3, Unit.COUNT, [0, 1, 2, 3, 4]),
        (7, Unit.COUNT, [0, 2, 4, 6, 8]),
        (1_234, Unit.SECONDS, [0, 500, 1_000, 1_500]),
        (0.76, Unit.SHARE, [0, 0.25, 0.5, 0.75, 1.0]),
        (0.37, Unit.SHARE, [0, 0.1, 0.2, 0.3, 0.4]),
        (0, Unit.SHARE, [0, 0.005, 0.01, 0.015, 0.02]),
    ],
)
def test_marks_are_round_and_reach_as_far_as_the_values(most: float, unit: Unit, expected: list[float]) -> None:
    found = marks(most, unit)
    assert found == pytest.approx(expected)


@given(st.floats(0, 1e9), st.sampled_from(Unit))
def test_marks_are_few_and_a_share_s_end_at_one(most: float, unit: Unit) -> None:
    found = marks(min(most, 1.0) if unit is Unit.SHARE else most, unit)
    assert 3 <= len(found) <= 6
    assert found[0] == 0
    assert found == sorted(found)
    assert unit is not Unit.SHARE or found[-1] <= 1


def test_a_time_axis_names_hours_weekdays_or_dates_and_never_more_than_fit() -> None:
    hours = [BEGIN + timedelta(hours=hour) for hour in range(24)]
    assert [label for _, label in labelled(hours)] == ["00:00", "04:00", "08:00", "12:00", "16:00", "20:00"]
    quarters = [BEGIN + timedelta(hours=6 * number) for number in range(28)]
    assert [label for _, label in labelled(quarters)] == ["Mon 2", "Tue 3", "Wed 4", "Thu 5", "Fri 6", "Sat 7", "Sun 8"]
    assert labelled(quarters)[1][0] == 4
    for number in (30, 90):
        found = labelled(days(number))
        assert 4 <= len(found) <= 8
        assert all(re.fullmatch(r"\d{1,2} [A-Z][a-z]{2}", label) for _, label in found)


def test_a_scale_keeps_what_lies_outside_at_its_ends() -> None:
    scale = Scale(0, 10, 100, 0)
    assert [scale.at(value) for value in (-1, 0, 5, 10, 11)] == [100, 100, 50, 0, 0]


def test_a_line_breaks_where_a_value_is_missing() -> None:
    drawn = lines(chart(Series("a", [1, 2, None, None, 4])))
    first, second = of_class(drawn, "line")
    assert len(numbers(first.get("d"))) == 4
    assert len(numbers(second.get("d"))) == 2
    assert len(of_class(drawn, "mark")) == 3  # a value between two gaps is seen by its mark alone


def test_a_band_goes_up_along_the_high_ends_and_back_along_the_low_ones() -> None:
    drawn = lines(chart(Series("a", [0.5, 0.5], [(0.25, 0.75), (0.0, 1.0)]), unit=Unit.SHARE))
    (band,) = of_class(drawn, "band")
    _, high, _, top, _, bottom, _, low = numbers(band.get("d"))
    assert top < high < low < bottom  # pixels go down


def test_columns_stand_on_the_axis_and_the_last_step_is_an_outline() -> None:
    drawn = columns(chart(Series("a", [1, 0, 4]), Series("b", [2, 2, 2])))
    bars = [bar for bar in of_class(drawn, "bar") if bar.get("height") != "11"]
    assert len(bars) == 5  # nothing is drawn for zero
    ends = {float(bar.get("y", "")) + float(bar.get("height", "")) for bar in bars}
    assert max(ends) - min(ends) < 0.2
    assert [bar.get("class") for bar in bars if "running" in bar.get("class", "")] == ["bar s0 running", "bar s1 running"]


def test_every_step_says_its_values_when_it_is_pointed_at() -> None:
    drawn = columns(chart(Series("made", [1, 1_234]), Series("finished", [0, 0])))
    told = [element.findtext("title") for element in of_class(drawn, "point-at")]
    assert told[1] == "Tue 3 Nov 2026 UTC\nmade: 1,234\nfinished: 0"
    gap = lines(chart(Series("share", [None, 0.125], [None, (0.1, 0.2)]), unit=Unit.SHARE))
    assert [element.findtext("title", "").splitlines()[1] for element in of_class(gap, "point-at")] == [
        "share: –",
        "share: 12% (10% to 20%)",
    ]


def test_series_differ_by_more_than_colour() -> None:
    drawn = lines(chart(*(Series(f"release-{number}", [number, number]) for number in range(6))))
    assert not of_class(drawn, "s4")  # more than can be told apart: the table has them
    shapes = [{(mark.tag, mark.get("d", "").count("L")) for mark in of_class(drawn, f"s{number}") if is_mark(mark)} for number in range(4)]
    assert all(len(one) == 1 for one in shapes)
    assert len(set.union(*shapes)) == 4


def test_an_estimate_is_a_dot_within_its_interval_and_nothing_is_said_in_words() -> None:
    drawn = estimates(ABOUT, [Estimate("a", 0.5, 0.4, 0.6, "n = 9"), Estimate("b", None, None, None, "n = 0")])
    (dot,) = of_class(drawn, "mark")
    low, _, high, _ = numbers(of_class(drawn, "whisker")[0].get("d"))
    assert low < float(dot.get("cx", "")) < high
    assert [element.text for element in of_class(drawn, "quiet")] == ["nothing to tell from"]
    assert [element.text for element in of_class(drawn, "note")] == ["n = 9", "n = 0"]


def test_coefficients_have_their_zero_in_the_middle() -> None:
    drawn = estimates(ABOUT, [Estimate("a", 0.0, None, None, "")], unit=Unit.COUNT, lowest=-1)
    (dot,), (zero,) = of_class(drawn, "mark"), of_class(drawn, "axis")
    assert float(dot.get("cx", "")) == numbers(zero.get("d"))[0]


def test_parts_follow_each_other_and_say_their_numbers_where_they_have_room() -> None:
    drawn = stacks(ABOUT, [Parts("default", [50, 0, 49, 1], "2 overdue")], ["a", "b", "c", "d"])
    bars = [part for part in of_class(drawn, "part") if part.get("height") != "11"]
    edges = [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in bars]
    assert all(a[0] + a[1] == pytest.approx(b[0], abs=0.2) for a, b in pairwise(edges))
    assert [element.text for element in of_class(drawn, "inside")] == ["50", "49"]


@pytest.mark.parametrize(
    "drawn",
    [
        lines(chart(Series(HOSTILE, [1, 2]), Series("b", [1, 2]), title=HOSTILE)),
        columns(chart(Series(HOSTILE, [1, 2]), Series("b", [1, 2]), title=HOSTILE)),
        estimates(RowChart(key="key", title=HOSTILE, description=HOSTILE), [Estimate(HOSTILE, 0.5, 0.4, 0.6, HOSTILE)]),
        stacks(RowChart(key="key", title=HOSTILE, description=HOSTILE), [Parts(HOSTILE, [1, 2], HOSTILE)], [HOSTILE, "b"]),
    ],
)
def test_texts_are_escaped_and_a_chart_has_a_title_and_a_description(drawn: Markup) -> None:
    root = read(drawn)
    assert {element.tag for element in root.iter()} <= {"svg", "title", "desc", "path", "rect", "circle", "text"}
    assert not [element for element in root.iter() if "style" in element.attrib]
    assert root.get("role") == "img"
    named = [element.get("id") for element in root if element.tag in {"title", "desc"}]
    assert root.get("aria-labelledby", "").split() == named == ["key-title", "key-desc"]


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e7)), min_size=2, max_size=90))
def test_whatever_the_values_a_chart_stays_on_its_sheet(values: list[float | None]) -> None:
    for drawn in (lines(chart(Series("a", values))), columns(chart(Series("a", values)))):
        height = float(read(drawn).get("viewBox", "").split()[3])
        for element in read(drawn).iter():
            places = numbers(element.get("d"))
            assert all(0 <= x <= WIDTH for x in places[::2])
            assert all(0 <= y <= height for y in places[1::2])
