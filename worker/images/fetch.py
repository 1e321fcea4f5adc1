"""The bytes of one item, and which bytes they were."""

import asyncio
import hashlib
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import ItemReference, SourceFacts


class StoredObject(Protocol):
    """An object as storage gave it, whole."""

    @property
    def body(self) -> bytes: ...
    @property
    def etag(self) -> str | None: ...
    @property
    def version_id(self) -> str | None: ...


class ObjectReader(Protocol):
    """Blocking reads from storage, with the retries of a body that broke off and the byte cap inside."""

    def get(self, bucket: str, key: str, version_id: str | None, *, max_bytes: int, timeout_seconds: float) -> StoredObject:
        """The whole object. Raises RejectedError (missing, over `max_bytes`…), TransientError, MisconfiguredError (denied)."""
        ...


@dataclass(frozen=True, slots=True)
class Fetched:
    """The object's bytes and what is known of them before decoding (media type and size are not)."""

    body: bytes
    facts: SourceFacts


async def fetch(
    item: ItemReference, storage: ObjectReader, *, max_bytes: int, timeout_seconds: float, executor: Executor | None
) -> Fetched:
    """Reads the item's object on `executor`. Raises RejectedError("object_empty") and whatever `storage` raises."""

    def read() -> tuple[StoredObject, str]:
        stored = storage.get(item.bucket, item.key, item.version_id, max_bytes=max_bytes, timeout_seconds=timeout_seconds)
        return stored, hashlib.sha256(stored.body).hexdigest()  # here, not on the event loop: 20 MB take 10 ms

    stored, digest = await asyncio.get_running_loop().run_in_executor(executor, read)
    if not stored.body:
        raise RejectedError("object_empty", f"{item.source} is empty (0 bytes). Upload it again.")
    return Fetched(
        stored.body,
        SourceFacts(
            sha256=digest,
            etag=stored.etag,
            version_id=stored.version_id,
            byte_count=len(stored.body),
        ),
    )
