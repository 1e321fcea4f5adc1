import pytest

from worker.queue.logs import redact


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("GET https://b.s3/k?X-Amz-Signature=deadbeef&x=1", "deadbeef"),
        ("https://b.s3/k?x-amz-credential=AKIA123", "AKIA123"),
        ("cannot reach redis://:hunter2@host:6379/0", "hunter2"),
        ("postgresql+psycopg://zoomin:p%40ss@host/db", "p%40ss"),
        ("Authorization: Bearer sk-abc.def", "sk-abc.def"),
    ],
)
def test_secrets_are_taken_out_of_every_text(text: str, secret: str) -> None:
    event = redact(None, "info", {"event": text, "nested": {"list": [text]}})
    assert secret not in str(event)
    assert "[redacted]" in event["event"]


def test_what_is_no_secret_stays() -> None:
    event = {"event": "chunk_ended", "url": "http://127.0.0.1:9000/metrics", "count": 3, "at": "12:30@x"}
    assert redact(None, "info", dict(event)) == event
