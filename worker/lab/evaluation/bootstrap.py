"""Intervals by resampling photographs: pictures made of one photograph are not independent, so they come and go together."""

import math
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context

from worker.lab.evaluation.figures import Estimate

RESAMPLES = 1_000
LEVEL = 0.95
SEED = 2025
LEAST_DEFINED = 0.9  # of the resamples; an interval over fewer would hide that the others have no value

Places = NDArray[np.intp]  # which pictures, some several times
Statistic = Callable[[Places], float]
Name = TypeVar("Name", bound=Hashable)


def estimate(statistics: Mapping[Name, Statistic], sources: NDArray[np.str_], seed: int = SEED) -> dict[Name, Estimate]:
    """Each statistic of all pictures, with its percentile interval over the same RESAMPLES resamples of `sources` (one a picture).

    A statistic takes places of pictures and may be NaN. Deterministic from `seed`.
    """
    chance = np.random.default_rng(seed)
    _, owners = np.unique(sources, return_inverse=True)
    places = np.argsort(owners, kind="stable")
    groups = np.split(places, np.flatnonzero(np.diff(owners[places])) + 1) if len(places) else []
    with config_context(assume_finite=True, skip_parameter_validation=True):  # a third of the time, and the arrays are ours
        values = {name: statistic(np.arange(len(sources))) for name, statistic in statistics.items()}
        resampled: dict[Name, list[float]] = {name: [] for name in statistics}
        for _ in range(RESAMPLES if len(groups) > 1 else 0):
            drawn = np.concatenate([groups[group] for group in chance.integers(len(groups), size=len(groups))])
            for name, statistic in statistics.items():
                resampled[name].append(statistic(drawn))
    return {name: _with_interval(values[name], np.array(resampled[name])) for name in statistics}


def _with_interval(value: float, resampled: NDArray[np.float64]) -> Estimate:
    if math.isnan(value):
        return Estimate(None)
    defined = resampled[~np.isnan(resampled)]
    if not len(resampled) or len(defined) < LEAST_DEFINED * len(resampled):
        return Estimate(value)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Estimate(value, float(low), float(high))
