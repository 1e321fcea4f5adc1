"""A local folder as rows: its images are uploaded first, several at a time, and become items under their relative paths."""

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from worker.intake.rows import Row, RowError
from worker.intake.storage import Storage, address
from worker.moderation.errors import RejectedError

UPLOADS_AT_ONCE = 8  # hides round trips; the disk and the link are shared anyway
MAGIC = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}
MEDIA_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}
MAGIC_BYTES = 12


def find_images(folder: Path) -> list[Path]:
    """Paths relative to the folder of every image below it, by name or by content, sorted.

    Links are followed only to files inside the folder. Raises RejectedError `folder_missing`, `folder_empty`.
    """
    if not folder.is_dir():
        raise RejectedError("folder_missing", f"{folder} is not a folder.")
    root = folder.resolve()
    found = [
        path.relative_to(folder)
        for parent, _, names in os.walk(folder)  # does not follow linked folders
        for path in (Path(parent, name) for name in names)
        if path.resolve().is_relative_to(root) and path.is_file() and media_type(path) is not None
    ]
    if not found:
        raise RejectedError("folder_empty", f"{folder} holds no images (JPEG, PNG or WebP).")
    return sorted(found)


def media_type(path: Path) -> str | None:
    """By content, else by name, so that a broken image still becomes an item and gets its clear error; None for other files."""
    try:
        with path.open("rb") as file:
            head = file.read(MAGIC_BYTES)
    except OSError:
        head = b""  # the upload will say why
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    by_content = next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)
    return by_content or MEDIA_TYPES.get(path.suffix.lower())


def upload_folder(
    storage: Storage, folder: Path, images: list[Path], bucket: str, prefix: str, *, line: int = 0
) -> Iterator[Row | RowError]:
    """Uploads the images behind the first `line` ones under `prefix`: a row for each when it is there, in order.

    A file that cannot be read is a row error. Raises TransientError, MisconfiguredError from the store.
    """
    with ThreadPoolExecutor(UPLOADS_AT_ONCE, thread_name_prefix="upload") as threads:
        begun: deque[Future[Row | RowError]] = deque()
        try:
            for number, image in enumerate(images[line:], line + 1):
                begun.append(threads.submit(_upload, storage, folder, image, bucket, prefix, number))
                if len(begun) >= 2 * UPLOADS_AT_ONCE:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _upload(storage: Storage, folder: Path, image: Path, bucket: str, prefix: str, line: int) -> Row | RowError:
    name, path = image.as_posix(), folder / image
    try:
        storage.upload_file(bucket, prefix + name, path, media_type(path) or "application/octet-stream")
    except OSError as error:
        return RowError(line, "file_unreadable", f"{name!r} could not be read: {error.strerror}.")
    except RejectedError as error:
        return RowError(line, error.code, error.message)
    except UnicodeEncodeError:
        return RowError(line, "key_invalid", f"{name!r} has a name that is not UTF-8. Rename it.")
    return Row(address(bucket, prefix + name), name, line=line)
