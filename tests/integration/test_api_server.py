"""A server process as operators start it, and callers that do not keep to HTTP's manners."""

import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import pytest
from sqlalchemy import Engine

from tests.fuzz import serving
from tests.integration.api_world import new_key
from worker.moderation.settings import Settings

BODY_SECONDS = 1.0
GIVE_UP_SECONDS = 15.0


@pytest.fixture(scope="module")
def address(settings: Settings) -> Iterator[str]:
    with serving(settings.model_copy(update={"api_body_seconds": BODY_SECONDS})) as address:
        yield address


@pytest.fixture(scope="module")
def key(engine: Engine) -> str:
    return new_key(engine).text


def talk(address: str, key: str, framing: str, piece: bytes, pause: float) -> tuple[str, float, int]:
    """Sends headers and then `piece` again and again: the answer, after how long the connection was closed, and bytes sent."""
    where = urlsplit(address)
    head = f"POST /v1/items HTTP/1.1\r\nHost: api\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n"
    started, sent = time.monotonic(), 0
    with socket.create_connection((where.hostname, where.port), GIVE_UP_SECONDS) as connection:
        connection.sendall(head.encode())
        connection.settimeout(max(pause, 0.001))
        answer = b""
        while time.monotonic() - started < GIVE_UP_SECONDS:
            with suppress(TimeoutError):
                try:
                    received = connection.recv(65_536)
                except ConnectionResetError:
                    break
                answer += received
                if not received:
                    break
            with suppress(OSError):
                sent += connection.send(piece)
    return answer.decode(), time.monotonic() - started, sent


@pytest.mark.parametrize(
    ("framing", "piece", "pause", "status", "code"),
    [
        ("Transfer-Encoding: chunked", b"2710\r\n" + b" " * 10_000 + b"\r\n", 0.0, 413, "body_too_large"),
        ("Transfer-Encoding: chunked", b"1\r\n \r\n", 0.1, 408, "body_timeout"),
        ("Content-Length: 52428800", b" " * 10_000, 0.0, 413, "body_too_large"),
        ("Content-Length: 1000", b" ", 0.1, 408, "body_timeout"),
    ],
    ids=["endless", "slow chunked", "50 MB", "slow"],
)
def test_a_body_without_end_or_haste_is_answered_and_cut_off(
    address: str, key: str, framing: str, piece: bytes, pause: float, status: int, code: str
) -> None:
    answer, seconds, sent = talk(address, key, framing, piece, pause)
    assert answer.startswith(f"HTTP/1.1 {status} ")
    assert f'"code":"{code}"' in answer
    assert "connection: close" in answer.lower()
    assert seconds < BODY_SECONDS + 4
    assert sent < 20_000_000
