import numpy as np
import pytest

from worker.forensics.chance import mass_in_placed, mass_in_random
from worker.forensics.maps import AttentionMap, ImageMap, Target, TargetKind, covered_shares, mass_inside, over_original, points_inside
from worker.moderation.boxes import Box, Size
from worker.moderation.outcomes import Stage

WHOLE = Box(0, 0, 800, 400)
TARGET = Target(stage=Stage.ZOOM, kind=TargetKind.VERDICT, number=1, text="generated")


def image(peak: tuple[int, int] | None = None, shows: Box = WHOLE, total: float = 1.0) -> ImageMap:
    """A map over 4 × 8 cells of 100 px: all in one cell, or the same everywhere."""
    mass = np.zeros((4, 8), np.float32)
    if peak is None:
        mass[:] = total / mass.size
    else:
        mass[peak] = total
    return ImageMap("ab" * 32, shows, mass)


def test_mass_counts_by_the_share_of_a_cell_that_a_box_covers() -> None:
    assert mass_inside(image((1, 2)), [Box(200, 100, 300, 200)]) == pytest.approx(1.0)
    assert mass_inside(image((1, 2)), [Box(250, 100, 400, 200)]) == pytest.approx(0.5)
    assert mass_inside(image((1, 2)), [Box(250, 100, 300, 200), Box(200, 100, 300, 200)]) == pytest.approx(1.0), "a union, not a sum"
    assert mass_inside(image((1, 2)), [Box(0, 200, 800, 400)]) == 0
    assert mass_inside(image((1, 2), total=0.0), [WHOLE]) is None


def test_a_crops_cells_lie_in_the_crops_box() -> None:
    crop = image((0, 0), shows=Box(400, 200, 560, 280))  # cells of 20 px
    assert mass_inside(crop, [Box(400, 200, 420, 220)]) == pytest.approx(1.0)
    assert points_inside(crop, [Box(405, 205, 415, 215)])
    assert points_inside(crop, [Box(0, 0, 400, 200)]) is False
    assert points_inside(image((0, 0), total=0.0), [WHOLE]) is None, "without mass there is no peak, not even in the first cell"


def test_chance_is_the_boxes_share_of_the_area() -> None:
    boxes = [Box(0, 0, 200, 200), Box(100, 0, 300, 200)]  # a union of 300 × 200
    assert mass_in_random(image((1, 2)), boxes) == pytest.approx(60_000 / 320_000)
    assert mass_in_random(image((1, 2)), []) is None


def test_a_map_that_is_the_same_everywhere_is_at_chance_under_both_controls() -> None:
    boxes = [Box(0, 0, 200, 200), Box(500, 100, 700, 300)]
    inside = mass_inside(image(), boxes)
    assert inside == pytest.approx(mass_in_random(image(), boxes))
    assert inside == pytest.approx(mass_in_placed(image(), boxes), rel=1e-5)


def test_boxes_placed_inside_favour_the_middle_and_so_are_the_stricter_control() -> None:
    boxes = [Box(0, 0, 400, 200)]
    middle, corner = image((2, 4)), image((0, 0))
    assert (mass_in_placed(middle, boxes) or 0) > (mass_in_random(middle, boxes) or 0) > (mass_in_placed(corner, boxes) or 0)
    assert mass_in_placed(middle, boxes) == mass_in_placed(middle, boxes), "the same for the same input"


def test_over_the_original_every_image_keeps_its_mass_and_its_place() -> None:
    crop = Box(400, 200, 600, 300)
    attention = AttentionMap(target=TARGET, images=(image((0, 0), total=0.75), image((3, 7), crop, 0.25)), on_images=0.9)
    field = over_original(attention, Size(400, 200), Size(800, 400))
    assert field.shape == (200, 400)
    assert field.sum() == pytest.approx(1.0, rel=1e-4)
    assert field[:50, :50].sum() == pytest.approx(0.75, rel=1e-4)
    assert field[137:150, 287:300].sum() == pytest.approx(0.25, rel=0.05)


def test_shares_are_exact_at_uneven_edges() -> None:
    shares = covered_shares([Box(0, 0, 10, 30)], Box(0, 0, 30, 30), (1, 2))
    np.testing.assert_allclose(shares, [[10 / 15, 0]])
