"""Agreement, against examples that their authors published."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.moderation.agreement import Agreement, cohens_kappa, krippendorffs_alpha


def units_of(*raters: str) -> Counter[tuple[str, ...]]:
    """Columns of a table whose rows are raters; a dot is missing."""
    rows = [row.split() for row in raters]
    return Counter(tuple(value for value in column if value != ".") for column in zip(*rows, strict=True))


def test_kappa_of_cohen_s_own_table() -> None:
    # Cohen, A coefficient of agreement for nominal scales (1960), table 1: 200 cases, three diagnoses; kappa .492
    table = [[88, 10, 2], [14, 40, 6], [18, 10, 12]]
    found = cohens_kappa({(str(i), str(j)): count for i, row in enumerate(table) for j, count in enumerate(row)})
    assert found.coefficient == pytest.approx(0.492, abs=5e-4)
    assert (found.observed, found.units) == (0.7, 200)


def test_alpha_of_krippendorff_s_two_raters_and_two_values() -> None:
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), A: alpha .095
    found = krippendorffs_alpha(units_of("0 1 0 0 0 0 0 0 1 0", "1 1 1 0 0 1 0 0 0 0"))
    assert found.coefficient == pytest.approx(0.095, abs=5e-4)
    assert (found.observed, found.units) == (0.6, 10)


def test_alpha_of_krippendorff_s_two_raters_and_five_values() -> None:
    # The same, B: alpha .692
    found = krippendorffs_alpha(units_of("a a b b d c c c e d d a", "b a b b b c c c e d d d"))
    assert found.coefficient == pytest.approx(0.692, abs=5e-4)
    assert found.units == 12


def test_alpha_of_krippendorff_s_four_raters_with_missing_answers() -> None:
    # The same, C: alpha .743; the twelfth unit has one value, and is not paired
    found = krippendorffs_alpha(
        units_of("1 2 3 3 2 1 4 1 2 . . .", "1 2 3 3 2 2 4 1 2 5 . 3", ". 3 3 3 2 3 4 2 2 5 1 .", "1 2 3 3 2 4 4 1 2 5 1 .")
    )
    assert found.coefficient == pytest.approx(0.743, abs=5e-4)
    assert found.units == 11


def test_nothing_to_disagree_about_is_no_agreement() -> None:
    assert krippendorffs_alpha({}) == cohens_kappa({}) == Agreement(None, None, 0)
    assert krippendorffs_alpha({("real",): 9}) == Agreement(None, None, 0)
    assert krippendorffs_alpha({("real", "real"): 9}) == cohens_kappa({("real", "real"): 9}) == Agreement(None, 1.0, 9)


def test_systematic_disagreement_is_below_zero() -> None:
    assert cohens_kappa({("real", "generated"): 5, ("generated", "real"): 5}).coefficient == -1
    found = krippendorffs_alpha({("real", "generated"): 10})
    assert found.coefficient is not None
    assert found.coefficient < 0


VALUES = st.sampled_from(["real", "generated", "unsure"])


@given(st.lists(st.lists(VALUES, min_size=2, max_size=4).map(tuple), min_size=1, max_size=30))
def test_counting_alike_units_together_changes_nothing_and_one_is_the_most(units: list[tuple[str, ...]]) -> None:
    found = krippendorffs_alpha(Counter(units))
    sorted_units = krippendorffs_alpha(Counter(tuple(sorted(unit)) for unit in units))
    assert found.coefficient == (None if sorted_units.coefficient is None else pytest.approx(sorted_units.coefficient))
    assert found.units == sorted_units.units == len(units)
    assert found.coefficient is None or found.coefficient <= 1
    assert (found.coefficient == 1) <= all(len(set(unit)) == 1 for unit in units)
