"""How far reviewers agree, as a panel. Pure."""

from collections.abc import Mapping, Sequence

from api.review_page.charts.rows import Estimate, RowChart, estimates
from api.review_page.charts.scales import Unit
from api.review_page.panels import Panel, Table
from api.review_page.rendering import person
from api.review_page.wording import coefficient, percent, plural, reliability
from worker.moderation.agreement import Agreement
from worker.store.review_figures.reading import ReviewFigures

MOST_PAIRS = 10  # of the chart; its table has the rest
NO_TASKS = "No task has two blind answers in this time. Give a queue two reviewers per task, and agreement is measured from then on."


def agreement_panel(figures: ReviewFigures, names: Mapping[str, str]) -> Panel:
    """Of all reviewers, and of each pair where the visitor may see them; one chart, since both are read on one scale."""
    alpha = figures.agreement.alpha
    says = (
        f"Krippendorff's α is {coefficient(alpha)} over {plural(alpha.units, 'task')}: {reliability(alpha)}. "
        f"{percent(alpha.observed)} of answers to the same task are the same."
    )
    named: Sequence[tuple[str, Agreement]] = [
        ("All reviewers (α)", alpha),
        *((f"{_short(names, pair.one)} · {_short(names, pair.other)}", pair.kappa) for pair in figures.agreement.pairs),
    ]
    rows = [Estimate(name, one.coefficient, None, None, f"n = {one.units:,}") for name, one in named[: MOST_PAIRS + 1]]
    chart = RowChart(key="agreement", title="Agreement of reviewers", description=says)
    return Panel(
        key="agreement",
        title="Agreement",
        says=says if alpha.units else "",
        note="1: all agree; 0: as chance would. Blind answers alone; unsure is an answer. Pairs (Cohen's κ) are shown to leads.",
        chart=estimates(chart, rows, unit=Unit.COUNT, lowest=-1) if alpha.units else None,
        table=Table(
            ("Who", "Coefficient", "The same", "Tasks"),
            [[name, coefficient(one), percent(one.observed), f"{one.units:,}"] for name, one in named],
        ),
        empty=NO_TASKS,
    )


def _short(names: Mapping[str, str], actor: str) -> str:
    """A first name where it is known: two of them stand side by side."""
    return names[actor].split(" ")[0] if actor in names else person(actor)
