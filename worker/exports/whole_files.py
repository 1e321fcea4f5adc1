"""Files that appear whole or not at all, whatever interrupts their writing."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file that takes the place of `path` at the end. Raises OSError, naming `path`.

    After any error the old file stands, and nothing else is left.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")  # the same folder, so that the renaming is atomic
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        error.filename = str(path)  # the user has never heard of the other
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, body: bytes) -> None:
    """Writes `path`, replacing what was there. Raises OSError."""
    with replacing(path) as file:
        file.write(body)
