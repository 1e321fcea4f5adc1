"""Checking the audit trail: every event, every link, and every seal, in the database and in the bucket."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from sqlalchemy import Engine

from worker.audit.seals import SealObject, fetch_seal, kept_seals, noted_seals
from worker.intake.storage import Storage, address
from worker.moderation.audit_chain import Break, Seal, Start, Verification
from worker.store.audit_trail import verify_chain


@dataclass(frozen=True, slots=True)
class _Collected:
    """What seals say, the newest one that the bucket keeps, and the first that the bucket should keep and does not."""

    seals: list[Seal]
    newest: SealObject | None
    broken: Break | None


def check_trail(
    engine: Engine, storage: Storage, bucket: str, *, from_seals: bool = False, watch: Callable[[int], None] = lambda _: None
) -> Verification:
    """Checks the whole trail, or with `from_seals` only what came after the newest seal in the bucket.

    `watch` is told the number of events checked so far. Raises TransientError, MisconfiguredError.
    """
    collected = _collect(engine, storage, bucket)
    start = Start()
    if from_seals and collected.newest:
        newest = collected.newest
        start = Start(link=newest.link, head=newest.head, last_event=newest.last_event, events=newest.events)
    verified = verify_chain(engine, collected.seals, start=start, watch=watch)
    return replace(verified, broken=verified.broken or collected.broken)


def _collect(engine: Engine, storage: Storage, bucket: str) -> _Collected:
    """Rows before objects: a seal is put first and noted afterwards, so that every row read has its object."""
    noted = list(noted_seals(engine))
    kept = dict(kept_seals(storage, bucket))
    seals = [Seal(link=seal.link, head=seal.head, events=seal.events, place=f"row {seal.id} of audit_seals") for seal in noted]
    broken: Break | None = None
    for seal in noted:
        if seal.bucket != bucket or seal.key not in kept:  # deleted, hidden by a delete marker, or the bucket was another one then
            found = fetch_seal(storage, seal.bucket, seal.key, seal.version_id)
            if found is None:
                message = f"{address(seal.bucket, seal.key)} sealed link {seal.link}; it is gone, or no seal any more."
                broken = broken or Break(code="seal_missing", message=message, link=seal.link)
            else:
                seals.append(_seal(address(seal.bucket, seal.key), found))
    for key, found in kept.items():
        if found is None:
            broken = broken or Break(code="seal_unreadable", message=f"{address(bucket, key)} is not a seal.")
        else:
            seals.append(_seal(address(bucket, key), found))
    newest = max(filter(None, kept.values()), key=lambda found: found.link, default=None)
    return _Collected(seals, newest, broken)


def _seal(place: str, found: SealObject) -> Seal:
    return Seal(link=found.link, head=found.head, events=found.events, place=place)
