"""A binary stream that goes on where it broke, and refuses to mix two versions of one object."""

import io
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from worker.moderation.errors import TransientError

PAUSES_SECONDS = (0.1, 0.3, 1.0, 3.0)  # between attempts without a byte of progress; long enough for a store's restart


class Body(Protocol):
    """The rest of an object. `read_some` returns b"" only at its true end. Raises TransientError when the connection breaks."""

    def read_some(self, limit: int) -> bytes: ...
    def close(self) -> None: ...


class ResumingStream(io.RawIOBase):
    """Reads an object through `open_at(offset)`, opening it again after a broken connection.

    `open_at` raises RejectedError when the object is no longer the one first opened.
    """

    def __init__(self, open_at: Callable[[int], Body]) -> None:
        super().__init__()
        self._open_at = open_at
        self._offset = 0
        self._body: Body | None = open_at(0)

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed names a private type
        """Bytes read, 0 at the end. Raises TransientError after the last attempt."""
        piece = self._read_some(len(buffer))
        buffer[: len(piece)] = piece
        self._offset += len(piece)
        return len(piece)

    def _read_some(self, limit: int) -> bytes:
        for pause in PAUSES_SECONDS:
            try:
                return self._current().read_some(limit)
            except TransientError:
                self._drop()
                time.sleep(pause)
        return self._current().read_some(limit)

    def _current(self) -> Body:
        if self._body is None:
            self._body = self._open_at(self._offset)
        return self._body

    def _drop(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None

    def close(self) -> None:
        """Closes the connection."""
        self._drop()
        super().close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
