"""The photographs of a data set that training may see: its train split, as layers."""

from pathlib import Path

from PIL import Image

from worker.lab.layers import LAYERS
from worker.moderation.errors import RejectedError

TRAINING = Path("layers/train")  # in what `zoomin dataset build` writes
LABELS = Path("train/labels.jsonl")
NAMED = 3  # missing files, by name


def find_layers(dataset: Path) -> list[Path]:
    """The folders of layers that `dataset` holds for training, by name.

    Raises RejectedError `dataset_missing`, `dataset_empty`, `layers_missing`, or `layers_damaged` for files cut short or of two sizes.
    """
    if not dataset.is_dir():
        raise RejectedError("dataset_missing", f"{dataset} is not a folder. `zoomin dataset build SOURCE… {dataset}` makes one.")
    folder = dataset / TRAINING
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")) if folder.is_dir() else []
    if not found:
        raise RejectedError(
            "dataset_empty",
            f"{dataset} holds no photographs to train on ({TRAINING}/…). `zoomin dataset build SOURCE… OUT` writes them, unless it has too "
            "few photographs or makes a test alone: see card.md.",
        )
    for layers in found:
        _check(layers)
    return found


def find_labels(dataset: Path) -> Path:
    """The labels of the pictures that were made of them. Raises RejectedError `dataset_missing`."""
    file = dataset / LABELS
    if not file.is_file():
        raise RejectedError("dataset_missing", f"{file} is not there. `zoomin dataset build SOURCE… {dataset}` makes it, and its pictures.")
    return file


def _check(layers: Path) -> None:
    files = [layers / f"{layer}.png" for layer in LAYERS]
    missing = [file.name for file in files if not file.is_file()]
    if missing:
        raise RejectedError("layers_missing", f"{layers} lacks {', '.join(missing[:NAMED])}. Build the data set again.")
    sizes = {_size(file) for file in files}
    if len(sizes) > 1:
        raise RejectedError("layers_damaged", f"The layers in {layers} are of different sizes. Build the data set again.")


def _size(file: Path) -> tuple[int, int]:
    """Reads the file through, since what is found hours later has cost hours."""
    try:
        with Image.open(file) as image:
            image.verify()
            return image.size
    except (OSError, SyntaxError, ValueError) as error:  # SyntaxError is Pillow's word for a broken PNG
        raise RejectedError("layers_damaged", f"{file} cannot be read: {error}. Build the data set again.") from None
