"""Exports in pieces: the same text goes to a file and, piece by piece, over HTTP."""

from collections.abc import Iterable
from typing import TextIO


def write_pieces(pieces: Iterable[str], out: TextIO) -> int:
    """Writes the pieces: how many. Raises OSError."""
    written = 0
    for piece in pieces:
        out.write(piece)
        written += 1
    return written
