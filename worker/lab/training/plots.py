"""How the losses of a training went, one panel a stage."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from worker.exports.whole_files import write_whole
from worker.lab.training.step_log import read_steps

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # Okabe and Ito's: told apart by colour-blind eyes
GREY = "#8a8f98"
STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
}
PANEL = (5.2, 3.4)  # inches
DPI = 120
OTHER_FIELDS = ("step", "learning_rate")
LEGEND_COLUMNS = 2


def read_losses(log: Path) -> dict[str, list[tuple[int, float]]]:
    """(step, mean loss) of each part, by name. A step that was repeated after an interruption counts as it went last."""
    by_step = {line["step"]: line for line in read_steps(log)}
    series: dict[str, list[tuple[int, float]]] = {}
    for step in sorted(by_step):
        for name, loss in by_step[step].items():
            if name not in OTHER_FIELDS:
                series.setdefault(name, []).append((step, loss))
    return series


def plot_losses(stages: Mapping[str, Path], file: Path) -> None:
    """Draws the logs of `stages`, by name in their order, into the PNG `file`, which appears whole or not at all. Raises OSError."""
    with rc_context(STYLE):
        figure = Figure(figsize=(PANEL[0] * len(stages), PANEL[1]), layout="constrained")
        panels = figure.subplots(1, len(stages), squeeze=False)[0]
        for axes, (name, log) in zip(panels, stages.items(), strict=True):
            _draw(axes, name, read_losses(log))
        body = io.BytesIO()
        figure.savefig(body, format="png", dpi=DPI)
    write_whole(file, body.getvalue())


def _draw(axes: Axes, name: str, series: Mapping[str, Sequence[tuple[int, float]]]) -> None:
    lines = {**series, "sum": _sums(series.values())} if len(series) > 1 else series
    for colour, (part, points) in zip((*COLOURS[: len(series)], GREY), lines.items(), strict=False):
        steps, losses = zip(*points, strict=True)
        axes.plot(steps, losses, color=colour, lw=1.4, label=part, marker="." if len(points) == 1 else None)
    axes.set(title=name, xlabel="step", ylabel="loss, mean since the last report")
    axes.set_ylim(bottom=0)
    if lines:
        axes.legend(frameon=False, ncols=LEGEND_COLUMNS, loc="best")
    axes.grid(visible=True, axis="y", color=GREY, alpha=0.25, lw=0.6)


def _sums(series: Iterable[Sequence[tuple[int, float]]]) -> list[tuple[int, float]]:
    return [(points[0][0], sum(loss for _, loss in points)) for points in zip(*series, strict=True)]
