import time
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.integration.broken_store import Answer, BrokenStore, answer, drip
from worker.intake import storage as module
from worker.intake.storage import Storage
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError
from worker.moderation.settings import Settings

BODY = b"0123456789" * 1000


def broken(store: BrokenStore) -> Storage:
    return Storage(Settings(s3_endpoint=store.endpoint, s3_access_key=SecretStr("key"), s3_secret_key=SecretStr("hidden-secret")))


def get(storage: Storage, key: str = "a.jpg", *, max_bytes: int = 100_000, timeout_seconds: float = 2.0) -> bytes:
    return storage.get("photos", key, max_bytes=max_bytes, timeout_seconds=timeout_seconds).body


@pytest.fixture
def bucket(storage: Storage, settings: Settings) -> str:
    return settings.upload_bucket


def test_objects_are_written_read_and_listed(storage: Storage, bucket: str, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(BODY)
    storage.upload_file(bucket, "list/ü 1.png", tmp_path / "file.png", "image/png")
    for number in (2, 3):
        storage.put(bucket, f"list/{number}", b"x" * number, "text/plain")
    found = storage.get(bucket, "list/ü 1.png", max_bytes=len(BODY), timeout_seconds=5)
    assert found.body == BODY
    assert found.etag == storage.etag(bucket, "list/ü 1.png")
    assert [(entry.key, entry.size) for entry in storage.list(bucket, "list/")] == [("list/2", 2), ("list/3", 3), ("list/ü 1.png", 10_000)]
    assert [entry.key for entry in storage.list(bucket, "list/", "list/2")] == ["list/3", "list/ü 1.png"]
    assert storage.exists(bucket, "list/2")
    assert not storage.exists(bucket, "list/9")
    storage.ensure_bucket(bucket)
    storage.check_readable(bucket)


def test_a_listing_goes_on_past_its_first_page(storage: Storage, bucket: str) -> None:
    for number in range(1005):
        storage.put(bucket, f"many/{number:04d}", b"", "text/plain")
    assert sum(1 for _ in storage.list(bucket, "many/")) == 1005


def test_what_is_missing_is_rejected_by_name(storage: Storage, bucket: str) -> None:
    for place, key, code in ((bucket, "nothing", "object_missing"), ("no-such-bucket", "a", "bucket_missing")):
        with pytest.raises(RejectedError) as refused:
            storage.get(place, key, max_bytes=1, timeout_seconds=5)
        assert refused.value.code == code
        assert f"s3://{place}/{key}" in refused.value.message
    with pytest.raises(RejectedError):
        storage.check_readable("no-such-bucket")


def test_wrong_credentials_are_an_operators_matter(settings: Settings, bucket: str) -> None:
    storage = Storage(settings.model_copy(update={"s3_secret_key": SecretStr("wrong-secret")}))
    with pytest.raises(MisconfiguredError) as refused:
        storage.check_readable(bucket)
    assert refused.value.code == "bucket_denied"
    assert "wrong-secret" not in refused.value.message


def test_an_object_above_the_limit_is_rejected(storage: Storage, bucket: str) -> None:
    storage.put(bucket, "large", BODY, "image/png")
    with pytest.raises(RejectedError) as refused:
        storage.get(bucket, "large", max_bytes=len(BODY) - 1, timeout_seconds=5)
    assert refused.value.code == "object_too_large"


def test_the_limit_holds_when_no_length_is_told() -> None:
    def endless(client: object) -> None:
        client.sendall(b'HTTP/1.1 200 OK\r\nConnection: close\r\nETag: "one"\r\n\r\n' + b"x" * 200_000)  # type: ignore[attr-defined]

    with BrokenStore(endless) as store, pytest.raises(RejectedError) as refused:
        get(broken(store))
    assert refused.value.code == "object_too_large"


@pytest.mark.parametrize(
    "fault",
    [
        answer("200 OK", BODY[:100], length=len(BODY)),
        answer("503 Slow Down"),
        answer("500 Internal Server Error"),
        lambda _: None,  # hangs up without a word
        lambda client: client.sendall(b"garbage\r\n\r\n"),
    ],
    ids=["truncated", "503", "500", "closed", "garbage"],
)
def test_a_fault_is_retried_and_no_part_is_ever_returned(fault: Answer) -> None:
    with BrokenStore(fault, answer("200 OK", BODY)) as store:
        assert get(broken(store)) == BODY
        assert len(store.requests) == 2


def test_a_retry_asks_for_the_object_first_seen() -> None:
    changed = answer("412 Precondition Failed")
    with BrokenStore(answer("200 OK", BODY[:100], length=len(BODY)), changed) as store, pytest.raises(RejectedError) as refused:
        get(broken(store))
    assert refused.value.code == "object_changed"
    assert 'If-Match: "one"' in store.requests[1]


def test_a_store_that_stays_down_is_transient_within_the_deadline() -> None:
    started = time.monotonic()
    with BrokenStore(answer("503 Slow Down")) as store, pytest.raises(TransientError) as refused:
        get(broken(store), timeout_seconds=1)
    assert refused.value.code == "object_store_unavailable"
    assert 0.3 < time.monotonic() - started < 10, "one second, and what a busy machine adds; boto3 alone would try for minutes"


def test_a_dripping_body_ends_at_the_deadline() -> None:
    started = time.monotonic()
    with BrokenStore(drip(1000, seconds_between=0.05)) as store, pytest.raises(TransientError):
        get(broken(store), timeout_seconds=0.5)
    assert time.monotonic() - started < 3


def test_a_silent_store_ends_at_the_socket_time_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_TIMEOUT_SECONDS", 0.3)
    with BrokenStore(drip(10, seconds_between=0.6)) as store, pytest.raises(TransientError):
        get(broken(store), timeout_seconds=0.2)


def test_a_refused_object_is_not_retried_and_no_secret_is_told() -> None:
    with BrokenStore(answer("403 Forbidden")) as store, pytest.raises(MisconfiguredError) as refused:
        get(broken(store))
    assert len(store.requests) == 1
    assert "hidden-secret" not in refused.value.message


def test_a_broken_stream_goes_on_where_it_broke() -> None:
    first, rest = answer("200 OK", BODY[:4000], length=len(BODY)), f"Content-Range: bytes 4000-{len(BODY) - 1}/{len(BODY)}\r\n"
    with BrokenStore(first, answer("503 Slow Down"), answer("206 Partial Content", BODY[4000:], extra=rest)) as store:
        with broken(store).open("photos", "m.jsonl") as stream:
            pieces = b"".join(iter(lambda: stream.read(1024) or b"", b""))
        assert pieces == BODY
        assert "Range: bytes=4000-" in store.requests[2]
        assert 'If-Match: "one"' in store.requests[2]


def test_a_stream_whose_object_changed_is_rejected() -> None:
    with (
        BrokenStore(answer("200 OK", BODY[:4000], length=len(BODY)), answer("412 Precondition Failed")) as store,
        broken(store).open("photos", "m.jsonl") as stream,
        pytest.raises(RejectedError) as refused,
    ):
        stream.read()
    assert refused.value.code == "manifest_changed"


def test_a_stream_opens_only_the_version_it_was_told(storage: Storage, bucket: str) -> None:
    storage.put(bucket, "m.jsonl", b"first", "text/plain")
    etag = storage.etag(bucket, "m.jsonl")
    with storage.open(bucket, "m.jsonl", etag=etag) as stream:
        assert stream.read() == b"first"
    storage.put(bucket, "m.jsonl", b"second", "text/plain")
    with pytest.raises(RejectedError) as refused, storage.open(bucket, "m.jsonl", etag=etag):
        pass
    assert refused.value.code == "manifest_changed"
