"""Where results are written: stdout, or a file that appears only when it is whole."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def open_output(path: Path | None) -> Iterator[TextIO]:
    """Stdout, or a file that takes the place of `path` at the end; after an error nothing of it is left. Raises OSError."""
    if path is None or str(path) == "-":
        yield sys.stdout
        sys.stdout.flush()
    elif path.exists() and not path.is_file():  # a pipe or a device is written to, not replaced
        with path.open("w", encoding="utf-8", newline="") as out:
            yield out
    else:
        with _replacing(path) as out:
            yield out


@contextmanager
def _replacing(path: Path) -> Iterator[TextIO]:
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")  # the same folder, so that the renaming is atomic
    try:
        with partial.open("x", encoding="utf-8", newline="") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        partial.replace(path)
    except OSError as error:
        error.filename = str(path)  # the user has never heard of the other
        raise
    finally:
        partial.unlink(missing_ok=True)
