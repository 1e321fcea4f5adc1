"""Attended verdicts in a folder: pictures and arrays named by their sha256, and per request one entry that lists them.

The folder is a person's own (`zoomin attend --out`); the system keeps its maps in the evidence bucket.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.exports.whole_files import write_whole

SHOWN_DIGITS = 12  # of a sha256 in a file's name
FOLDER = ".attended"  # below the person's folder: entries, by the request's key


@dataclass(frozen=True, slots=True)
class Entry:
    """What a request came to: figures as plain JSON, and the names of its files below the folder with their sha256."""

    figures: Mapping[str, Any]
    files: Mapping[str, str]


def request_key(request: Mapping[str, Any]) -> str:
    """sha256 over everything that can change the answer, as canonical JSON."""
    return hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def find_entry(folder: Path, key: str) -> Entry | None:
    """The entry of a request whose files all lie there unaltered; None otherwise."""
    try:
        found = json.loads(_path(folder, key).read_bytes())
        entry = Entry(found["figures"], found["files"])
        whole = all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == sha256 for name, sha256 in entry.files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None  # made anew, whatever became of it
    return entry if whole else None


def keep_entry(folder: Path, key: str, entry: Entry, bodies: Mapping[str, bytes]) -> None:
    """Writes the files, then the entry: what is listed is there. Raises OSError."""
    _path(folder, key).parent.mkdir(parents=True, exist_ok=True)
    for name, body in bodies.items():
        write_whole(folder / name, body)
    write_whole(_path(folder, key), json.dumps({"figures": entry.figures, "files": entry.files}, indent=1).encode() + b"\n")


def _path(folder: Path, key: str) -> Path:
    return folder / FOLDER / f"{key}.json"
