"""Hiding parts of an image: what is hidden, and that nothing else is touched."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from worker.images.mask import Mask, masked
from worker.images.prepare import cut_crops, prepare_scan
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box
from worker.moderation.faithfulness import Fill

LIMITS = PixelLimits(factor=28, min_pixels=28 * 28, max_pixels=448 * 448)
BOX = Box(112, 56, 224, 168)


def noise(width: int = 336, height: int = 224) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def levels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


@pytest.mark.parametrize("fill", list(Fill))
def test_what_lies_outside_the_box_stays_pixel_for_pixel_and_texture_inside_goes(fill: Fill) -> None:
    before = noise()
    after = levels(masked(before, Mask((BOX,), fill)))
    inside = np.zeros(after.shape[:2], dtype=np.bool_)
    inside[56:168, 112:224] = True
    assert (after[~inside] == levels(before)[~inside]).all()
    assert after[inside].std() < levels(before)[inside].std() / 5
    assert after[inside].mean() == pytest.approx(levels(before)[inside].mean(), abs=1.0)


def test_the_mean_is_one_colour_and_a_blur_keeps_what_is_coarse() -> None:
    halves = Image.new("RGB", (336, 224), (200, 0, 0))
    halves.paste((0, 0, 200), (168, 0, 336, 224))
    assert len(masked(halves, Mask((BOX,), Fill.MEAN)).crop(BOX.corners()).getcolors() or ()) == 1
    blurred = masked(halves, Mask((BOX,), Fill.BLUR))
    assert blurred.getpixel((114, 100)) == (200, 0, 0)
    assert blurred.getpixel((222, 100)) == (0, 0, 200)


@pytest.mark.parametrize("fill", list(Fill))
def test_a_box_that_leaves_the_image_hides_the_part_inside_and_one_outside_nothing(fill: Fill) -> None:
    before = noise()
    assert masked(before, Mask((Box(400, 10, 500, 60),), fill)) == before
    assert masked(before, Mask((Box(300, 10, 500, 60),), fill)) == masked(before, Mask((Box(300, 10, 336, 60),), fill))


def test_overlapping_boxes_are_each_filled_from_the_image_as_it_was() -> None:
    before = noise()
    both = masked(before, Mask((BOX, Box(200, 56, 300, 168)), Fill.MEAN))
    alone = masked(before, Mask((Box(200, 56, 300, 168),), Fill.MEAN))
    assert both.getpixel((250, 100)) == alone.getpixel((250, 100))


def test_scan_and_crops_of_a_masked_image_show_the_mask_and_are_named_after_it() -> None:
    body = io.BytesIO()
    noise().save(body, "PNG")
    mask = Mask((BOX,), Fill.MEAN)
    (crop,) = cut_crops(body.getvalue(), [BOX], LIMITS, mask)
    assert len(crop.pixels.getcolors() or ()) == 1
    plain, hidden = prepare_scan(body.getvalue(), LIMITS), prepare_scan(body.getvalue(), LIMITS, mask)
    assert hidden.evidence.facts.sha256 != plain.evidence.facts.sha256
    assert hidden.original == plain.original
