"""One record per picture and run, in a file that an interrupted evaluation goes on from, and that any figure can be recomputed from."""

import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from worker.lab.evaluation.judged import Judged
from worker.lab.evaluation.picture_set import PictureSet
from worker.moderation.errors import RejectedError

FILE = "outcomes.jsonl"


class Heading(msgspec.Struct, frozen=True, kw_only=True):
    """The first line: what was judged, and by what."""

    release: str
    labels_sha256: str
    pictures_sha256: str


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Every further line."""

    run: str
    judged: Judged


class Records:
    """The records so far; new ones are written as they come."""

    def __init__(self, known: Iterable[Record], file: BinaryIO) -> None:
        self._known = {(record.run, record.judged.label.file): record.judged for record in known}
        self._file = file

    def known(self, run: str, file: str) -> Judged | None:
        """What an earlier attempt made of a picture; None when it did not come to it."""
        return self._known.get((run, file))

    def add(self, run: str, judged: Judged) -> None:
        """Keeps a record. Raises OSError."""
        self._file.write(msgspec.json.encode(Record(run=run, judged=judged)) + b"\n")
        self._file.flush()


@contextmanager
def opened_records(folder: Path | None, pictures: PictureSet, release_id: str) -> Iterator[Records]:
    """The records in `folder`, made when missing; without a folder nothing is kept. Raises RejectedError, OSError."""
    if folder is None:
        yield Records((), io.BytesIO())
        return
    folder.mkdir(parents=True, exist_ok=True)
    heading = Heading(release=release_id, labels_sha256=pictures.labels_sha256, pictures_sha256=pictures.pictures_sha256)
    path = folder / FILE
    known = _read(path, heading) if path.exists() and path.stat().st_size else None
    with path.open("ab") as file:
        if known is None:
            file.write(msgspec.json.encode(heading) + b"\n")
        yield Records(known or (), file)


def _read(path: Path, heading: Heading) -> tuple[Record, ...] | None:
    """The records of an earlier attempt, which a kill may have cut off; None when it did not even write its heading."""
    body = path.read_bytes()
    whole = body[: body.rfind(b"\n") + 1]
    if whole != body:
        with path.open("r+b") as file:
            file.truncate(len(whole))
    lines = whole.splitlines()
    if not lines:
        return None
    try:
        found = msgspec.json.decode(lines[0], type=Heading)
        records = tuple(msgspec.json.decode(line, type=Record) for line in lines[1:])
    except msgspec.DecodeError as error:
        raise RejectedError("records_unreadable", f"{path} is not a file of outcomes ({error}). Name another --output folder.") from None
    if found != heading:
        raise RejectedError(
            "records_of_another",
            f"{path} holds outcomes of release {found.release} or of other pictures. Name another --output folder, or delete that file.",
        )
    return records
