"""Seals in S3: the audit chain's head as a small object, written once and never replaced.

Whoever owns the database can rewrite all of it, chain included; what it said is then still in the bucket. Keep the bucket in
other hands, with Object Lock.
"""

import json
from collections.abc import Iterator
from datetime import UTC

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Engine

from worker.intake.storage import Storage, address
from worker.moderation.errors import RejectedError
from worker.store.audit_seals import PAGE, ChainHead, RecordedSeal, note_seal, read_seals, unsealed_head
from worker.store.session import transaction

PREFIX = "audit-seals/"
MEDIA_TYPE = "application/json"
LARGEST_BYTES = 10_000  # ours have 250
GET_SECONDS = 20.0


class SealObject(BaseModel):
    """What an object says."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    seal: int = 1  # version of this form
    link: int
    events: int
    last_event: int
    head: str
    linked_at: str


def export_seal(engine: Engine, storage: Storage, bucket: str, *, older_than_seconds: float = 0) -> ChainHead | None:
    """Exports the chain's head and notes it: which; None when there is nothing (that old) to seal. Safe to repeat and to race.

    The object first: a seal that is noted can be found. Raises RejectedError `seal_conflict`, TransientError, MisconfiguredError.
    """
    with transaction(engine) as session:
        head = unsealed_head(session, older_than_seconds=older_than_seconds)
    if head is None:
        return None
    key, body = seal_key(head.link), _body(head)
    try:
        version_id = storage.put_new(bucket, key, body, MEDIA_TYPE)
    except RejectedError as error:
        if error.code != "object_exists":
            raise
        found = storage.get(bucket, key, max_bytes=LARGEST_BYTES, timeout_seconds=GET_SECONDS)
        if found.body != body:
            raise RejectedError(
                "seal_conflict",
                f"{address(bucket, key)} seals another chain: the audit trail was rewritten, or another installation uses the bucket. "
                "See `zoomin audit verify`.",
            ) from None
        version_id = found.version_id  # whoever wrote it died before it was noted
    with transaction(engine) as session:
        note_seal(session, head.link, bucket=bucket, key=key, version_id=version_id)
    return head


def seal_key(link: int) -> str:
    """Zero-padded, so that a listing is in the chain's order."""
    return f"{PREFIX}{link:020d}.json"


def noted_seals(engine: Engine) -> Iterator[RecordedSeal]:
    """Every seal that the database knows, by link. Raises TransientError."""
    after = 0
    while True:
        with transaction(engine) as session:
            page = read_seals(session, after=after, page=PAGE)
        yield from page
        if not page:
            return
        after = page[-1].link


def kept_seals(storage: Storage, bucket: str) -> Iterator[tuple[str, SealObject | None]]:
    """Every seal that the bucket holds, by link: its key and what it says; None when it is no seal. Raises as `fetch_seal`."""
    for listed in storage.list(bucket, PREFIX):
        yield listed.key, fetch_seal(storage, bucket, listed.key)


def fetch_seal(storage: Storage, bucket: str, key: str, version_id: str | None = None) -> SealObject | None:
    """What the object says; None when it is no seal, or gone. Raises TransientError, MisconfiguredError."""
    try:
        stored = storage.get(bucket, key, version_id, max_bytes=LARGEST_BYTES, timeout_seconds=GET_SECONDS)
        return SealObject.model_validate_json(stored.body)
    except (RejectedError, ValidationError):
        return None


def _body(head: ChainHead) -> bytes:
    """Canonical: the same head is the same bytes, whoever writes them."""
    linked_at = head.linked_at.astimezone(UTC).isoformat(timespec="microseconds")
    found = SealObject(link=head.link, events=head.events, last_event=head.last_event, head=head.head, linked_at=linked_at)
    return json.dumps(found.model_dump(), sort_keys=True, separators=(",", ":")).encode()
