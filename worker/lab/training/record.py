"""What is trained in a folder, so that a later run goes on with the same and nothing else."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from worker.exports.whole_files import write_whole
from worker.moderation.errors import MisconfiguredError

RECORD = "training.json"
SHAPING = ("config.json", "tokenizer.json", "tokenizer_config.json", "preprocessor_config.json", "chat_template.jinja")
OTHER = {"checkpoint": "another checkpoint", "photographs": "other photographs", "plan": "another plan or effort"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a training is made of; the checkpoint and the photographs as digests."""

    checkpoint: str
    photographs: str
    plan: str


def record_of(source: Path, photographs: Sequence[Path], plan: object, *, with_weights: bool) -> Record:
    """Of training that begins with the checkpoint in `source`. Raises OSError."""
    digest = hashlib.sha256()
    for path in (source / name for name in SHAPING):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    for path in sorted(source.glob("*.safetensors")) if with_weights else ():
        digest.update(f"{path.name} {path.stat().st_size}".encode())  # reading tens of gigabytes would take minutes
    names = hashlib.sha256("\n".join(path.name for path in photographs).encode())
    return Record(checkpoint=digest.hexdigest(), photographs=names.hexdigest(), plan=repr(plan))


def claim(out: Path, record: Record) -> None:
    """Makes `out` the folder of this training. Raises MisconfiguredError `training_other` when it is of another one; OSError."""
    file = out / RECORD
    if file.is_file():
        _refuse_other(out, json.loads(file.read_text(encoding="utf-8")), record)
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise MisconfiguredError("training_other", f"{out} holds something that is not training's. Name a new or empty folder.")
    out.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(asdict(record), indent=2).encode())


def _refuse_other(out: Path, found: dict[str, str], record: Record) -> None:
    other = [words for name, words in OTHER.items() if found.get(name) != asdict(record)[name]]
    if other:
        raise MisconfiguredError(
            "training_other",
            f"{out} was begun with {' and '.join(other)}. Repeat that command to go on with it, or name another folder.",
        )
