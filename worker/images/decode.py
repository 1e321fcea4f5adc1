"""Untrusted bytes → upright RGB pixels, or a RejectedError that says why. Runs in the decode children (see `pool`)."""

import io
import warnings
from dataclasses import dataclass

from PIL import Image, JpegImagePlugin, PngImagePlugin, UnidentifiedImageError, WebPImagePlugin

from worker.images.colour import to_srgb
from worker.moderation.boxes import Size
from worker.moderation.errors import RejectedError

MEDIA_TYPES = {  # naming the classes registers these formats; otherwise Pillow would load all its forty at the first WebP
    JpegImagePlugin.JpegImageFile.format: "image/jpeg",
    PngImagePlugin.PngImageFile.format: "image/png",
    WebPImagePlugin.WebPImageFile.format: "image/webp",
}
MAX_PIXELS = 50_000_000  # 150 MB as RGB; larger than any phone's ordinary photo
MAX_SIDE = 16_384  # pixels
MIN_SIDE = 16  # pixels; about one patch of the encoder: below it the model would be shown interpolation only
ORIENTATION_TAG = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
ALLOWED_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n")
REFUSED_SIGNATURES = {  # only to name the format to its sender; nothing is decoded by these
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\1\0": "ICO",
    b"8BPS": "Photoshop",
    b"%!PS": "PostScript",
    b"%PDF": "PDF",
}
ISO_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIC", b"msf1": "HEIC"}


@dataclass(frozen=True, slots=True)
class DecodedImage:
    """Upright 8-bit sRGB pixels and the media type by content. `pixels.size` is the original, oriented size."""

    pixels: Image.Image
    media_type: str
    luminance_table: tuple[int, ...] | None = None  # of a JPEG: its 64 quantisation steps

    @property
    def size(self) -> Size:
        """Original size in pixels after EXIF orientation."""
        return Size(*self.pixels.size)


def decode(body: bytes) -> DecodedImage:
    """Decodes a JPEG, PNG or WebP still. Raises RejectedError for everything else and for everything wrong; never retry.

    Not for threads: it sets process-wide guards of Pillow and of `warnings`.
    """
    if not body:
        raise RejectedError("image_empty", "The file is empty.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's remarks on odd metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        Image.MAX_IMAGE_PIXELS = MAX_PIXELS
        try:
            return _decode(body)
        except (RejectedError, MemoryError):
            raise
        except UnidentifiedImageError:
            raise _unidentified(body) from None
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise RejectedError("image_too_large", f"The image has more than {MAX_PIXELS:,} pixels. Send a smaller one.") from None
        except Exception:  # noqa: BLE001  corrupt files raise OSError, SyntaxError, ValueError, struct.error…
            raise _corrupt() from None


def _decode(body: bytes) -> DecodedImage:
    # The size is known once the header is read; nothing of its order is allocated before it is checked.
    with Image.open(io.BytesIO(body), formats=tuple(MEDIA_TYPES)) as image:
        _refuse_kind(image)
        _refuse_size(Size(*image.size))
        media_type = MEDIA_TYPES[str(image.format)]
        image.load()
        return DecodedImage(to_srgb(_upright(image)), media_type, _luminance_table(image))


def _luminance_table(image: Image.Image) -> tuple[int, ...] | None:
    """The quantisation table of a JPEG's first component; None of other formats, and where the file names a table it does not bring."""
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or not image.layer:
        return None
    table = image.quantization.get(image.layer[0][3])
    return tuple(table) if table else None


def _refuse_kind(image: Image.Image) -> None:
    """The allow-list alone still opens MPO, animated PNG and animated WebP."""
    if getattr(image, "n_frames", 1) != 1:
        raise RejectedError("image_animated", "The file holds several pictures or is animated. Send one still image.")
    if image.format not in MEDIA_TYPES:
        raise RejectedError("image_format_refused", f"{image.format} is not accepted. Send JPEG, PNG or WebP.")


def _refuse_size(size: Size) -> None:
    shape = f"The image is {size.width}×{size.height}"
    if max(size.width, size.height) > MAX_SIDE:
        raise RejectedError("image_too_large", f"{shape}; no side may exceed {MAX_SIDE:,} pixels. Send a smaller one.")
    if min(size.width, size.height) < MIN_SIDE:
        raise RejectedError("image_too_small", f"{shape}; a side under {MIN_SIDE} pixels shows the model nothing. Send a larger one.")


def _upright(image: Image.Image) -> Image.Image:
    """The image as its EXIF orientation means it. Broken EXIF, and orientations outside 1..8, mean nothing, as in browsers."""
    try:
        turn = TURNS.get(image.getexif().get(ORIENTATION_TAG, 1))
    except Exception:  # noqa: BLE001  cyclic or truncated EXIF raises a dozen kinds
        return image
    return image if turn is None else image.transpose(turn)


def _unidentified(body: bytes) -> RejectedError:
    if body.startswith(ALLOWED_SIGNATURES) or (body[:4], body[8:12]) == (b"RIFF", b"WEBP"):
        return _corrupt()
    name = next((name for signature, name in REFUSED_SIGNATURES.items() if body.startswith(signature)), None)
    if body[4:8] == b"ftyp":
        name = ISO_BRANDS.get(body[8:12])
    if name:
        return RejectedError("image_format_refused", f"The file is {name}, whatever its name says. Send JPEG, PNG or WebP.")
    return RejectedError("image_unrecognised", "The file is not an image in a known format. Send JPEG, PNG or WebP.")


def _corrupt() -> RejectedError:
    return RejectedError("image_corrupt", "The image is truncated or damaged. Export or upload it again.")
