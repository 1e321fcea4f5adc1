"""What SOURCE may be, and how each kind is read: `s3://bucket/prefix/`, a manifest in S3 or on disk, a local folder, rows in memory."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from worker.intake.folder import find_images, upload_folder
from worker.intake.manifest import SOURCE_REF, ManifestFormat, manifest_format, read_manifest, row_of
from worker.intake.prefix import read_prefix
from worker.intake.reference import UPLOADS, AllowedSources, Reference, check_prefix, parse_reference, shown
from worker.intake.rows import Row, RowError
from worker.intake.storage import Storage, address
from worker.moderation.errors import RejectedError
from worker.moderation.settings import Settings

HOW_TO_END = "An S3 prefix ends in /; a manifest in .jsonl or .csv, with or without .gz."


@dataclass(frozen=True, slots=True)
class Place:
    """How far a source has been read: the last line, and the source's own mark of it."""

    line: int = 0
    mark: str = ""


class Source(Protocol):
    """Something that rows can be read from, again and from any place on."""

    @property
    def name(self) -> str:
        """As the batch remembers it; never a credential."""

    @property
    def identity(self) -> str:
        """Changes when the content does."""

    @property
    def total(self) -> int | None:
        """How many rows there will be, where that is known."""

    def rows(self, batch_id: UUID, place: Place) -> Iterator[Row | RowError]:
        """Rows behind `place`. Raises RejectedError, TransientError, MisconfiguredError."""

    def mark(self, row: Row | RowError) -> str:
        """What `rows` needs, besides the line, to go on behind this row."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Sources that find their place by the line alone."""

    name: str
    identity: str
    total: int | None = None

    def mark(self, row: Row | RowError) -> str:  # noqa: ARG002  the protocol's signature
        """Nothing."""
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredManifest(_Kept):
    """A manifest in S3. Its identity is the ETag, and no other content is read."""

    storage: Storage
    reference: Reference
    form: ManifestFormat

    def rows(self, batch_id: UUID, place: Place) -> Iterator[Row | RowError]:  # noqa: ARG002
        """Read again from the start; rows up to the place are passed over."""
        where = self.reference
        with self.storage.open(where.bucket, where.key, where.version_id, etag=self.identity) as stream:
            yield from _behind(place, read_manifest(stream, self.form))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalManifest(_Kept):
    """A manifest on this machine's disk. Its identity is size and time of change."""

    path: Path
    form: ManifestFormat

    def rows(self, batch_id: UUID, place: Place) -> Iterator[Row | RowError]:  # noqa: ARG002
        """Read again from the start; rows up to the place are passed over."""
        with self.path.open("rb") as stream:
            yield from _behind(place, read_manifest(stream, self.form))
        if _file_identity(self.path) != self.identity:
            raise RejectedError("manifest_changed", f"{self.path} changed while it was read. Submit it again as a new batch.")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPrefix:
    """Every object below a prefix. Listed, not pinned: objects that come or go meanwhile may be in or out."""

    storage: Storage
    bucket: str
    prefix: str
    identity: str = ""
    total: int | None = None

    @property
    def name(self) -> str:
        """The prefix."""
        return address(self.bucket, self.prefix)

    def rows(self, batch_id: UUID, place: Place) -> Iterator[Row | RowError]:  # noqa: ARG002
        """The listing behind the key that `place` marks."""
        return read_prefix(self.storage, self.bucket, self.prefix, line=place.line, after=place.mark)

    def mark(self, row: Row | RowError) -> str:
        """The key."""
        return row.source_ref.removeprefix(address(self.bucket)) if isinstance(row, Row) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFolder(_Kept):
    """Images on this machine's disk. Its identity is that of their names."""

    storage: Storage
    folder: Path
    images: list[Path]
    bucket: str

    def rows(self, batch_id: UUID, place: Place) -> Iterator[Row | RowError]:
        """Uploads what lies behind the place."""
        return upload_folder(self.storage, self.folder, self.images, self.bucket, f"{UPLOADS}{batch_id}/", line=place.line)


@dataclass(frozen=True, slots=True, kw_only=True)
class References(_Kept):
    """Rows from code: `s3://` references, or mappings like a manifest's rows."""

    references: Iterable[str | Mapping[str, Any]] = field(repr=False)

    def rows(self, batch_id: UUID, place: Place) -> Iterator[Row | RowError]:  # noqa: ARG002
        """Numbered from 1."""
        for line, reference in islice(enumerate(self.references, 1), place.line, None):
            yield row_of(line, {SOURCE_REF: reference} if isinstance(reference, str) else dict(reference))


def find_source(text: str, settings: Settings, storage: Storage | None = None) -> Source:
    """What a SOURCE names, after a look that it is there.

    Raises RejectedError: source_unknown, source_missing, source_empty and those of a reference, a folder and the store.
    """
    if "://" in text:
        return find_stored_source(text, settings, storage or Storage(settings))
    path = Path(text).expanduser()
    if path.is_dir():
        images = find_images(path)
        names = "\0".join(image.as_posix() for image in images).encode(errors="surrogateescape")
        identity = hashlib.sha256(names).hexdigest()
        return LocalFolder(
            name=text,
            identity=identity,
            total=len(images),
            storage=storage or Storage(settings),
            folder=path,
            images=images,
            bucket=settings.upload_bucket,
        )
    if not path.exists():
        raise RejectedError("source_missing", f"There is no file or folder {text}.")
    if (form := manifest_format(path.name)) is None or not path.is_file():
        raise RejectedError(
            "source_unknown", f"{text} is neither a folder nor a manifest. A manifest ends in .jsonl or .csv, or .gz of it."
        )
    if not os.access(path, os.R_OK):
        raise RejectedError("source_unreadable", f"{text} cannot be read: permission denied.")
    return LocalManifest(name=text, identity=_file_identity(path), path=path, form=form)


def find_stored_source(text: str, settings: Settings, storage: Storage) -> "StoredPrefix | StoredManifest":
    """What a SOURCE in S3 names, after a look that it is there. For whoever must never read this machine's disk.

    Raises as `find_source`.
    """
    allowed = AllowedSources.of(settings)
    if text.startswith("s3://") and (text.endswith("/") or "/" not in text[5:]):
        bucket, _, prefix = text[5:].partition("/")
        check_prefix(bucket, prefix, allowed)
        if next(read_prefix(storage, bucket, prefix), None) is None:
            raise RejectedError("source_empty", f"No object begins with {address(bucket, prefix)}.")
        return StoredPrefix(storage=storage, bucket=bucket, prefix=prefix)
    reference = parse_reference(text, allowed)
    if (form := manifest_format(reference.key)) is None:
        raise RejectedError("source_unknown", f"{shown(text)} is neither a prefix nor a manifest. {HOW_TO_END}")
    name = address(reference.bucket, reference.key)
    if (identity := storage.etag(reference.bucket, reference.key, reference.version_id)) is None:
        raise RejectedError("object_missing", f"{name} does not exist.")
    return StoredManifest(name=name, identity=identity, storage=storage, reference=reference, form=form)


def _behind(place: Place, rows: Iterator[Row | RowError]) -> Iterator[Row | RowError]:
    return rows if place.line == 0 else (row for row in rows if row.line > place.line)


def _file_identity(path: Path) -> str:
    facts = path.stat()
    return f"{facts.st_size}-{facts.st_mtime_ns}"
