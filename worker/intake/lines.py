"""Splits a binary stream into lines in constant memory, whatever the lines are like. Ends may be LF, CRLF, CR, or mixed."""

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import IO

from worker.moderation.errors import RejectedError

BLOCK_BYTES = 1 << 20
MAX_LINE_BYTES = 1_000_000  # a reference and its metadata are a few hundred bytes; more is not a row
MAX_UNPACKED_BYTES = 32 << 30  # of a gzipped manifest: a hundred million long rows
RATIO_FROM_BYTES = 64 << 20  # below this a bomb does no harm, and a short repetitive manifest packs very well
MAX_RATIO = 200  # rows with running numbers pack 5 to 30 times; zeros pack 1,000 times
GZIP_MAGIC = b"\x1f\x8b"


Line = tuple[int, bytes | None]  # number from 1, and text without its end: None for one longer than MAX_LINE_BYTES, passed over


class _Packed(io.RawIOBase):
    """A stream whose first block was read already. Counts what is taken of it, to tell a bomb's ratio."""

    def __init__(self, head: bytes, stream: IO[bytes]) -> None:
        super().__init__()
        self._head = head
        self._stream = stream
        self.count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # typeshed names a private type
        piece, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        piece = piece or self._stream.read(len(buffer))
        buffer[: len(piece)] = piece
        self.count += len(piece)
        return len(piece)


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """The stream's text in blocks, unpacked when it is gzip by content. Raises RejectedError for what cannot be a manifest."""
    head = stream.read(BLOCK_BYTES)
    if head.startswith(GZIP_MAGIC):
        yield from _decoded(_unpacked(head, stream))
    else:
        yield from _decoded(_chained(head, stream))


def lines(stream: IO[bytes]) -> Iterator[Line]:
    """Every line, blank ones too. An overlong one is passed over without being held in memory."""
    number, rest, overlong = 0, b"", False
    for block in _with_line_feeds(blocks(stream)):
        first, *others = block.split(b"\n")
        rest += b"" if overlong else first
        if len(rest) > MAX_LINE_BYTES:
            rest, overlong = b"", True
        for text in others:
            number += 1
            yield number, (None if overlong or len(rest) > MAX_LINE_BYTES else rest)
            rest, overlong = text, False
        if len(rest) > MAX_LINE_BYTES:
            rest, overlong = b"", True
    if rest or overlong:
        yield number + 1, None if overlong else rest


def _with_line_feeds(source: Iterator[bytes]) -> Iterator[bytes]:
    held = b""  # a CR at a block's end may be half of a CRLF
    for block in source:
        if held or b"\r" in block:
            text = held + block
            held = b"\r" if text.endswith(b"\r") else b""
            yield text[: len(text) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        else:
            yield block
    if held:
        yield b"\n"


def _decoded(source: Iterator[bytes]) -> Iterator[bytes]:
    head = next(source, b"")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RejectedError("manifest_encoding", "The manifest is UTF-16. Save it as UTF-8 and submit it again.")
    if b"\x00" in head[:4096]:
        raise RejectedError("manifest_encoding", "The manifest has NUL bytes: it is not a UTF-8 text. Submit JSON Lines or CSV in UTF-8.")
    yield head.removeprefix(codecs.BOM_UTF8)
    yield from source


def _chained(head: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    yield head
    while block := stream.read(BLOCK_BYTES):
        yield block


def _unpacked(head: bytes, stream: IO[bytes]) -> Iterator[bytes]:
    packed, unpacked = _Packed(head, stream), 0
    with gzip.GzipFile(fileobj=io.BufferedReader(packed, BLOCK_BYTES)) as file:
        while block := _unpack(file):
            unpacked += len(block)
            if unpacked > MAX_UNPACKED_BYTES or (unpacked > RATIO_FROM_BYTES and unpacked > MAX_RATIO * packed.count):
                raise RejectedError("manifest_bomb", "The manifest unpacks to far more than it is packed: refused as a gzip bomb.")
            yield block


def _unpack(file: gzip.GzipFile) -> bytes:
    try:
        return file.read(BLOCK_BYTES)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise RejectedError("manifest_damaged", "The gzip stream is damaged or cut short. Upload the manifest again.") from None
