"""Image files as bytes: honest ones from Pillow, hostile ones chunk by chunk."""

import io
import struct
import zlib
from collections.abc import Iterable
from typing import Any

from PIL import Image, ImageCms, ImageFilter

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, GREY_ALPHA, COLOUR, COLOUR_ALPHA = 0, 4, 2, 6  # PNG colour types


def photo(width: int = 96, height: int = 64) -> Image.Image:
    """A picture with structure everywhere: gradients in three directions and a soft disc."""
    bands = Image.linear_gradient("L"), Image.linear_gradient("L").rotate(90), Image.radial_gradient("L")
    return Image.merge("RGB", [band.resize((width, height)) for band in bands])


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The image as a file of that format."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk with a right checksum."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes, extra: Iterable[bytes] = ()) -> bytes:
    """A PNG of unfiltered `rows` (without filter bytes); `extra` chunks stand before the pixels."""
    stride = len(rows) // height if height else 0
    raw = b"".join(b"\0" + rows[y * stride : (y + 1) * stride] for y in range(height))
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0))
    return PNG_SIGNATURE + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def zeros_png(side: int) -> bytes:
    """A black grey-scale PNG: a few hundred kilobytes that unfold to side² bytes."""
    return png(side, side, 8, GREY, bytes(side * side))


def header_only_png(width: int, height: int) -> bytes:
    """A PNG that promises much and holds one byte of it."""
    return png(width, height, 8, COLOUR, b"") if height == 0 else _promise(width, height)


def _promise(width: int, height: int) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR, 0, 0, 0))
    return PNG_SIGNATURE + header + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def with_chunks(*extra: bytes) -> bytes:
    """A good 32×32 PNG with `extra` chunks after its header."""
    return png(32, 32, 8, COLOUR, photo(32, 32).tobytes(), extra)


def with_broken_checksum(body: bytes, name: bytes) -> bytes:
    """The PNG with one bit of the named chunk's checksum flipped."""
    start = body.index(name)
    (length,) = struct.unpack(">I", body[start - 4 : start])
    place = start + 4 + length
    return body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]


def with_exif(image: Image.Image, exif: bytes) -> bytes:
    """A JPEG carrying `exif` (a TIFF structure)."""
    return encoded(image, "JPEG", exif=b"Exif\0\0" + exif, quality=95)


def exif_orientation(value: int) -> bytes:
    """EXIF that says nothing but the orientation."""
    return b"MM\0*\0\0\0\x08" + b"\0\x01" + struct.pack(">HHIHH", 0x0112, 3, 1, value, 0) + b"\0\0\0\0"


def cyclic_exif() -> bytes:
    """EXIF whose only directory names itself as its Exif directory and as its successor."""
    return b"MM\0*\0\0\0\x08" + b"\0\x01" + struct.pack(">HHII", 0x8769, 4, 1, 8) + struct.pack(">I", 8)


def profile_with_swapped_primaries() -> bytes:
    """An sRGB profile, description included, whose red is blue and whose blue is red."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack(">I", profile[128:132])
    swap = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}
    for start in range(132, 132 + 12 * count, 12):
        name = bytes(profile[start : start + 4])
        profile[start : start + 4] = swap.get(name, name)
    return bytes(profile)


def scans_jpeg(repeats: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    body = encoded(photo(), "JPEG", progressive=True)
    scan = body[body.rindex(b"\xff\xda") : -2]
    return body[:-2] + scan * repeats + body[-2:]


def gradient(size: tuple[int, int]) -> Image.Image:
    """Grey levels from left to right, in steps of one where it is wide enough."""
    across = bytes(255 * x // (size[0] - 1) for x in range(size[0]))
    return Image.frombytes("L", (size[0], 1), across).resize(size)


def halves(size: tuple[int, int], sigma: float = 0.0) -> Image.Image:
    """Dark and light, each a half."""
    image = Image.new("L", size, 20)
    image.paste(220, (0, 0, size[0] // 2, size[1]))
    return image.filter(ImageFilter.GaussianBlur(sigma)) if sigma else image
