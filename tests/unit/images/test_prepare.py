import hashlib
import io
import math

import numpy as np
import pytest
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from tests.unit.images import files
from worker.images.prepare import Evidence, cut_crops, prepare_scan
from worker.images.resize import PixelLimits
from worker.moderation.boxes import Box, Size
from worker.moderation.errors import RejectedError

SCAN = PixelLimits(28, 4 * 784, 128 * 784)
CROPS = PixelLimits(28, 16 * 784, 64 * 784)


def shown(evidence: Evidence) -> bytes:
    return Image.open(io.BytesIO(evidence.body)).convert("RGB").tobytes()


def test_the_models_own_processor_makes_the_same_pixels_of_ours_as_of_the_original() -> None:
    original = files.photo(1333, 777)
    processor = Qwen2VLImageProcessorPil(size={"shortest_edge": SCAN.min_pixels, "longest_edge": SCAN.max_pixels})
    scan = prepare_scan(files.encoded(original, "PNG"), SCAN)
    theirs, ours = (processor(image, return_tensors="np") for image in (original, scan.pixels))
    assert np.array_equal(theirs["image_grid_thw"], ours["image_grid_thw"])
    assert np.array_equal(theirs["pixel_values"], ours["pixel_values"])


def test_a_scan_remembers_the_oriented_original() -> None:
    scan = prepare_scan(files.with_exif(files.photo(800, 600), files.exif_orientation(6)), SCAN)
    assert scan.original == Size(600, 800)
    assert scan.sent == SCAN.legal(Size(600, 800)) == Size(*scan.pixels.size)
    assert scan.media_type == "image/jpeg"


def test_evidence_holds_exactly_the_pixels_sent_and_is_named_by_its_bytes() -> None:
    body = files.encoded(files.photo(800, 600), "JPEG")
    scan = prepare_scan(body, SCAN)
    (crop,) = cut_crops(body, [Box(100, 50, 300, 250)], CROPS)
    for pixels, evidence in ((scan.pixels, scan.evidence), (crop.pixels, crop.evidence)):
        assert shown(evidence) == pixels.tobytes()
        assert evidence.facts.sha256 == hashlib.sha256(evidence.body).hexdigest()
        assert evidence.facts.byte_count == len(evidence.body)


def test_crops_come_in_the_order_of_their_boxes_from_full_resolution() -> None:
    image = Image.new("RGB", (600, 400), "black")
    image.paste("red", (0, 0, 300, 400))
    image.paste("blue", (300, 0, 600, 400))
    boxes = [Box(300, 0, 500, 200), Box(0, 0, 200, 200)]
    blue, red = cut_crops(files.encoded(image, "PNG"), boxes, CROPS)
    assert (blue.box, red.box) == tuple(boxes)
    # Cut before resizing: the neighbour's colour does not bleed in.
    assert blue.pixels.getcolors() == [(blue.sent.pixels, (0, 0, 255))]
    assert red.pixels.getcolors() == [(red.sent.pixels, (255, 0, 0))]


def test_a_crop_of_legal_size_is_sent_pixel_for_pixel() -> None:
    photo = files.photo(800, 600)
    (crop,) = cut_crops(files.encoded(photo, "PNG"), [Box(10, 20, 10 + 140, 20 + 168)], CROPS)
    assert crop.pixels.tobytes() == photo.crop((10, 20, 150, 188)).tobytes()
    assert crop.scale == 1.0


def test_a_small_crop_is_enlarged_and_its_scale_recorded() -> None:
    (crop,) = cut_crops(files.encoded(files.photo(800, 600), "PNG"), [Box(0, 0, 40, 40)], CROPS)
    assert crop.sent == Size(112, 112)
    assert math.isclose(crop.scale, 112 / 40)


@pytest.mark.parametrize("box", [Box(0.5, 0, 40, 40), Box(-1, 0, 40, 40), Box(0, 0, 801, 40), Box(40, 0, 40, 40), Box(50, 0, 40, 40)])
def test_a_box_that_breaks_the_contract_is_a_fault_of_ours(box: Box) -> None:
    with pytest.raises(ValueError, match="not a whole-pixel box"):
        cut_crops(files.encoded(files.photo(800, 600), "PNG"), [box], CROPS)


def test_an_extreme_aspect_is_rejected() -> None:
    with pytest.raises(RejectedError) as rejection:
        prepare_scan(files.encoded(Image.new("RGB", (4000, 16)), "PNG"), SCAN)
    assert rejection.value.code == "aspect_extreme"
