"""Any pixel layout of the allowed formats → 8-bit sRGB as a person would see it."""

import functools
import io

from PIL import Image, ImageChops, ImageCms

from worker.moderation.errors import RejectedError

# Mid grey: hidden black and hidden white content both stay visible to the model; white or black would swallow one of them.
BACKGROUND = (128, 128, 128)
HIGH_BYTES = tuple(level >> 8 for level in range(65536))  # 16-bit grey as Pillow loads 16-bit colour; its own convert() clips to white
LATTICE_STEPS = 17  # per channel; 4,913 colours tell whether a profile changes anything
ROUNDING = 1  # of 255; a profile that moves no lattice colour further than this is sRGB already


def to_srgb(image: Image.Image) -> Image.Image:
    """A loaded image as RGB: 16 bits scaled, ICC profile applied, transparency laid over BACKGROUND.

    Raises RejectedError("image_mode_refused") for layouts that JPEG, PNG and WebP do not have.
    """
    colour, alpha = _colour_and_alpha(image)
    rgb = _in_srgb(colour, image.info.get("icc_profile"))
    if alpha is None:
        return rgb
    ground = Image.new("RGB", rgb.size, BACKGROUND)
    ground.paste(rgb, mask=alpha)
    return ground


def _colour_and_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """8-bit colour (L, RGB or CMYK) and alpha (L, or None when opaque)."""
    transparent = image.info.get("transparency")
    match image.mode:
        case "I;16" | "I;16B" | "I;16L" | "I;16N" | "I":
            return _scaled_to_bytes(image, transparent)
        case "1" | "L" | "RGB" | "P" if transparent is not None:
            return _with_transparency(image)
        case "1":
            return image.convert("L"), None
        case "P":
            return image.convert("RGB"), None
        case "L" | "RGB" | "CMYK":
            return image, None
        case "LA":
            return image.getchannel("L"), image.getchannel("A")
        case "RGBA":
            return image.convert("RGB"), image.getchannel("A")
    raise RejectedError("image_mode_refused", f"The image's pixel layout ({image.mode}) is not supported. Save it as 8-bit RGB.")


def _scaled_to_bytes(image: Image.Image, transparent: int | None) -> tuple[Image.Image, Image.Image | None]:
    levels = image.convert("I")  # the only mode that Pillow maps through a 65,536-entry table
    alpha = None
    if transparent is not None:
        alpha = levels.point([0 if level == transparent else 255 for level in range(65536)], "L")
    return levels.point(HIGH_BYTES, "L"), alpha


def _with_transparency(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Splits palette or key-colour transparency off. Grey stays grey, so that its ICC profile still fits."""
    key = image.info["transparency"]
    if image.mode == "RGB" and max(key) > 255:
        image = image.copy()
        image.info["transparency"] = tuple(level >> 8 for level in key)
    layered = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    return layered.convert(layered.mode[:-1]), layered.getchannel("A")


def _in_srgb(colour: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB. A profile that is broken or belongs to another kind of image is ignored, as browsers do."""
    if profile:
        try:
            transform = _transform(profile, colour.mode)
            return colour.convert("RGB") if transform is None else transform.apply(colour)
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
            return colour.convert("RGB")
    return colour.convert("RGB")


@functools.lru_cache(maxsize=8)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The transform to sRGB; None when it changes nothing, which most photographs' profiles do not.

    Judged by what it does, not by its name: a profile called sRGB that swaps colours must not pass.
    """
    transform = ImageCms.buildTransform(
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")),
        mode,
        "RGB",
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
    )
    if mode != "RGB":
        return transform
    lattice = _lattice()
    moved = ImageChops.difference(lattice, transform.apply(lattice))
    return None if max(high for _, high in moved.getextrema()) <= ROUNDING else transform  # type: ignore[misc]


def _lattice() -> Image.Image:
    levels = [round(step * 255 / (LATTICE_STEPS - 1)) for step in range(LATTICE_STEPS)]
    colours = bytes(level for red in levels for green in levels for blue in levels for level in (red, green, blue))
    return Image.frombytes("RGB", (LATTICE_STEPS**2, LATTICE_STEPS), colours)
