import hashlib
from dataclasses import dataclass
from uuid import UUID

import pytest

from worker.images.fetch import fetch
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import ItemReference

ITEM = ItemReference(batch_id=UUID(int=7), ordinal=3, custom_id="cat", bucket="photos", key="a/cat.jpg", version_id="v1")


@dataclass(frozen=True)
class Stored:
    body: bytes
    etag: str | None = "tag"
    version_id: str | None = "v1"


@dataclass
class Shelf:
    """One object, and how it was asked for."""

    body: bytes
    asked: tuple[object, ...] = ()

    def get(self, bucket: str, key: str, version_id: str | None, *, max_bytes: int, timeout_seconds: float) -> Stored:
        self.asked = (bucket, key, version_id, max_bytes, timeout_seconds)
        return Stored(self.body)


async def test_the_bytes_come_with_the_facts_that_name_them() -> None:
    shelf = Shelf(b"bytes")
    fetched = await fetch(ITEM, shelf, max_bytes=10, timeout_seconds=2.5, executor=None)
    assert fetched.body == b"bytes"
    assert fetched.facts.sha256 == hashlib.sha256(b"bytes").hexdigest()
    assert (fetched.facts.etag, fetched.facts.version_id, fetched.facts.byte_count) == ("tag", "v1", 5)
    assert shelf.asked == ("photos", "a/cat.jpg", "v1", 10, 2.5)


async def test_an_empty_object_is_rejected_by_name() -> None:
    with pytest.raises(RejectedError, match=r"s3://photos/a/cat\.jpg is empty") as rejection:
        await fetch(ITEM, Shelf(b""), max_bytes=10, timeout_seconds=1, executor=None)
    assert rejection.value.code == "object_empty"
