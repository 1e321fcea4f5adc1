"""How far people who judged the same things independently agree, beyond what chance would give.

Values are names without order: real, generated and unsure are three of them. Both figures are 1 where all agree, 0 where they agree as
chance would, and undefined (None) where nothing could be disagreed about: no unit with two values, or one value alone.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Agreement:
    """A coefficient, and the share of pairs of answers that were the same. `units`: how many things it rests on."""

    coefficient: float | None
    observed: float | None
    units: int


def cohens_kappa(pairs: Mapping[tuple[str, str], int]) -> Agreement:
    """Cohen's kappa (1960) of two raters: how often the first said the one while the second said the other."""
    units = sum(pairs.values())
    if not units:
        return Agreement(None, None, 0)
    first, second = Counter[str](), Counter[str]()
    for (one, other), count in pairs.items():
        first[one] += count
        second[other] += count
    observed = sum(count for (one, other), count in pairs.items() if one == other) / units
    expected = sum(first[value] * second[value] for value in first) / units**2
    return Agreement(_beyond_chance(1 - observed, 1 - expected), observed, units)


def krippendorffs_alpha(units: Mapping[tuple[str, ...], int]) -> Agreement:
    """Krippendorff's alpha (nominal; 2011) of any number of raters, of whom any may be missing.

    `units`: what was said of a unit, in any order, and how many units it was said of. Units with fewer than two values count for nothing.
    """
    paired = {values: count for values, count in units.items() if len(values) > 1 and count}
    totals = Counter[str]()
    differing = 0.0  # pairs of unlike values within units, each unit weighed so that it counts as often as it has values
    for values, count in paired.items():
        said = Counter(values)
        alike = sum(n * (n - 1) for n in said.values())
        differing += count * (len(values) * (len(values) - 1) - alike) / (len(values) - 1)
        for value in values:
            totals[value] += count
    answers = totals.total()
    if not answers:
        return Agreement(None, None, 0)
    expected = (answers * (answers - 1) - sum(n * (n - 1) for n in totals.values())) / (answers - 1)
    return Agreement(_beyond_chance(differing, expected), 1 - differing / answers, sum(paired.values()))


def _beyond_chance(observed: float, expected: float) -> float | None:
    """1 - observed disagreement / expected; None where chance itself could not disagree."""
    return 1 - observed / expected if expected > 0 else None
