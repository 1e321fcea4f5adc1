"""Plots as SVG: small, sharp at any size, and the same from the same figures."""

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.metrics import roc_curve

from worker.lab.evaluation.figures import Estimate, Metric, Row
from worker.lab.evaluation.localisation import Histogram
from worker.lab.evaluation.metrics import reliability_bins
from worker.lab.evaluation.scoring import Scores

BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#8a8f98"  # Okabe and Ito's: told apart by colour-blind eyes
LINES = (BLUE, ORANGE, GREEN, "#cc79a7")
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "svg.fonttype": "none",  # the browser's letters: small, sharp, and found by a search
    "svg.hashsalt": "zoomin",  # the same picture gives the same file
    "text.parse_math": False,  # names of generators and folders are not formulas
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
}
SQUARE = (3.8, 3.6)  # inches; three side by side
SCORE_BINS = 20
CHANCE = 0.5  # AUROC of a coin


def roc_plot(curves: Mapping[str, Scores]) -> str:
    """ROC curves by name, each with both classes."""

    def draw(axes: Axes) -> None:
        for colour, (name, scores) in zip(LINES, curves.items(), strict=False):
            axes.plot(*roc_curve(scores.generated, scores.p)[:2], color=colour, label=name, lw=1.8)
        _diagonal(axes)
        axes.set(xlabel="real pictures called generated", ylabel="generated pictures found", xlim=(0, 1), ylim=(0, 1.005))
        axes.legend(frameon=False, loc="lower right")

    return _svg(draw, *SQUARE)


def reliability_plot(curves: Mapping[str, Scores]) -> str:
    """Share of generated pictures against the mean score, bin by bin."""

    def draw(axes: Axes) -> None:
        for colour, (name, scores) in zip(LINES, curves.items(), strict=False):
            bins = reliability_bins(scores)
            axes.plot(
                [p.mean() for p, _ in bins], [true.mean() for _, true in bins], "o-", color=colour, label=name, lw=1.4, ms=4, clip_on=False
            )
        _diagonal(axes)
        axes.set(xlabel="mean P(generated) of a bin", ylabel="share that is generated", xlim=(0, 1), ylim=(0, 1))
        axes.legend(loc="upper left", framealpha=0.85, edgecolor="none")

    return _svg(draw, *SQUARE)


def score_plot(kinds: Mapping[str, NDArray[np.float64]]) -> str:
    """How each kind of picture scores: shares, so that kinds of unequal number compare."""

    def draw(axes: Axes) -> None:
        for colour, (name, p) in zip((GREEN, GREY, ORANGE), kinds.items(), strict=False):
            shares = np.histogram(p, SCORE_BINS, (0, 1))[0] / len(p)
            axes.stairs(shares, np.linspace(0, 1, SCORE_BINS + 1), fill=True, fc=to_rgba(colour, 0.18), ec=colour, lw=1.6, label=name)
        axes.set(xlabel="P(generated)", ylabel="share of the pictures", xlim=(0, 1))
        axes.legend(frameon=False)

    return _svg(draw, *SQUARE)


def forest_plot(rows: Sequence[Row], metric: Metric, baselines: Sequence[Row] = ()) -> str:
    """One metric of each row with its interval, from top to bottom; `baselines` grey below."""
    drawn = [(row, BLUE) for row in rows] + [(row, GREY) for row in baselines]

    def draw(axes: Axes) -> None:
        for place, (row, colour) in enumerate(drawn):
            estimate = row.figures.get(metric, Estimate(None))
            if estimate.value is not None:
                axes.errorbar(estimate.value, -place, xerr=_errors([estimate]), fmt="o", color=colour, capsize=3, ms=5)
        if metric is Metric.AUROC:
            axes.axvline(CHANCE, color=GREY, lw=0.8, ls=":")
        axes.set_yticks([-place for place in range(len(drawn))], [row.name for row, _ in drawn])
        axes.set_ylim(-len(drawn) + 0.5, 0.5)
        axes.set_xlim(right=1.01)

    return _svg(draw, 7.6, 0.8 + 0.32 * len(drawn))


def bar_plot(rows: Sequence[Row], metric: Metric) -> str:
    """One metric of each row with its interval, as bars; the first row, which the others are read against, as a line too."""
    values = [row.figures[metric] for row in rows]

    def draw(axes: Axes) -> None:
        heights = [value.value if value.value is not None else np.nan for value in values]
        colours = [GREEN, *[BLUE] * (len(rows) - 1)]
        axes.bar(range(len(rows)), heights, yerr=_errors(values), color=colours, width=0.7, capsize=2, error_kw={"lw": 0.9})
        axes.axhline(heights[0], color=GREEN, lw=0.8, ls="--")
        if metric is Metric.AUROC:
            axes.axhline(CHANCE, color=GREY, lw=0.8, ls=":")
        axes.set_xticks(range(len(rows)), [row.name for row in rows], rotation=50, ha="right", rotation_mode="anchor")
        axes.set(ylim=(0, 1), xlim=(-0.6, len(rows) - 0.4))

    return _svg(draw, 9.6, 3.8)


def histogram_plot(histogram: Histogram) -> str:
    """True and found boxes side by side."""

    def draw(axes: Axes) -> None:
        places = np.arange(len(histogram.bins))
        axes.bar(places - 0.2, histogram.true, 0.38, color=GREEN, label="true")
        axes.bar(places + 0.2, histogram.found, 0.38, color=ORANGE, label="found")
        axes.set_xticks(places, histogram.bins)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set_xlabel(histogram.title)
        axes.legend(frameon=False)

    return _svg(draw, 5.8, 3.0)


def _diagonal(axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, lw=0.8, ls=":")


def _errors(estimates: Sequence[Estimate]) -> NDArray[np.float64]:
    """Distances down and up to the intervals' ends, as matplotlib wants them; NaN, and not drawn, where there is none."""
    pairs = [_distances(estimate) for estimate in estimates]
    return np.array(pairs, dtype=np.float64).T


def _distances(estimate: Estimate) -> tuple[float, float]:
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return np.nan, np.nan
    return max(estimate.value - estimate.low, 0.0), max(estimate.high - estimate.value, 0.0)


def _svg(draw: Callable[[Axes], None], width: float, height: float) -> str:
    with rc_context(STYLE):
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.subplots())
        out = io.StringIO()
        figure.savefig(out, format="svg", transparent=True, metadata={"Date": None})
    return out.getvalue()
