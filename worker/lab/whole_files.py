"""Files that appear whole or not at all, whatever interrupts their writing."""

import os
from pathlib import Path


def write_whole(path: Path, body: bytes) -> None:
    """Writes `path`, replacing what was there. Raises OSError, naming `path`; then the old file stands and nothing else is left."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")  # the same folder, so that the renaming is atomic
    try:
        with partial.open("wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        error.filename = str(path)  # the user has never heard of the other
        raise
    finally:
        partial.unlink(missing_ok=True)
