"""The pictures that are evaluated: a folder and its labels, found fit, and named by what they hold."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from worker.lab.labels import Label, check_labels, read_labels
from worker.moderation.errors import RejectedError

SEED = 2025
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureSet:
    """Labelled pictures. `labels_sha256` is of the labels file."""

    folder: Path
    labels: tuple[Label, ...]
    unlabelled: int  # pictures in the folder that no label names
    labels_sha256: str
    digests: tuple[bytes, ...]  # sha256 of each labelled file

    @property
    def pictures_sha256(self) -> str:
        """Over the labelled files in order."""
        return hashlib.sha256(b"".join(self.digests)).hexdigest()

    @property
    def sources(self) -> int:
        """How many photographs the pictures were made of."""
        return len({label.source for label in self.labels})


def open_set(folder: Path, labels_file: Path, limit: int | None = None) -> PictureSet:
    """The set, cut to about `limit` pictures of whole sources.

    Raises RejectedError: no such folder, faulty labels, missing files, or boxes outside their pictures.
    """
    if not folder.is_dir():
        raise RejectedError("folder_missing", f"{folder} is not a folder.")
    every = read_labels(labels_file)
    labels = every if limit is None else sample_by_source(every, limit)
    check_labels(labels, folder)
    return PictureSet(
        folder=folder,
        labels=labels,
        unlabelled=_unlabelled(folder, every),
        labels_sha256=hashlib.sha256(labels_file.read_bytes()).hexdigest(),
        digests=tuple(_digest(folder / label.file) for label in labels),
    )


def sample_by_source(labels: Sequence[Label], most: int) -> tuple[Label, ...]:
    """At most `most` labels, in their own order: of whole sources, drawn alike every time; of one source at least.

    So each photograph keeps all that was made of it, and the classes keep their shares.
    """
    sizes: dict[str, int] = {}
    for label in labels:
        sizes[label.source] = sizes.get(label.source, 0) + 1
    chosen, taken = set[str](), 0
    for source in np.random.default_rng(SEED).permutation(sorted(sizes)):
        if not chosen or taken + sizes[source] <= most:
            chosen.add(str(source))
            taken += sizes[source]
    return tuple(label for label in labels if label.source in chosen)


def _unlabelled(folder: Path, labels: Sequence[Label]) -> int:
    named = {folder / label.file for label in labels}
    return sum(path.suffix.lower() in SUFFIXES and path not in named and path.is_file() for path in folder.rglob("*"))


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
