"""Every reply that was paid for, in one append-only file: the cache, the ledger and what an interrupted run goes on from.

A line is written before a request goes out, with the most that it can cost, and one when it has ended. So a kill at any time leaves
either a reply that is never asked for again, or a request whose outcome nobody knows: that one counts at its most. A line that a kill
cut off is dropped. Several output folders may share a file, one run at a time: other thresholds then cost nothing.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from worker.moderation.errors import RejectedError


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag="asked"):
    """A request that goes out now. `most` is what it can cost at the most, in the currency of the prices."""

    number: int
    key: str
    most: float


class Said(msgspec.Struct, frozen=True, kw_only=True, tag="said"):
    """A request's reply. `cost` is `most` where the endpoint did not say how many tokens it counted."""

    number: int
    key: str
    text: str
    finish_reason: str
    refusal: str | None = None
    failure: str | None = None  # instead of a reply: "rejected", "oversized"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float = 0.0
    seconds: float = 0.0


class Lost(msgspec.Struct, frozen=True, kw_only=True, tag="lost"):
    """A request that brought no reply, and will be sent again. `cost` is 0 where the endpoint said that it did nothing."""

    number: int
    code: str
    cost: float


_Line = Asked | Said | Lost


class Responses:
    """Replies by the hash of their request, and what all requests so far have cost."""

    def __init__(self, lines: Iterator[_Line] | list[_Line], file: BinaryIO) -> None:
        self._file = file
        self._said: dict[str, Said] = {}
        self._open: dict[int, float] = {}
        self._spent = 0.0
        self._number = 0
        self.prompt_tokens = self.completion_tokens = 0  # as far as the endpoint counts them
        for line in lines:
            self._take(line)

    @property
    def spent(self) -> float:
        """Of all requests that have ended, and of those that an earlier run left open at their most."""
        return self._spent

    @property
    def committed(self) -> float:
        """`spent`, and the most that the requests which are out now can add."""
        return self._spent + sum(self._open.values())

    def known(self, key: str) -> Said | None:
        """The reply to a request, if there is one."""
        return self._said.get(key)

    def ask(self, key: str, most: float) -> int:
        """Notes a request before it goes out: its number. Raises OSError."""
        line = Asked(number=self._number + 1, key=key, most=most)
        self._write(line)
        return line.number

    def keep(self, said: Said) -> Said:
        """Keeps a reply, on the disk before this returns: it was paid for. Raises OSError."""
        self._write(said)
        os.fsync(self._file.fileno())
        return said

    def lose(self, number: int, code: str, cost: float) -> None:
        """Notes that a request brought nothing. Raises OSError."""
        self._write(Lost(number=number, code=code, cost=cost))

    def note(self, key: str, text: str, finish_reason: str, seconds: float) -> Said:
        """Keeps a reply of a model of our own, which costs nothing. Raises OSError."""
        said = Said(number=self.ask(key, 0.0), key=key, text=text, finish_reason=finish_reason, seconds=seconds)
        self._write(said)
        return said

    def close_open(self) -> int:
        """Counts what an earlier run left open at its most: how many requests those are."""
        left = len(self._open)
        self._spent += sum(self._open.values())
        self._open.clear()
        return left

    def _write(self, line: _Line) -> None:
        self._file.write(msgspec.json.encode(line) + b"\n")
        self._file.flush()
        self._take(line)

    def _take(self, line: _Line) -> None:
        match line:
            case Asked():
                self._open[line.number] = line.most
                self._number = max(self._number, line.number)
            case Said():
                self._open.pop(line.number, None)
                self._spent += line.cost
                self._said[line.key] = line
                self.prompt_tokens += line.prompt_tokens or 0
                self.completion_tokens += line.completion_tokens or 0
            case Lost():
                self._open.pop(line.number, None)
                self._spent += line.cost


@contextmanager
def opened_responses(path: Path) -> Iterator[Responses]:
    """The file of replies, made when missing. Raises RejectedError: responses_in_use, responses_unreadable; OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # two runs would pay twice, and each miscount
        except OSError:
            raise RejectedError("responses_in_use", f"Another run is writing to {path}. Wait for it, or name another file.") from None
        responses = Responses(_read(path, file), file)
        responses.close_open()
        yield responses


def _read(path: Path, file: BinaryIO) -> list[_Line]:
    file.seek(0)
    body = file.read()
    whole = body[: body.rfind(b"\n") + 1]
    file.truncate(len(whole))
    try:
        return [msgspec.json.decode(line, type=_Line) for line in whole.splitlines()]
    except msgspec.DecodeError as error:
        raise RejectedError("responses_unreadable", f"{path} is not a file of replies ({error}). Name another with --responses.") from None
