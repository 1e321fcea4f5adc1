"""What the estimators make of shipped photographs that were altered by known amounts. Figures over many are in the lab's report."""

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageFilter, ImageOps

import worker.local
from tests.unit.images.files import gradient, halves
from worker.images import blur, rescaling
from worker.images.crossing import MOST_AMOUNT, read_scan, scan_reply
from worker.images.decode import decode
from worker.images.degradation import SHARP_SIDE, estimate, jpeg_quality
from worker.images.reply import Reply
from worker.images.resize import PixelLimits
from worker.moderation.degradation import Border, Degradation, DegradationBand, band

SAMPLES = sorted(path for path in (Path(worker.local.__file__).parent / "samples").glob("*.jpg") if not path.stem.endswith("-regenerated"))
LIMITS = PixelLimits(28, 4 * 784, 128 * 784)


def sample(number: int) -> Image.Image:
    image = Image.open(SAMPLES[number]).convert("RGB")
    return image.crop((0, 0, 400, 300))


def estimated(image: Image.Image, file_format: str = "PNG", **options: Any) -> Degradation:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return estimate(decode(buffer.getvalue()))


def resized(image: Image.Image, factor: float) -> Image.Image:
    return image.resize((round(image.width * factor), round(image.height * factor)), Image.Resampling.BICUBIC)


def test_the_quality_of_libjpegs_tables_is_read_back() -> None:
    tiny = sample(0).resize((32, 32))
    assert [estimated(tiny, "JPEG", quality=quality).jpeg_quality for quality in range(1, 101)] == list(range(1, 101))


def test_other_tables_are_as_good_as_the_ones_that_quantise_as_coarsely() -> None:
    assert jpeg_quality([1] * 64) == 100
    assert jpeg_quality([2] * 64) == 98
    assert jpeg_quality([65_535] * 64) == 1  # 16-bit steps
    tables = [[6] * 64, [8] * 64]
    assert estimated(sample(0), "JPEG", qtables=tables).jpeg_quality == jpeg_quality(tables[0])


def test_other_formats_have_no_such_quality() -> None:
    assert estimated(sample(0)).jpeg_quality is None
    assert estimated(sample(0), "WEBP", quality=50).jpeg_quality is None


@pytest.mark.parametrize("number", range(len(SAMPLES)))
def test_a_blur_is_measured_in_pixels_and_as_little_more_for_more(number: int) -> None:
    found = [estimated(sample(number).filter(ImageFilter.GaussianBlur(sigma))).blur for sigma in (1.0, 1.5, 2.5)]
    assert found == pytest.approx([1.0, 1.5, 2.5], rel=0.45)
    assert found == sorted(value for value in found if value is not None)


@pytest.mark.parametrize(("factor", "least"), [(1.25, 1.2), (1.5, 1.45), (2, 1.95)])
def test_an_enlargement_is_found_with_its_factor(factor: float, least: float) -> None:
    small = sample(0)
    assert estimated(small).rescaling == 1.0
    assert least <= (estimated(resized(small, factor)).rescaling or 0) <= factor + 0.05


@pytest.mark.parametrize("quality", [85, 50])
def test_the_blocks_of_a_jpeg_or_a_webp_are_no_enlargement(quality: int) -> None:
    assert estimated(sample(0), "JPEG", quality=quality).rescaling == 1.0
    assert estimated(sample(0), "WEBP", quality=quality).rescaling == 1.0


@pytest.mark.parametrize("colour", ["black", "white", (32, 33, 36)])
@pytest.mark.parametrize("border", [Border(20, 20, 20, 20), Border(0, 33, 0, 33), Border(40, 0, 0, 0)])
def test_borders_are_measured_on_each_side(colour: str | tuple[int, int, int], border: Border) -> None:
    framed = ImageOps.expand(sample(0), (border.left, border.top, border.right, border.bottom), colour)
    assert estimated(sample(0)).border == Border()
    assert estimated(framed).border == border


def test_a_plain_picture_a_tiny_one_and_a_sliver_are_told_nothing_of() -> None:
    plain = estimated(Image.new("RGB", (400, 300), "white"))
    assert plain == Degradation(rescaling=1.0)
    assert estimated(Image.new("RGB", (16, 16), "grey")) == Degradation()
    assert estimated(Image.effect_noise((3000, 16), 64).convert("RGB")).rescaling is None


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("size", [(400, 300), (120, 90)])
def test_a_smooth_gradient_is_neither_framed_nor_enlarged(size: tuple[int, int], *, turned: bool) -> None:
    image = gradient(size).transpose(Image.Transpose.ROTATE_90) if turned else gradient(size)
    for file_format in ("PNG", "JPEG", "WEBP"):
        found = estimated(image.convert("RGB"), file_format)
        assert (found.border, found.rescaling or 1.0) == (Border(), 1.0), file_format


def test_a_border_around_a_gradient_is_still_one() -> None:
    framed = ImageOps.expand(gradient((400, 300)), (20, 20, 20, 20), 128)
    assert estimated(framed).border == Border(20, 20, 20, 20)


@pytest.mark.parametrize("size", [(16, 16), (16, 40), (17, 300), (60, 16), (33, 33), (300, 17)])
def test_a_picture_of_two_halves_is_estimated_whatever_its_size(size: tuple[int, int]) -> None:
    for image in (halves(size), halves(size).transpose(Image.Transpose.ROTATE_90)):
        found = estimated(image)
        assert found.border.left + found.border.right <= 0.9 * image.width
        assert found.border.top + found.border.bottom <= 0.9 * image.height


@pytest.mark.parametrize("sigma", [100, 150])
def test_however_soft_a_picture_is_its_estimate_crosses(sigma: float) -> None:
    buffer = io.BytesIO()
    halves((1200, 1024), sigma).save(buffer, "PNG", compress_level=1)
    assert read_scan(scan_reply(buffer.getvalue(), LIMITS)).degradation == estimate(decode(buffer.getvalue()))


def test_no_estimate_is_larger_than_what_crosses() -> None:
    assert blur.DEVIATIONS[-1] * SHARP_SIDE / blur.LEAST_SIDE <= MOST_AMOUNT
    assert rescaling.WINDOW / rescaling.LOWEST <= MOST_AMOUNT


@pytest.mark.parametrize(
    ("degradation", "expected"),
    [
        (Degradation(), DegradationBand.CLEAN),
        (Degradation(jpeg_quality=86, blur=0.5, rescaling=1.0), DegradationBand.CLEAN),
        (Degradation(border=Border(left=5)), DegradationBand.FRAMED),
        (Degradation(jpeg_quality=85, border=Border(left=5)), DegradationBand.COMPRESSED),
        (Degradation(jpeg_quality=30, rescaling=1.3), DegradationBand.RESCALED),
        (Degradation(jpeg_quality=30, rescaling=1.3, blur=0.6), DegradationBand.BLURRED),
    ],
)
def test_of_several_things_the_worst_names_the_band(degradation: Degradation, expected: DegradationBand) -> None:
    assert band(degradation) is expected


def test_an_estimate_crosses_from_the_child() -> None:
    body = SAMPLES[0].read_bytes()
    assert read_scan(scan_reply(body, LIMITS)).degradation == estimate(decode(body))


@pytest.mark.parametrize(
    "nonsense",
    [
        {"jpeg_quality": 0},
        {"jpeg_quality": 101},
        {"blur": -1.0},
        {"blur": float("nan")},
        {"rescaling": float("inf")},
        {"rescaling": "2"},
        {"border": {"left": -1, "top": 0, "right": 0, "bottom": 0}},
        {"border": {"left": 10**9, "top": 0, "right": 0, "bottom": 0}},
        {"border": {"left": 1}},
    ],
)
def test_an_estimate_that_no_column_should_hold_is_nonsense(nonsense: dict[str, Any]) -> None:
    said = scan_reply(SAMPLES[0].read_bytes(), LIMITS)
    with pytest.raises((ValueError, TypeError, KeyError)):
        read_scan(Reply({**said.facts, "degradation": {**said.facts["degradation"], **nonsense}}, said.buffers))
