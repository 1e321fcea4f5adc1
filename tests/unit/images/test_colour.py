"""What the model sees of layouts other than 8-bit RGB."""

import struct

import pytest
from PIL import Image, ImageCms

from tests.unit.images import files
from worker.images.colour import BACKGROUND
from worker.images.decode import decode

SIDE = 16  # the smallest image accepted


def top_left(body: bytes) -> tuple[int, ...]:
    pixel = decode(body).pixels.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel


def flat(depth: int, colour_type: int, *samples: int, extra: bytes = b"") -> bytes:
    """A PNG of one colour, samples as stored."""
    pixel = b"".join(struct.pack(">H" if depth == 16 else ">B", sample) for sample in samples)
    return files.png(SIDE, SIDE, depth, colour_type, pixel * SIDE * SIDE, [extra])


@pytest.mark.parametrize(("stored", "seen"), [(0, 0), (255, 0), (256, 1), (0x8040, 0x80), (65535, 255)])
def test_16_bit_grey_is_scaled_and_not_clipped_to_white(stored: int, seen: int) -> None:
    assert top_left(flat(16, files.GREY, stored)) == (seen, seen, seen)


def test_16_bit_colour_keeps_its_high_bytes() -> None:
    assert top_left(flat(16, files.COLOUR, 0x1234, 0x80FF, 0xFFFF)) == (0x12, 0x80, 0xFF)


def test_16_bit_alpha_lets_the_background_through() -> None:
    assert top_left(flat(16, files.COLOUR_ALPHA, 0, 0, 0, 0)) == BACKGROUND
    assert top_left(flat(16, files.COLOUR_ALPHA, 0x1234, 0, 0, 65535)) == (0x12, 0, 0)


def test_16_bit_grey_with_alpha_lets_the_background_through() -> None:
    assert top_left(flat(16, files.GREY_ALPHA, 0xFFFF, 0)) == BACKGROUND
    assert top_left(flat(16, files.GREY_ALPHA, 0x8000, 0xFFFF)) == (0x80, 0x80, 0x80)


@pytest.mark.parametrize("depth", [8, 16])
def test_pixels_of_the_transparent_colour_do_not_show(depth: int) -> None:
    key = files.chunk(b"tRNS", struct.pack(">HHH", 200, 10, 10) if depth == 8 else struct.pack(">HHH", 0xC800, 0x0A00, 0x0A00))
    samples = (200, 10, 10) if depth == 8 else (0xC800, 0x0A00, 0x0A00)
    others = (201, 10, 10) if depth == 8 else (0xC900, 0x0A00, 0x0A00)
    assert top_left(flat(depth, files.COLOUR, *samples, extra=key)) == BACKGROUND
    assert top_left(flat(depth, files.COLOUR, *others, extra=key)) == (201, 10, 10)


@pytest.mark.parametrize(("depth", "key", "other", "seen"), [(8, 7, 8, 8), (16, 0x0707, 0x0708, 7)])
def test_grey_of_the_transparent_level_does_not_show(depth: int, key: int, other: int, seen: int) -> None:
    transparent = files.chunk(b"tRNS", struct.pack(">H", key))
    assert top_left(flat(depth, files.GREY, key, extra=transparent)) == BACKGROUND
    assert top_left(flat(depth, files.GREY, other, extra=transparent)) == (seen, seen, seen)


def test_a_fully_transparent_image_is_all_background_whatever_it_hides() -> None:
    hidden = files.photo(64, 64)
    hidden.putalpha(0)
    for file_format, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True})):
        assert decode(files.encoded(hidden, file_format, **options)).pixels.getcolors() == [(64 * 64, BACKGROUND)]


def test_half_transparent_white_and_black_both_stay_visible() -> None:
    for level in (0, 255):
        image = Image.new("LA", (SIDE, SIDE), (level, 128))
        assert abs(top_left(files.encoded(image, "PNG"))[0] - BACKGROUND[0]) > 60


def test_palette_transparency_lets_the_background_through() -> None:
    image = files.photo(64, 64).quantize(8)
    index = image.getpixel((0, 0))
    assert top_left(files.encoded(image, "PNG", transparency=index)) == BACKGROUND
    assert top_left(files.encoded(image, "PNG", transparency=bytes(8))) == BACKGROUND
    assert top_left(files.encoded(image, "PNG")) == image.convert("RGB").getpixel((0, 0))


def test_one_bit_images_are_black_and_white() -> None:
    colours = decode(files.encoded(files.photo(64, 64).convert("1"), "PNG")).pixels.getcolors()
    assert colours is not None
    assert {colour for _, colour in colours} == {(0, 0, 0), (255, 255, 255)}


def test_a_cmyk_jpeg_is_not_shown_inverted() -> None:
    red = Image.new("RGB", (64, 64), (220, 30, 30))
    pixel = top_left(files.encoded(red.convert("CMYK"), "JPEG", quality=95))
    assert all(abs(seen - meant) < 8 for seen, meant in zip(pixel, (220, 30, 30), strict=True))


def test_a_grey_jpeg_decodes_to_equal_channels() -> None:
    pixel = top_left(files.encoded(Image.new("L", (64, 64), 77), "JPEG"))
    assert pixel == (77, 77, 77)


def test_a_profile_is_judged_by_what_it_does_and_not_by_its_name() -> None:
    pixel = top_left(files.encoded(Image.new("RGB", (64, 64), (255, 0, 0)), "PNG", icc_profile=files.profile_with_swapped_primaries()))
    assert pixel[2] > 200 > 50 > pixel[0]


def test_an_srgb_profile_changes_no_pixel() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = files.photo()
    assert decode(files.encoded(photo, "PNG", icc_profile=profile)).pixels.tobytes() == photo.tobytes()


@pytest.mark.parametrize("profile", [b"not a profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()])
def test_a_broken_or_foreign_profile_is_ignored(profile: bytes) -> None:
    photo = files.photo()
    assert decode(files.encoded(photo, "PNG", icc_profile=profile)).pixels.tobytes() == photo.tobytes()
