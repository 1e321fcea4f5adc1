"""What a decode child says, in a form that is safe to read even if a hostile image has taken the child over.

JSON and raw buffers: unpickling a child's words would hand its captor the worker.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from worker.moderation.errors import RejectedError, TransientError

MAX_HEADER_BYTES = 65_536
MAX_BUFFERS = 64  # two per crop
MAX_BUFFER_BYTES = 256_000_000  # RGB pixels of the largest image a checkpoint could be sent


@dataclass(frozen=True, slots=True)
class Reply:
    """Plain JSON facts, and buffers in an order that the facts explain."""

    facts: Mapping[str, Any] = field(default_factory=dict)
    buffers: tuple[bytes, ...] = ()


class NonsenseError(Exception):
    """The child's words do not parse: whoever speaks there is not our code any more."""


@contextmanager
def making_sense() -> Iterator[None]:
    """Whatever goes wrong while a child's words are taken apart is a NonsenseError."""
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError) as error:
        raise NonsenseError(f"{type(error).__name__}: {error}") from error


def send_reply(connection: Connection, reply: Reply) -> None:
    """Sends a result."""
    _send(connection, {"facts": dict(reply.facts), "buffers": len(reply.buffers)})
    for buffer in reply.buffers:
        connection.send_bytes(buffer)


def send_rejection(connection: Connection, error: RejectedError) -> None:
    """Sends the reason why the image can never work."""
    _send(connection, {"rejected": [error.code, error.message]})


def send_failure(connection: Connection, error: Exception) -> None:
    """Sends a failure that says nothing about the image."""
    _send(connection, {"failed": f"{type(error).__name__}: {error}"[:500]})


def receive_reply(connection: Connection) -> Reply:
    """The child's reply.

    Raises RejectedError and TransientError as the child says, EOFError or OSError when it is gone or says too much, NonsenseError.
    """
    with making_sense():
        header = json.loads(connection.recv_bytes(MAX_HEADER_BYTES))
        if "rejected" in header:
            code, message = header["rejected"]
            raise RejectedError(str(code)[:64], str(message)[:500])
        if "failed" in header:
            failure = str(header["failed"])[:500]
            raise TransientError("decoder_failed", f"The decoder failed on this image, not because of it: {failure}")
        facts, count = header["facts"], int(header["buffers"])
        if not isinstance(facts, dict) or not 0 <= count <= MAX_BUFFERS:
            raise ValueError("not a reply")
        return Reply(facts, tuple(connection.recv_bytes(MAX_BUFFER_BYTES) for _ in range(count)))


def _send(connection: Connection, header: Mapping[str, Any]) -> None:
    connection.send_bytes(json.dumps(header).encode())
