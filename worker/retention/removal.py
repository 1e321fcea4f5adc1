"""Removing objects from S3: evidence that no item keeps, and uploads of erased images.

Rows first, objects later. What is to go is marked in the transaction that makes it invisible, so that whoever dies in between leaves a
mark that the next run finds. The other way round, rows would name objects that are gone, and a legal hold could come too late.

Two at once never remove the same object: its row is locked until `gone_at` is written. A late second removal could otherwise take what
a worker has stored again since.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Engine, select, text
from sqlalchemy.orm import Session

from worker.intake.storage import Storage
from worker.store.evidence_removal import Doomed, lock_doomed, note_gone
from worker.store.models import ErasureRow
from worker.store.session import transaction

PAGE = 100  # objects per transaction, which holds their rows while S3 answers: one call, or a listing each where versions are kept
START = (UUID(int=0), -1)

UPLOADS = (
    select(ErasureRow)
    .where(ErasureRow.upload_key.is_not(None))
    .order_by(ErasureRow.batch_id, ErasureRow.ordinal)
    .limit(PAGE)
    .with_for_update(skip_locked=True)
)
FORGET_UPLOAD = text("UPDATE erasures SET upload_bucket = NULL, upload_key = NULL WHERE batch_id = :batch_id AND ordinal = :ordinal")


@dataclass(frozen=True, slots=True)
class Removed:
    """Objects that were removed, and those that the store would not remove: they stay marked, and are tried again by every run."""

    objects: int = 0
    refused: int = 0

    def __add__(self, other: "Removed") -> "Removed":
        return Removed(self.objects + other.objects, self.refused + other.refused)


def remove_marked(engine: Engine, storage: Storage, *, watch: Callable[[int], None] = lambda _: None) -> Removed:
    """Removes everything that is marked. Raises TransientError, MisconfiguredError; what was removed until then is noted."""
    total, after, place = Removed(), "", START
    while True:
        with transaction(engine) as session:
            doomed, last = lock_doomed(session, after=after, page=PAGE)
            total += _remove_evidence(session, storage, doomed)
        watch(total.objects)
        if last is None:
            break
        after = last
    while True:
        with transaction(engine) as session:
            rows = list(session.execute(UPLOADS.where(_behind(place))).scalars())
            total += _remove_uploads(session, storage, rows)
        watch(total.objects)
        if not rows:
            return total
        place = (rows[-1].batch_id, rows[-1].ordinal)


def _behind(place: tuple[UUID, int]) -> ColumnElement[bool]:
    return (ErasureRow.batch_id > place[0]) | ((ErasureRow.batch_id == place[0]) & (ErasureRow.ordinal > place[1]))


def _remove_evidence(session: Session, storage: Storage, doomed: Sequence[Doomed]) -> Removed:
    refused: set[str] = set()
    for bucket in sorted({one.bucket for one in doomed}):
        keys = {one.key: one.sha256 for one in doomed if one.bucket == bucket}
        refused |= {keys[key] for key in storage.remove(bucket, sorted(keys))}
    gone = [one.sha256 for one in doomed if one.sha256 not in refused]
    note_gone(session, gone)
    return Removed(len(gone), len(refused))


def _remove_uploads(session: Session, storage: Storage, rows: list[ErasureRow]) -> Removed:
    total = Removed()
    for row in rows:
        if row.upload_bucket is None or row.upload_key is None:
            continue
        if storage.remove(row.upload_bucket, [row.upload_key]):
            total += Removed(refused=1)
        else:
            session.execute(FORGET_UPLOAD, {"batch_id": row.batch_id, "ordinal": row.ordinal})
            total += Removed(objects=1)
    return total
