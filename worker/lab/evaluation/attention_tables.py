"""What was measured of attention maps, as figures with intervals."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from worker.forensics.agreement import TOLERANCES
from worker.forensics.randomised import Randomised
from worker.lab.evaluation.attention import OTHER_DTYPE, AttendedPicture, Placed
from worker.lab.evaluation.bootstrap import Places, Statistic, estimate
from worker.lab.evaluation.evaluation import Explained
from worker.lab.evaluation.figures import Estimate, Figures, Metric, Row, Table
from worker.moderation.outcomes import Stage

AGREEMENT = TOLERANCES["float32"]  # nats, whatever type is read in: the same bar for all rows
HEADLINE = (Metric.ATTENTION_RATIO, Metric.POINTING_GAME)
FINAL = "final verdict"


def explained_by_attention(pictures: Sequence[AttendedPicture]) -> Explained:
    """Figures and tables; without a rightly flagged picture whose regions are known, the ratio has no value."""
    counted = [one for one in pictures if one.verdicts.get(Stage.ZOOM) is not None]
    attention = _attention_table(counted, pictures)
    headline = attention.rows[0].figures if attention.rows else {}
    return Explained(
        figures={metric: headline.get(metric, Estimate(None)) for metric in HEADLINE},
        tables=(attention, _curve_table(counted), _agreement_table(pictures)),
    )


def _attention_table(counted: Sequence[AttendedPicture], every: Sequence[AttendedPicture]) -> Table:
    rows, left_out = [_placed_row(FINAL, counted, _verdict_of(Stage.ZOOM))] if counted else [], list[str]()
    scanned = [one for one in counted if one.verdicts.get(Stage.SCAN) is not None]
    rows += [_placed_row("the scan's own verdict", scanned, _verdict_of(Stage.SCAN))] if scanned else []
    for what in Randomised if counted else ():
        mapped = [one for one in counted if one.noise[what][0] is not None]
        correlation = {Metric.RANK_CORRELATION: _mean([one.noise[what][1] for one in mapped])}
        rows.append(_placed_row(f"{FINAL}, noise for {what}", mapped, _in_noise(what), correlation))
        if len(mapped) < len(counted):
            left_out.append(f"{len(counted) - len(mapped)} of {len(counted)} with noise for {what}")
    named = [one for one in every if one.named_ratio is not None]
    if named:
        figures = _estimated({Metric.NAMED_RATIO: _mean([one.named_ratio for one in named])}, named)
        rows.append(_row("all judged pictures, right or wrong", named, figures))
    note = (
        "Gradient-weighted attention (Chefer et al. 2021) of the verdict's token over the tokens of the whole image; crops are left out, "
        "since they show nothing but named regions. Generated pictures called so, against their true regions. Noise in place of weights is "
        "the sanity check of Adebayo et al. 2018: a map that survives it explains nothing, so its ratio must fall to 1."
    )
    if left_out:
        note += f" Left out, as no map came out: {', '.join(left_out)}. They neither pass the check nor fail it."
    return Table(key="attention", title="Attention", note=note, rows=tuple(rows))


def _verdict_of(stage: Stage) -> Callable[[AttendedPicture], Placed | None]:
    return lambda one: one.verdicts.get(stage)


def _in_noise(what: Randomised) -> Callable[[AttendedPicture], Placed | None]:
    return lambda one: one.noise[what][0]


def _curve_table(counted: Sequence[AttendedPicture]) -> Table:
    measured = [(one, one.curves) for one in counted if one.curves is not None]
    orders = {
        "most attended first": [(found.deletion.area, found.insertion.area) for _, found in measured],
        "in random order": [(found.random_deletion.area, found.random_insertion.area) for _, found in measured],
    }
    pictures = [one for one, _ in measured]
    rows = [
        _row(
            name,
            pictures,
            _estimated({Metric.DELETION_AREA: _mean([a for a, _ in areas]), Metric.INSERTION_AREA: _mean([b for _, b in areas])}, pictures),
        )
        for name, areas in orders.items()
        if areas
    ]
    note = "Petsiuk et al. 2018 (RISE), blurring tokens of the whole image and of the crops alike; raw P(generated)."
    return Table(key="attention_curves", title="Deletion and insertion", note=note, rows=tuple(rows))


def _agreement_table(pictures: Sequence[AttendedPicture]) -> Table:
    own = "as maps are drawn"
    sides = {own: [one.gap for one in pictures], f"read in {OTHER_DTYPE}": [one.gap_in_other for one in pictures]}
    drawn = [one.seconds for one in pictures if one.seconds is not None]
    rows = []
    for name, gaps in sides.items() if pictures else ():
        known = [gap for gap in gaps if not math.isnan(gap)]
        statistics = {Metric.LOGPROBS_AGREE: _mean([gap <= AGREEMENT for gap in gaps])}
        figures = {**_estimated(statistics, pictures), Metric.LOGPROB_GAP: Estimate(max(known, default=None))}
        if name == own and drawn:
            figures[Metric.SECONDS_PER_MAP] = Estimate(float(np.median(drawn)))
        rows.append(_row(name, pictures, figures))
    note = (
        "The checkpoint read by PyTorch against what the engine recorded, both stages; a map is refused where they are too far apart. What "
        "PyTorch does not read, as it is too long or has no verdict's token, does not agree and has no gap."
    )
    return Table(key="attention_agreement", title="Does PyTorch read the same?", note=note, rows=tuple(rows))


def _placed_row(
    name: str,
    pictures: Sequence[AttendedPicture],
    placed: Callable[[AttendedPicture], Placed | None],
    more: Mapping[Metric, Statistic] | None = None,
) -> Row:
    every = [found for found in map(placed, pictures) if found is not None]
    inside, chance, inner = (np.array([getattr(one, name) for one in every], np.float64) for name in ("inside", "chance", "placed"))
    statistics: dict[Metric, Statistic] = {
        Metric.ATTENTION_RATIO: lambda places: _ratio(inside, chance, places),
        Metric.ATTENTION_RATIO_PLACED: lambda places: _ratio(inside, inner, places),
        Metric.POINTING_GAME: _mean([one.points for one in every]),
        Metric.ATTENTION_MASS: _mean(list(inside)),
        Metric.ATTENTION_CHANCE: _mean(list(chance)),
        **(more or {}),
    }
    return _row(name, pictures, _estimated(statistics, pictures))


def _estimated(statistics: Mapping[Metric, Statistic], pictures: Sequence[AttendedPicture]) -> Figures:
    return estimate(statistics, np.array([one.judged.label.source for one in pictures], dtype=np.str_))


def _row(name: str, pictures: Sequence[AttendedPicture], figures: Figures) -> Row:
    return Row(name=name, pictures=len(pictures), sources=len({one.judged.label.source for one in pictures}), figures=figures)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64], places: Places) -> float:
    total = float(below[places].sum())
    return float(above[places].sum()) / total if total else np.nan


def _mean(values: Sequence[float | bool | None]) -> Statistic:
    """Of the values that there are."""
    known = np.array([np.nan if value is None else float(value) for value in values])

    def statistic(places: Places) -> float:
        chosen = known[places]
        chosen = chosen[~np.isnan(chosen)]
        return float(chosen.mean()) if len(chosen) else np.nan

    return statistic
