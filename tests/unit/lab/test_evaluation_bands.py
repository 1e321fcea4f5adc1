from dataclasses import replace

import numpy as np
import pytest

from tests.unit.lab.verdicts import judged_as, label
from worker.lab.evaluation.bands import band_table, fit_bands
from worker.lab.evaluation.figures import Metric
from worker.lab.evaluation.judged import Judged
from worker.moderation.calibration import Calibration
from worker.moderation.degradation import Degradation, DegradationBand

CLEAN, BLURRED = Degradation(), Degradation(blur=1.5)
OVERALL = Calibration(4.0, 0.0)  # right where classes lie 4 apart and their logits spread by 1


def judged(count: int, degradation: Degradation | None, apart: float, sources: int = 20) -> list[Judged]:
    """Pictures of `sources` photographs, whose classes' logits lie `apart`."""
    chance = np.random.default_rng(5)
    pictures = []
    for number in range(count):
        generated = number % 2 == 1
        p = 1 / (1 + np.exp(-float(chance.normal(apart * (generated - 0.5), 1))))
        of = label(f"{number}.jpg", "net" if generated else None, source=f"photos/{number % sources}")
        pictures.append(replace(judged_as(of, p), degradation=degradation))
    return pictures


def test_a_band_has_an_accuracy_and_a_calibration_of_its_own_where_the_overall_one_is_wrong() -> None:
    fits = fit_bands([*judged(200, CLEAN, 4.0), *judged(100, BLURRED, 0.5)], OVERALL)
    assert set(fits) == {DegradationBand.CLEAN, DegradationBand.BLURRED}
    clean, blurred = fits[DegradationBand.CLEAN], fits[DegradationBand.BLURRED]
    assert (clean.accuracy.images, blurred.accuracy.images) == (200, 100)
    assert clean.accuracy.value > 0.9 > 0.75 > blurred.accuracy.value
    assert blurred.accuracy.low < blurred.accuracy.value < blurred.accuracy.high
    assert clean.calibration is None
    assert blurred.calibration is not None
    assert blurred.calibration.scale < 0.5 * OVERALL.scale
    assert clean.as_card().keys() == {"accuracy"}
    assert blurred.as_card().keys() == {"scale", "offset", "accuracy"}


def test_where_scores_tell_nothing_the_calibrated_one_is_the_share_that_is_generated() -> None:
    fit = fit_bands(judged(120, BLURRED, -3.0), OVERALL)[DegradationBand.BLURRED]
    assert fit.calibration is not None
    assert [fit.calibration.apply(p) for p in (0.0, 0.3, 1.0)] == pytest.approx([0.5, 0.5, 0.5], abs=1e-4)
    assert fit.accuracy.value < 0.7


def few_of_a_class(photographs: int, *, generated: bool) -> list[Judged]:
    """Enough pictures of both classes and enough photographs, but those of one class are all of so many."""
    return [
        replace(
            picture, label=replace(picture.label, source=f"photos/{number % photographs if picture.generated == generated else number}")
        )
        for number, picture in enumerate(judged(100, BLURRED, 2.0))
    ]


def a_class_in_one_fold() -> list[Judged]:
    """Four photographs of very many pictures fill a fold each; the fifth takes all others, and with them all real pictures."""
    pictures = judged(400, BLURRED, 2.0)
    real, generated = ([picture for picture in pictures if picture.generated is said] for said in (False, True))
    many = [replace(picture, label=replace(picture.label, source=f"many/{number % 4}")) for number, picture in enumerate(generated)]
    few = [replace(picture, label=replace(picture.label, source=f"few/{number}")) for number, picture in enumerate(real[:40])]
    also = [replace(picture, label=replace(picture.label, source=f"few/{number}")) for number, picture in enumerate(generated[:8])]
    return [*many, *few, *also]


@pytest.mark.parametrize(
    "pictures",
    [
        judged(58, BLURRED, 2.0),
        judged(200, BLURRED, 2.0, sources=10),
        judged(200, None, 2.0),
        [picture for picture in judged(200, BLURRED, 2.0) if picture.generated],
        few_of_a_class(1, generated=False),
        few_of_a_class(9, generated=False),
        few_of_a_class(9, generated=True),
    ],
    ids=["few pictures", "few photographs", "not estimated", "one class", "one real photograph", "few real", "few generated"],
)
def test_of_too_few_nothing_is_claimed(pictures: list[Judged]) -> None:
    assert fit_bands(pictures, OVERALL) == {}


def test_where_a_fold_would_leave_one_class_the_overall_calibration_holds() -> None:
    fit = fit_bands(a_class_in_one_fold(), Calibration(1.0, -30.0))[DegradationBand.BLURRED]  # calls all real: most are generated
    assert fit.calibration is None
    assert fit.accuracy.value == pytest.approx(0.5)


def test_the_table_keeps_pictures_as_they_came_and_altered_ones_apart() -> None:
    table = band_table(judged(10, CLEAN, 4.0), [judged(90, BLURRED, 1.0), judged(20, CLEAN, 4.0)])
    assert [(row.name, row.pictures) for row in table.rows] == [
        ("clean, as they came", 10),
        ("blurred, altered", 90),
        ("clean, altered", 20),
    ]
    assert Metric.ECE in table.rows[1].figures
    assert Metric.ECE not in table.rows[0].figures
