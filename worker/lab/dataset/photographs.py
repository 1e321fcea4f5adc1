"""Photographs to build from: files below a folder, or objects below an S3 prefix, each under a name that says which collection it is of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from worker.intake.folder import find_images
from worker.intake.prefix import read_prefix
from worker.intake.reference import AllowedSources, parse_reference
from worker.intake.storage import Storage, address
from worker.lab.dataset.claim import claimed_folders
from worker.moderation.errors import RejectedError
from worker.moderation.settings import Settings

STORED = "s3://"


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One SOURCE: its short name, unique among those of a build, and the licence that its owner gave for it."""

    name: str
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """Something that may be one. `name` is `collection/path`; `read` raises RejectedError, TransientError, MisconfiguredError, OSError."""

    name: str
    collection: str
    read: Callable[[], bytes] = field(repr=False, compare=False)


def find_photographs(
    sources: Sequence[str], licences: Sequence[str], settings: Settings, storage: Storage | None
) -> tuple[tuple[Collection, ...], tuple[Photograph, ...]]:
    """The collections that `sources` name and all that lies below them, in a fixed order. `storage` may be None without an S3 source.

    Raises RejectedError: folder_missing, folder_empty, source_empty, those of a reference and of the store; TransientError,
    MisconfiguredError.
    """
    collections: list[Collection] = []
    photographs: list[Photograph] = []
    for source, licence in zip(sources, licences, strict=True):
        name = _unused(source.rstrip("/").rsplit("/", 1)[-1] or "photographs", {collection.name for collection in collections})
        collections.append(Collection(name=name, licence=licence))
        if source.startswith(STORED):
            if storage is None:
                raise ValueError(f"{source} needs a storage")
            photographs += _stored(source, name, settings, storage)
        else:
            photographs += _local(Path(source).expanduser(), name, settings.fetch_max_bytes)
    return tuple(collections), tuple(photographs)


def _local(folder: Path, collection: str, max_bytes: int) -> list[Photograph]:
    def reader(path: Path) -> Callable[[], bytes]:
        def read() -> bytes:
            if (size := path.stat().st_size) > max_bytes:
                message = f"{path.name} has {size:,} bytes; the limit is {max_bytes:,} (ZOOMIN_FETCH_MAX_BYTES)."
                raise RejectedError("object_too_large", message)
            return path.read_bytes()

        return read

    # OUT may lie below the folder, and earlier builds: what they made is no photograph.
    made = {path.relative_to(folder) for path in claimed_folders(folder)}
    paths = [path for path in find_images(folder) if made.isdisjoint(path.parents)]
    if not paths:
        raise RejectedError("folder_empty", f"{folder} holds no photographs: all its images are of data sets that were built there.")
    return [Photograph(name=f"{collection}/{path.as_posix()}", collection=collection, read=reader(folder / path)) for path in paths]


def _stored(source: str, collection: str, settings: Settings, storage: Storage) -> list[Photograph]:
    def reader(key: str) -> Callable[[], bytes]:
        return lambda: storage.get(bucket, key, max_bytes=settings.fetch_max_bytes, timeout_seconds=settings.fetch_timeout_seconds).body

    bucket, _, prefix = source.removeprefix(STORED).partition("/")
    parse_reference(address(bucket, prefix or "-"), AllowedSources.of(settings))  # the same rules as for an item
    keys = [row.source_ref.removeprefix(address(bucket)) for row in read_prefix(storage, bucket, prefix)]
    if not keys:
        raise RejectedError("source_empty", f"No object begins with {address(bucket, prefix)}.")
    return [
        Photograph(name=f"{collection}/{key.removeprefix(prefix).lstrip('/') or key}", collection=collection, read=reader(key))
        for key in keys
    ]


def _unused(name: str, taken: set[str]) -> str:
    numbered = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 2)))
    return next(candidate for candidate in numbered if candidate not in taken)
