"""Cursors that are a number: where a listing by id goes on."""

from api.cursors import read_cursor, write_cursor
from api.problems import ProblemError

LARGEST = 2**63 - 1  # what a bigint holds


def write_position(listing: str, position: int) -> str:
    """A cursor behind an id."""
    return write_cursor(listing, position)


def read_position(listing: str, cursor: str | None) -> int:
    """The id, 0 without a cursor. Raises ProblemError `cursor_invalid`."""
    if cursor is None:
        return 0
    position = read_cursor(listing, cursor)
    if isinstance(position, bool) or not isinstance(position, int) or not 0 <= position <= LARGEST:
        raise ProblemError("cursor_invalid")
    return position
