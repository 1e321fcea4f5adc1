"""Whether two independent explanations tell the same story, and which of their clues are the same. Pure.

Clues are paired one to one, so that the similarities of all pairs together are greatest, of those that reach a least similarity: two pairs
below it take no clue from one above. The explanations agree when enough of the shorter one's clues are paired. A clue without a partner
stays on record, as not seconded.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from worker.lab.annotation.clues import Clue
from worker.lab.annotation.recipe import Recipe
from worker.lab.annotation.wording import Similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class Weighed:
    """A clue of either explanation, and its partner's likeness. Of a pair the first explanation's wording stays."""

    clue: Clue
    said_by: tuple[int, ...]  # which explanations, 1 or 2 or both
    similarity: float | None  # with the partner, or with the likest clue of the other explanation; None where it has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of two explanations. `shared`: paired clues as a share of the shorter one's; 0 where one has none."""

    clues: tuple[Weighed, ...]
    shared: float

    def holds(self, recipe: Recipe) -> bool:
        """Whether the two tell the same story."""
        return self.shared > 0 and self.shared >= recipe.least_shared


def agree(first: Sequence[Clue], second: Sequence[Clue], similarity: Similarity, recipe: Recipe) -> Agreement:
    """Pairs the clues of two explanations, in the first one's order; then what the second alone said."""
    likeness = similarity([clue.text for clue in first], [clue.text for clue in second])
    alike = np.where(likeness >= recipe.similar_from, likeness, 0.0)
    partners = {
        int(row): int(column)
        for row, column in zip(*linear_sum_assignment(alike, maximize=True), strict=True)
        if likeness[row, column] >= recipe.similar_from
    }
    by_first = [
        Weighed(
            clue=clue,
            said_by=(1, 2) if row in partners else (1,),
            similarity=float(likeness[row, partners[row]] if row in partners else likeness[row].max()) if second else None,
        )
        for row, clue in enumerate(first)
    ]
    taken = set(partners.values())
    by_second = [
        Weighed(clue=clue, said_by=(2,), similarity=float(likeness[:, column].max()) if first else None)
        for column, clue in enumerate(second)
        if column not in taken
    ]
    shorter = min(len(first), len(second))
    return Agreement(clues=(*by_first, *by_second), shared=len(partners) / shorter if shorter else 0.0)
