"""How the rewards of a training went: each part, and how far the policy has gone."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from worker.exports.whole_files import write_whole
from worker.lab.training.grpo import GrpoProgress
from worker.lab.training.plots import COLOURS, DPI, GREY, PANEL, STYLE
from worker.lab.training.rewards import Part

MEANS = 20  # a mean is taken over this part of all steps: a single step is a handful of replies


def plot_rewards(steps: Sequence[GrpoProgress], file: Path) -> None:
    """Draws `steps` into the PNG `file`, which appears whole or not at all. Raises OSError."""
    with rc_context(STYLE):
        figure = Figure(figsize=(2 * PANEL[0], PANEL[1]), layout="constrained")
        left, right = figure.subplots(1, 2)
        for colour, part in zip(COLOURS, Part, strict=True):
            earned = [(step.step, step.rewards[part]) for step in steps if part in step.rewards]
            _draw(left, earned, colour, part.value)
        _draw(right, [(step.step, step.divergence) for step in steps], GREY, "KL divergence")
        left.set(title="rewards", xlabel="step", ylabel="mean of a step's replies", ylim=(-0.02, 1.02))
        right.set(title="distance from the checkpoint it began with", xlabel="step", ylabel="nats a token")
        right.set_ylim(bottom=0)
        left.legend(frameon=False, ncols=2)
        body = io.BytesIO()
        figure.savefig(body, format="png", dpi=DPI)
    write_whole(file, body.getvalue())


def _draw(axes: Axes, points: Sequence[tuple[int, float]], colour: str, label: str) -> None:
    """Each step faintly, and a running mean."""
    if not points:
        return
    steps, values = (np.asarray(each) for each in zip(*points, strict=True))
    window = max(1, len(values) // MEANS)
    means = np.convolve(values, np.full(window, 1 / window), mode="valid")
    axes.plot(steps, values, ".", color=colour, alpha=0.25, ms=4)
    axes.plot(steps[window - 1 :], means, color=colour, lw=1.6, label=label)
