"""A baseline made by hand: a small MLP on the log-DCT energies of single tokens, and the most suspicious window of a picture."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from worker.lab.training.sight import drawn_shares
from worker.moderation.boxes import Box
from worker.moderation.errors import RejectedError

TOKEN = 28  # pixels: the area that a merged token of the model sees
BANDS = 24  # radial, of the token's DCT
HIDDEN = 128
FLOOR = 1e-4  # of squared coefficients of luma in 0..1; below is rounding
WINDOWS = (3, 4, 5)  # tokens a side; the best of them is the picture's score
WHOLLY = 0.98  # share of a token; one that a region only touches teaches neither side
MOST_TOKENS = 60_000  # of each class; more changed the AUROC in the third digit
MOST_ROUNDS, MOST_BATCH = 40, 512
SEED = 2025


class EnergyProbe:
    """Learns tokens, scores pictures."""

    def __init__(self) -> None:
        self._features: dict[bool, list[NDArray[np.float32]]] = {False: [], True: []}
        self._model: Pipeline | None = None

    def learn(self, image: Image.Image, drawn: Sequence[Box]) -> None:
        """Notes the tokens of a picture (RGB); `drawn` are the boxes that a network drew, none of a real picture, in its pixels."""
        energies = token_energies(image)
        rows, columns = energies.shape[:2]
        shares = drawn_shares(drawn, Box(0, 0, columns * TOKEN, rows * TOKEN), (rows, columns))
        if drawn:
            self._features[True].append(energies[shares >= WHOLLY])
        else:
            self._features[False].append(energies[shares == 0])

    def fit(self) -> None:
        """Trains on what was noted, as many tokens of either class. Raises RejectedError when one of them is missing."""
        chance = np.random.default_rng(SEED)
        real, generated = (
            _drawn(np.concatenate(self._features[kind] or [np.empty((0, BANDS), np.float32)]), chance) for kind in (False, True)
        )
        count = min(len(real), len(generated))
        if not count:
            raise RejectedError(
                "baseline_undetermined", "The energies baseline learns from both classes: real pictures, and ones with regions drawn in."
            )
        self._features = {False: [], True: []}
        batch = min(MOST_BATCH, count)
        mlp = MLPClassifier((HIDDEN,), early_stopping=True, max_iter=MOST_ROUNDS, batch_size=batch, random_state=SEED)
        model = make_pipeline(StandardScaler(), mlp)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # the rounds are capped on purpose
            model.fit(np.concatenate([real[:count], generated[:count]]), np.repeat([False, True], count))
        self._model = model

    def score(self, image: Image.Image) -> float:
        """Mean log-odds of the picture's most suspicious window."""
        if self._model is None:
            raise ValueError("fit first")
        energies = token_energies(image)
        p = self._model.predict_proba(energies.reshape(-1, BANDS))[:, 1].clip(1e-7, 1 - 1e-7)
        return max(_window_means((np.log(p) - np.log1p(-p)).reshape(energies.shape[:2])))


def token_energies(image: Image.Image) -> NDArray[np.float32]:
    """Log-energies of the radial DCT bands of each whole token: rows × columns × BANDS. A picture under a token a side is padded."""
    luma = np.asarray(image.convert("L"), dtype=np.float32) / 255
    luma = np.pad(luma, [(0, max(0, TOKEN - side)) for side in luma.shape], mode="symmetric")
    rows, columns = (side // TOKEN for side in luma.shape)
    tokens = luma[: rows * TOKEN, : columns * TOKEN].reshape(rows, TOKEN, columns, TOKEN).transpose(0, 2, 1, 3)
    energy = np.square(dctn(tokens, axes=(-2, -1), norm="ortho")).reshape(rows, columns, -1)
    radius = np.hypot(*np.meshgrid(np.arange(TOKEN), np.arange(TOKEN), indexing="ij")).ravel()
    bands = np.minimum((radius / radius.max() * BANDS).astype(int), BANDS - 1)
    pooled = np.stack([energy[..., bands == band].mean(axis=-1) for band in range(BANDS)], axis=-1)
    logarithms: NDArray[np.float32] = np.log(pooled + FLOOR).astype(np.float32)
    return logarithms


def _drawn(features: NDArray[np.float32], chance: np.random.Generator) -> NDArray[np.float32]:
    return features[chance.permutation(len(features))[:MOST_TOKENS]]


def _window_means(logits: NDArray[np.float64]) -> Iterator[float]:
    for side in WINDOWS:
        shape = tuple(min(side, extent) for extent in logits.shape)
        yield float(np.lib.stride_tricks.sliding_window_view(logits, shape).mean(axis=(-2, -1)).max())
