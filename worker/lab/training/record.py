"""What is trained in a folder, so that a later run goes on with the same and nothing else."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from worker.exports.whole_files import write_whole
from worker.moderation.errors import MisconfiguredError
from worker.vision.checkpoint import Checkpoint
from worker.zoomin.prompts import load_prompts

RECORD = "training.json"
SHAPING = ("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "chat_template.jinja")
OTHER = {
    "checkpoint": "another checkpoint",
    "limits": "other limits in its zoomin.json",
    "prompts": "other prompts",
    "photographs": "other photographs",
    "plan": "another plan or effort",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a training is made of; the checkpoint, the prompts and the photographs as digests."""

    checkpoint: str
    limits: str
    prompts: str
    photographs: str
    plan: str


def record_of(checkpoint: Checkpoint, source: Path, photographs: Sequence[Path], plan: object, *, with_weights: bool) -> Record:
    """Of training that begins with `checkpoint`, read from `source` or a copy of it. Raises OSError."""
    digest = hashlib.sha256()
    for path in (source / name for name in SHAPING):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for path in sorted(source.glob("*.safetensors")) if with_weights else ():
        digest.update(f"{path.name} {path.stat().st_size}".encode())  # reading tens of gigabytes would take minutes
    names = hashlib.sha256("\n".join(path.name for path in photographs).encode())
    return Record(
        checkpoint=digest.hexdigest(),
        limits=json.dumps({**checkpoint.limits.model_dump(), **asdict(checkpoint.reply_limits)}),
        prompts=load_prompts().sha256,
        photographs=names.hexdigest(),
        plan=repr(plan),
    )


def claim(out: Path, record: Record) -> None:
    """Makes `out` the folder of this training.

    Raises MisconfiguredError: `training_other` when it is of another one, `training_record_damaged`; OSError.
    """
    file = out / RECORD
    if file.is_file():
        _refuse_other(out, _read(file), record)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MisconfiguredError("training_other", f"{out} holds something that is not training's. Name a new or empty folder.")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(asdict(record), indent=2).encode())


def _read(file: Path) -> dict[str, str]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MisconfiguredError("training_record_damaged", f"{file} cannot be read. Name another folder.")
    return found


def _refuse_other(out: Path, found: dict[str, str], record: Record) -> None:
    if not found.keys() >= OTHER.keys():
        raise MisconfiguredError(
            "training_other", f"{out} was begun by an earlier version, which noted too little to go on with the same. Name another folder."
        )
    other = [words for name, words in OTHER.items() if found[name] != asdict(record)[name]]
    if other:
        raise MisconfiguredError(
            "training_other",
            f"{out} was begun with {' and '.join(other)}. Repeat that command to go on with it, or name another folder.",
        )
