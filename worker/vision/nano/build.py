"""Puts nano's checkpoint on disk, complete with weights, where an engine can load it."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, Qwen2_5_VLForConditionalGeneration

SHIPPED = Path(__file__).parent / "checkpoint"
WEIGHTS = "model.safetensors"
SEED = 327  # of the untrained weights; chosen so that on most samples some box lands inside the image, and zooming is exercised


def materialise(directory: Path) -> Path:
    """A complete checkpoint folder below `directory`, named after what it was made from; built once, whole or not at all."""
    target = directory / _digest(SHIPPED)
    if target.is_dir():
        return target
    directory.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix="unfinished-", dir=directory))
    try:
        shutil.copytree(SHIPPED, unfinished, dirs_exist_ok=True)
        if not (unfinished / WEIGHTS).exists():
            write_untrained_weights(unfinished)
        _publish(unfinished, target)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return target


def write_untrained_weights(checkpoint: Path) -> None:
    """Weights at their initial values, the same on every machine, beside the checkpoint's config.json."""
    config = AutoConfig.from_pretrained(checkpoint)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        model = Qwen2_5_VLForConditionalGeneration(config)  # type: ignore[no-untyped-call]
    with tempfile.TemporaryDirectory(dir=checkpoint) as saved:  # save_pretrained also rewrites the config; only the weights are wanted
        model.save_pretrained(saved, safe_serialization=True)
        (Path(saved) / WEIGHTS).rename(checkpoint / WEIGHTS)


def _publish(unfinished: Path, target: Path) -> None:
    """Renames into place; when another process was faster, its copy is as good."""
    try:
        unfinished.chmod(0o755)
        unfinished.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _digest(folder: Path) -> str:
    digest = hashlib.sha256(str(SEED).encode())
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
