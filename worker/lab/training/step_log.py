"""What a training reports, a step a line (JSON Lines). An interrupt or a full disk may cut a line off at any byte."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from worker.exports.whole_files import write_whole


def append_step(log: Path, line: Mapping[str, Any]) -> None:
    """Adds a line, which names its `step`. Raises OSError."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read_steps(log: Path) -> list[dict[str, Any]]:
    """All lines but those cut off; none without a log. Raises OSError."""
    return [line for raw in _raw_lines(log) if (line := _parsed(raw)) is not None]


def forget_after(log: Path, step: int) -> None:
    """Drops the lines of steps that will be taken again, and what was cut off: the next line would join it. Raises OSError."""
    raw_lines = _raw_lines(log)
    kept = [raw for raw in raw_lines if (line := _parsed(raw)) is not None and line["step"] <= step]
    if kept != raw_lines:
        write_whole(log, b"".join(kept))


def _raw_lines(log: Path) -> list[bytes]:
    return log.read_bytes().splitlines(keepends=True) if log.is_file() else []


def _parsed(raw: bytes) -> dict[str, Any] | None:
    if not raw.endswith(b"\n"):
        return None
    try:
        line = json.loads(raw)
    except ValueError:  # also of two lines that became one, before cut ones were dropped
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None
