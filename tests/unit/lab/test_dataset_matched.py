import threading

import numpy as np
import pytest
from PIL import Image

from tests.unit.lab.photographs import draw_photograph
from worker.lab.dataset.matched import large_box, match
from worker.lab.dataset.threads import results_as_they_come
from worker.lab.dataset.tiles import OVERLAP, SIDE, StoppedError, Tiled
from worker.lab.networks import Network, Regenerator
from worker.lab.placement import random_box
from worker.lab.regenerate import VISIBLE_BELOW, Enlarger, Lanczos
from worker.moderation.boxes import Size, intersection_over_union
from worker.moderation.errors import RejectedError


@pytest.fixture(scope="module")
def networks() -> dict[str, Enlarger]:
    """A network, and something that draws otherwise."""

    class Blocks:
        def enlarge(self, image: Image.Image) -> Image.Image:
            return image.resize((image.width * 4, image.height * 4), Image.Resampling.NEAREST)

    return {"network": Regenerator(Network.ANIMEVIDEO_V3), "blocks": Blocks()}


def difference(first: Image.Image, second: Image.Image) -> np.ndarray:
    return np.asarray(np.abs(np.asarray(first, dtype=int) - np.asarray(second, dtype=int)).max(axis=2))


def test_matched_pictures_differ_inside_the_same_boxes_and_nowhere_else(networks: dict[str, Enlarger]) -> None:
    for seed in range(6):
        matched = match(draw_photograph(seed, (420, 400)), networks, random_box, np.random.default_rng(seed))
        assert 1 <= len(matched.boxes) <= 3
        assert all(intersection_over_union(a, b) == 0 for a in matched.boxes for b in matched.boxes if a is not b)
        for picture in (matched.control, *matched.generated.values()):
            changed = difference(matched.clean, picture)
            for box in matched.boxes:
                x0, y0, x1, y1 = box.corners()
                assert changed[y0:y1, x0:x1].mean() > 3
                changed[y0:y1, x0:x1] = 0
            assert not changed.any()
        assert difference(matched.generated["network"], matched.control).any()


def test_every_region_is_visible_for_every_network(networks: dict[str, Enlarger]) -> None:
    matched = match(draw_photograph(3, (420, 400)), networks, random_box, np.random.default_rng(5))
    for changes in matched.changes.values():
        assert len(changes) == len(matched.boxes)
        assert all(change < VISIBLE_BELOW for change in changes)


def test_one_to_three_regions_occur(networks: dict[str, Enlarger]) -> None:
    blocks = {"blocks": networks["blocks"]}
    counts = {len(match(draw_photograph(1, (700, 600)), blocks, random_box, np.random.default_rng(seed)).boxes) for seed in range(24)}
    assert counts == {1, 2, 3}


def test_a_photograph_where_nothing_visible_changes_is_rejected(networks: dict[str, Enlarger]) -> None:
    with pytest.raises(RejectedError, match="nothing visible"):
        match(Image.new("RGB", (300, 300), (120, 160, 220)), networks, random_box, np.random.default_rng(1))


@pytest.mark.parametrize("size", [Size(1000, 1000), Size(4000, 3000), Size(1500, 8000), Size(1231, 4007)])
def test_large_boxes_grow_with_the_picture(size: Size) -> None:
    chance, short = np.random.default_rng(2), min(size.width, size.height)
    for box in (large_box(size, chance) for _ in range(200)):
        assert box == box.clamped(size)
        assert box.corners() == (box.x0, box.y0, box.x1, box.y1)
        for side in (box.x1 - box.x0, box.y1 - box.y0):
            assert 0.155 * short <= side <= 0.355 * short


def test_tiles_join_without_a_seam() -> None:
    image = draw_photograph(4, (SIDE + 40, 60))
    whole, tiled = Lanczos().enlarge(image), Tiled(Lanczos(), lambda: False).enlarge(image)
    assert tiled.size == whole.size
    assert difference(whole, tiled).max() <= 1
    assert OVERLAP > 3  # Lanczos looks as far


def test_a_stop_ends_the_work_before_the_next_tile() -> None:
    with pytest.raises(StoppedError):
        Tiled(Lanczos(), lambda: True).enlarge(Image.new("RGB", (8, 8)))


def test_the_first_error_stops_the_rest_and_is_raised_when_all_have_ended() -> None:
    stop, ended = threading.Event(), list[int]()

    def work(item: int) -> int:
        if item == 0:
            raise ValueError("first")
        stop.wait(30)
        ended.append(item)
        return item

    with pytest.raises(ValueError, match="first"):
        list(results_as_they_come(work, range(50), 2, stop))
    assert stop.is_set()
    assert len(ended) <= 2
