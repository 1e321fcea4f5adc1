"""Writes what was trained as a checkpoint folder that an engine loads: the source's files, new weights, an honest card."""

import filecmp
import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from worker.exports.whole_files import write_whole
from worker.lab.taught_on import TAUGHT_ON, Seen, write_taught_on
from worker.moderation.errors import MisconfiguredError
from worker.moderation.release import Training
from worker.vision.checkpoint import CARD_FILE, MODEL_FILES, Checkpoint, card_name, read_checkpoint

WEIGHTS = ".safetensors"
INDEX = ".safetensors.index.json"  # of weights in several files
KEPT = ("LICENSE", "NOTICE")  # beside MODEL_FILES; a README speaks of the weights it came with
NAME_CHARS, LONGEST_SUFFIX = 64, 31  # of a card's name, and of what sets it apart


def export_checkpoint(
    model: Any,
    source: Path,
    out: Path,
    *,
    name: str | None = None,
    training: Training = Training.TRAINED,
    taught: Sequence[Seen] = (),
    dtype: torch.dtype = torch.bfloat16,
) -> Checkpoint:
    """Writes `out`: the files of the checkpoint `source` with `model`'s weights, stored as `dtype`, and a card that says so.

    config.json stays the source's, and with it the type that engines compute in. No calibration: it is fitted to these weights later.
    `name` is the card's, the source's own unless given; `taught` is all that the weights were ever taught on. `out` appears whole or not
    at all; an export in it is replaced, unless it has the same weights: then it stays as it is, with its calibration. Raises
    MisconfiguredError `export_taken` when anything else is there, `export_other_model` when the source is of another shape; OSError.
    """
    _refuse_foreign(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))  # beside it, so that the renaming is atomic
    try:
        _fill(unfinished, model, source, dtype)
        _write_card(unfinished, source, name, training)
        if taught:
            write_taught_on(unfinished, taught)
        if not (out.is_dir() and _same_weights(unfinished, out)):
            _put_in_place(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return read_checkpoint(out)


def name_beside(name: str, suffix: str) -> str:
    """`name`-`suffix`: a model with other weights must not pass for the one that it was made of, whose figures are not its own."""
    suffix = card_name(suffix)[:LONGEST_SUFFIX]
    return card_name(f"{name[: NAME_CHARS - 1 - len(suffix)]}-{suffix}")


def copy_files(source: Path, folder: Path) -> None:
    """Copies all of the checkpoint `source` but its weights and their past. Raises OSError."""
    for path in sorted(source.iterdir()):
        if _is_ours(path) and path.suffix != WEIGHTS and path.name != TAUGHT_ON and not path.name.endswith(INDEX):
            shutil.copyfile(path, folder / path.name)


def _fill(folder: Path, model: Any, source: Path, dtype: torch.dtype) -> None:
    copy_files(source, folder)
    _refuse_other_shape(model, source)
    _write_weights(folder, model, dtype)
    folder.chmod(0o755)


def _write_weights(folder: Path, model: Any, dtype: torch.dtype) -> None:
    # Through transformers: it names tensors as the hub does, drops tied ones and splits large files. It also rewrites configs; the
    # weights alone are wanted. It sets the dtype of the model's config, too, which is still of use to whoever trains on.
    computed = model.config.dtype
    weights = {key: value.detach().to("cpu", dtype) for key, value in model.state_dict().items()}
    _tie_again(model, weights)
    with tempfile.TemporaryDirectory(dir=folder) as saved:
        model.save_pretrained(saved, state_dict=weights)
        for path in Path(saved).iterdir():
            if path.suffix == WEIGHTS or path.name.endswith(INDEX):
                path.rename(folder / path.name)
    model.config.dtype = computed


def _tie_again(model: Any, weights: dict[str, torch.Tensor]) -> None:
    """Tied weights are recognised by their shared storage, which copying has parted."""
    first: dict[int, str] = {}
    for key, value in model.state_dict().items():
        weights[key] = weights[first.setdefault(value.data_ptr(), key)] if value.numel() else weights[key]


def _write_card(folder: Path, source: Path, name: str | None, training: Training) -> None:
    card = _read(source / CARD_FILE) if (source / CARD_FILE).is_file() else {}
    card = {"name": name or card.get("name") or card_name(source.resolve().name), **{k: v for k, v in card.items() if k != "name"}}
    for measured in ("calibration", "bands"):  # of the source's weights
        card.pop(measured, None)
    card["training"] = training.value
    write_whole(folder / CARD_FILE, (json.dumps(card, indent=2) + "\n").encode())


def _read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _refuse_other_shape(model: Any, source: Path) -> None:
    theirs, ours = _read(source / "config.json"), model.config
    for part in ("text_config", "vision_config"):
        for key in ("hidden_size", "intermediate_size", "num_hidden_layers", "depth", "vocab_size"):
            wanted, found = theirs.get(part, theirs).get(key), getattr(getattr(ours, part), key, None)
            if wanted is not None and part in theirs and wanted != found:
                raise MisconfiguredError(
                    "export_other_model",
                    f"{source / 'config.json'}: {part}.{key} is {wanted}, but the trained model's is {found}. Name the checkpoint that "
                    "training began with.",
                )


def _refuse_foreign(out: Path) -> None:
    if not out.exists():
        return
    if not out.is_dir():
        raise MisconfiguredError("export_taken", f"{out} is a file. Name another folder.")
    files = list(out.iterdir())
    foreign = [path.name for path in files if not _is_ours(path) and path.suffix != ".md"]
    if files and (foreign or not (out / CARD_FILE).is_file()):
        raise MisconfiguredError(
            "export_taken",
            f"{out} holds {foreign[0] if foreign else 'a checkpoint'} that is not of an export, and is left alone. Name another folder.",
        )


def _is_ours(path: Path) -> bool:
    return path.is_file() and (path.suffix in MODEL_FILES or path.stem in KEPT or path.name == TAUGHT_ON)


def _same_weights(new: Path, old: Path) -> bool:
    names = sorted(path.name for path in new.glob(f"*{WEIGHTS}"))
    if names != sorted(path.name for path in old.glob(f"*{WEIGHTS}")):
        return False
    return all(filecmp.cmp(new / name, old / name, shallow=False) for name in names)


def _put_in_place(unfinished: Path, out: Path) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as aside:
        old = Path(aside) / "old"
        try:
            if out.is_dir():
                out.rename(old)  # a folder with files in it cannot be replaced in one go
            unfinished.rename(out)
        except BaseException:  # a Ctrl-C between the two as well: the earlier export and its calibration would go with `aside`
            if old.is_dir() and not out.exists():
                old.rename(out)
            raise
