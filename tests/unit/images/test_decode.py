import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from io import BytesIO

import pytest
from PIL import Image

from tests.unit.images import files
from worker.images.decode import decode
from worker.moderation.boxes import Size
from worker.moderation.errors import RejectedError


def animation(file_format: str) -> bytes:
    """A fake first frame, then the real one."""
    return files.encoded(Image.new("RGB", (64, 64)), file_format, save_all=True, append_images=[files.photo(64, 64)], duration=100)


def archive() -> bytes:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr("photo.jpg", files.encoded(files.photo(), "JPEG"))
    return buffer.getvalue()


def short_pixels() -> bytes:
    """A PNG whose compressed pixels end, regularly, after the first of 32 rows."""
    body = files.PNG_SIGNATURE + files.chunk(b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, files.COLOUR, 0, 0, 0))
    return body + files.chunk(b"IDAT", zlib.compress(b"\0" + bytes(96))) + files.chunk(b"IEND", b"")


def cut(file_format: str, share: float) -> bytes:
    body = files.encoded(files.photo(640, 480), file_format)
    return body[: int(len(body) * share)]


BOMB = zlib.compress(bytes(80_000_000), 9)

REJECTED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "empty": ("image_empty", lambda: b""),
    "one byte": ("image_unrecognised", lambda: b"\xff"),
    "text called .jpg": ("image_unrecognised", lambda: b"not a picture at all\n" * 20),
    "HTML called .png": ("image_unrecognised", lambda: b"<!doctype html><script>alert(1)</script>"),
    "SVG with script": ("image_unrecognised", lambda: b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'),
    "SVG with external entity": ("image_unrecognised", lambda: b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg>&x;</svg>'),
    "RIFF that is a sound": ("image_unrecognised", lambda: b"RIFF\x24\0\0\0WAVEfmt "),
    "ZIP": ("image_unrecognised", archive),
    "PDF": ("image_format_refused", lambda: files.encoded(files.photo(), "PDF")),
    "EPS": ("image_format_refused", lambda: files.encoded(files.photo(), "EPS")),
    "GIF": ("image_format_refused", lambda: files.encoded(files.photo(), "GIF")),
    "animated GIF": ("image_format_refused", lambda: animation("GIF")),
    "BMP": ("image_format_refused", lambda: files.encoded(files.photo(), "BMP")),
    "multi-page TIFF": ("image_format_refused", lambda: animation("TIFF")),
    "TIFF of 32-bit integers": ("image_format_refused", lambda: files.encoded(files.photo().convert("I"), "TIFF")),
    "TIFF of floats": ("image_format_refused", lambda: files.encoded(files.photo().convert("F"), "TIFF")),
    "JPEG 2000": ("image_format_refused", lambda: files.encoded(files.photo(), "JPEG2000")),
    "ICO": ("image_format_refused", lambda: files.encoded(files.photo(64, 64), "ICO")),
    "AVIF": ("image_format_refused", lambda: files.encoded(files.photo(), "AVIF")),
    "HEIC": ("image_format_refused", lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"),
    "Photoshop": ("image_format_refused", lambda: b"8BPS\0\x01" + bytes(40)),
    "animated PNG": ("image_animated", lambda: animation("PNG")),
    "animated WebP": ("image_animated", lambda: animation("WEBP")),
    "MPO": ("image_animated", lambda: animation("MPO")),
    "JPEG cut at 10 %": ("image_corrupt", lambda: cut("JPEG", 0.1)),
    "JPEG cut at 50 %": ("image_corrupt", lambda: cut("JPEG", 0.5)),
    "JPEG cut at 99 %": ("image_corrupt", lambda: cut("JPEG", 0.99)),
    "JPEG without its end marker": ("image_corrupt", lambda: files.encoded(files.photo(), "JPEG")[:-2]),
    "PNG cut at 50 %": ("image_corrupt", lambda: cut("PNG", 0.5)),
    "WebP cut at 50 %": ("image_corrupt", lambda: cut("WEBP", 0.5)),
    "PNG with a bad header checksum": ("image_corrupt", lambda: files.with_broken_checksum(files.with_chunks(), b"IHDR")),
    "PNG of 0×0": ("image_corrupt", lambda: files.header_only_png(0, 0)),
    "zTXt bomb": ("image_corrupt", lambda: files.with_chunks(files.chunk(b"zTXt", b"Comment\0\0" + BOMB))),
    "iCCP bomb": ("image_corrupt", lambda: files.with_chunks(files.chunk(b"iCCP", b"icc\0\0" + BOMB))),
    "header of 30000²": ("image_too_large", lambda: files.header_only_png(30_000, 30_000)),
    "header of 1×65,535,000": ("image_too_large", lambda: files.header_only_png(1, 65_535_000)),
    "side of 16,385": ("image_too_large", lambda: files.header_only_png(16_385, 100)),
    "9000² zeros": ("image_too_large", lambda: files.zeros_png(9000)),
    "1×1": ("image_too_small", lambda: files.encoded(files.photo(1, 1), "PNG")),
    "2×2000": ("image_too_small", lambda: files.encoded(files.photo(2, 2000), "PNG")),
}

ACCEPTED: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG": ("image/jpeg", lambda: files.encoded(files.photo(), "JPEG")),
    "PNG": ("image/png", lambda: files.encoded(files.photo(), "PNG")),
    "WebP": ("image/webp", lambda: files.encoded(files.photo(), "WEBP")),
    "JPEG and ZIP in one": ("image/jpeg", lambda: files.encoded(files.photo(), "JPEG") + archive()),
    "JPEG and HTML in one": ("image/jpeg", lambda: files.encoded(files.photo(), "JPEG") + b"<script>alert(1)</script>"),
    "script in a JPEG comment": ("image/jpeg", lambda: files.encoded(files.photo(), "JPEG", comment=b"<script>alert(1)</script>")),
    "cyclic EXIF": ("image/jpeg", lambda: files.with_exif(files.photo(), files.cyclic_exif())),
    "EXIF of noise": ("image/jpeg", lambda: files.with_exif(files.photo(), b"MM\0*" + bytes(range(7, 71)))),
    "500 progressive scans": ("image/jpeg", lambda: files.scans_jpeg(500)),
    "PNG whose pixels end early, but regularly": ("image/png", short_pixels),  # the rest is black, as in browsers
    "10,000 text chunks": ("image/png", lambda: files.with_chunks(files.chunk(b"tEXt", b"k\0v") * 10_000)),
}


@pytest.mark.parametrize("name", REJECTED)
def test_what_is_not_a_sound_still_is_rejected_with_its_code(name: str) -> None:
    code, build = REJECTED[name]
    with pytest.raises(RejectedError) as rejection:
        decode(build())
    assert rejection.value.code == code
    assert rejection.value.message.endswith(".")


@pytest.mark.parametrize("name", ACCEPTED)
def test_odd_but_sound_stills_decode(name: str) -> None:
    media_type, build = ACCEPTED[name]
    decoded = decode(build())
    assert decoded.media_type == media_type
    assert decoded.pixels.mode == "RGB"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
def test_flipped_bits_decode_or_are_rejected_and_nothing_else(file_format: str) -> None:
    body = files.encoded(files.photo(), file_format)
    chance = random.Random(20261125)  # noqa: S311  reproducible damage, not cryptography
    rejected = 0
    for _ in range(100):
        flipped = bytearray(body)
        for _ in range(chance.randint(1, 8)):
            flipped[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
        try:
            assert decode(bytes(flipped)).pixels.mode == "RGB"
        except RejectedError:
            rejected += 1
    assert rejected > 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    upright = files.photo(96, 64)
    inverse = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright if orientation == 1 else upright.transpose(inverse[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(files.encoded(stored, "PNG", exif=exif))
    assert decoded.size == Size(96, 64)
    assert decoded.pixels.tobytes() == upright.tobytes()


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_that_means_nothing_is_ignored(orientation: int) -> None:
    assert decode(files.with_exif(files.photo(96, 64), files.exif_orientation(orientation))).size == Size(96, 64)


def test_exif_orientation_of_a_jpeg_swaps_the_sides() -> None:
    assert decode(files.with_exif(files.photo(96, 64), files.exif_orientation(6))).size == Size(64, 96)
