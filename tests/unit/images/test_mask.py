"""Hiding parts of an image: what is hidden, and that nothing else is touched."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from worker.images.mask import Mask, Patch, masked
from worker.images.prepare import cut_crops, prepare_scan, shrink
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size
from worker.moderation.faithfulness import Fill

LIMITS = PixelLimits(factor=28, min_pixels=28 * 28, max_pixels=448 * 448)
BOX = Box(112, 56, 224, 168)


def noise(width: int = 336, height: int = 224) -> Image.Image:
    return Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8))


def hiding(*boxes: Box, fill: Fill) -> Mask:
    return Mask(tuple(Patch(box, Size(round(box.x1 - box.x0), round(box.y1 - box.y0))) for box in boxes), fill)


def levels(image: Image.Image) -> NDArray[np.float64]:
    return np.asarray(image, dtype=np.float64)


@pytest.mark.parametrize("fill", list(Fill))
def test_what_lies_outside_the_box_stays_pixel_for_pixel_and_texture_inside_goes(fill: Fill) -> None:
    before = noise()
    after = levels(masked(before, hiding(BOX, fill=fill)))
    inside = np.zeros(after.shape[:2], dtype=np.bool_)
    inside[56:168, 112:224] = True
    assert (after[~inside] == levels(before)[~inside]).all()
    assert after[inside].std() < levels(before)[inside].std() / 5
    assert after[inside].mean() == pytest.approx(levels(before)[inside].mean(), abs=1.0)


def test_the_mean_is_one_colour_and_a_blur_keeps_what_is_coarse() -> None:
    halves = Image.new("RGB", (336, 224), (200, 0, 0))
    halves.paste((0, 0, 200), (168, 0, 336, 224))
    assert len(masked(halves, hiding(BOX, fill=Fill.MEAN)).crop(BOX.corners()).getcolors() or ()) == 1
    blurred = masked(halves, hiding(BOX, fill=Fill.BLUR))
    assert blurred.getpixel((114, 100)) == (200, 0, 0)
    assert blurred.getpixel((222, 100)) == (0, 0, 200)


@pytest.mark.parametrize("fill", list(Fill))
def test_a_box_that_leaves_the_image_hides_the_part_inside_and_one_outside_nothing(fill: Fill) -> None:
    before = noise()
    assert masked(before, hiding(Box(400, 10, 500, 60), fill=fill)) == before
    partly, inside = Patch(Box(300, 10, 500, 60), Size(200, 50)), Patch(Box(300, 10, 336, 60), Size(200, 50))
    assert masked(before, Mask((partly,), fill)) == masked(before, Mask((inside,), fill))


def test_overlapping_boxes_are_each_filled_from_the_image_as_it_was() -> None:
    before = noise()
    both = masked(before, hiding(BOX, Box(200, 56, 300, 168), fill=Fill.MEAN))
    alone = masked(before, hiding(Box(200, 56, 300, 168), fill=Fill.MEAN))
    assert both.getpixel((250, 100)) == alone.getpixel((250, 100))


def test_pieces_of_a_box_are_blurred_as_the_whole_box_is() -> None:
    before, box = noise(), Box(42, 14, 294, 210)  # wide enough for a blur beyond the least
    pieces = [Box(x, 14, x + 63, 210) for x in range(42, 294, 63)]
    cut = Mask(tuple(Patch(piece, Size(252, 196)) for piece in pieces), Fill.BLUR)
    apart = np.abs(levels(masked(before, cut)) - levels(masked(before, hiding(box, fill=Fill.BLUR))))
    assert apart.max() <= 1
    assert np.abs(levels(masked(before, hiding(*pieces, fill=Fill.BLUR))) - levels(masked(before, cut))).max() > 1


def test_a_piece_takes_the_colour_of_as_much_of_the_image_as_the_whole_box_takes_up() -> None:
    stripes = Image.new("RGB", (336, 224), (200, 0, 0))
    stripes.paste((0, 0, 0), (0, 0, 112, 224))
    piece = Patch(Box(112, 56, 140, 84), Size(112, 112))  # its surroundings reach from 70 to 182
    assert masked(stripes, Mask((piece,), Fill.MEAN)).getpixel((126, 70)) == (125, 0, 0)
    assert masked(stripes, hiding(piece.box, fill=Fill.MEAN)).getpixel((126, 70)) == (200, 0, 0)


def test_scan_and_crops_of_a_masked_image_show_the_mask_and_are_named_after_it() -> None:
    body = io.BytesIO()
    noise().save(body, "PNG")
    mask = hiding(BOX, fill=Fill.MEAN)
    (crop,) = cut_crops(body.getvalue(), [BOX], LIMITS, mask)
    assert len(crop.pixels.getcolors() or ()) == 1
    plain, hidden = prepare_scan(body.getvalue(), LIMITS), shrink(body.getvalue(), LIMITS, mask)
    assert hidden.evidence.facts.sha256 != plain.evidence.facts.sha256
    assert hidden.original == plain.original
