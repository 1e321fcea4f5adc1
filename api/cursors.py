"""Opaque cursors: where a listing goes on. Bound to the listing and its filters by a checksum, so that none can be taken elsewhere.

They are no secret and grant nothing: every query is bounded by the tenant whatever the cursor says.
"""

import base64
import binascii
import hashlib
import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from pydantic import BeforeValidator, Field

from api.problems import ProblemError

CHECK_BYTES = 6
MAX_LIMIT, DEFAULT_LIMIT = 200, 50


def plain_integer(value: Any) -> Any:
    """Query values are texts; only digits are a number here."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit() and len(value) <= 10):
        raise ValueError("must be a plain number")
    return value


# The bounds stand before the validator: the document would lose them otherwise.
Limit = Annotated[
    int, Field(ge=1, le=MAX_LIMIT), BeforeValidator(plain_integer), Query(description="How many, at most.", examples=[DEFAULT_LIMIT])
]
Revision = Annotated[
    Annotated[int, Field(ge=1, le=32_767)] | None,
    BeforeValidator(plain_integer),
    Query(description="Which revision; without it, the newest of each item."),
]
Cursor = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9_-]{1,300}$",
        description="`next_cursor` of the page before, with the same filters; without it, the first page.",
    ),
]


def write_cursor(listing: str, position: Any) -> str:
    """A cursor for `listing`, a name that includes its filters."""
    body = json.dumps(position, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_check(listing, body) + body).decode().rstrip("=")


def read_cursor(listing: str, cursor: str) -> Any:
    """The position. Raises ProblemError `cursor_invalid`."""
    try:
        whole = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        check, body = whole[:CHECK_BYTES], whole[CHECK_BYTES:]
        if check != _check(listing, body):
            raise ProblemError("cursor_invalid")
        return json.loads(body)
    except (binascii.Error, ValueError):
        raise ProblemError("cursor_invalid") from None


def read_id(listing: str, cursor: str) -> UUID:
    """The id that a page ended with. Raises ProblemError `cursor_invalid`."""
    try:
        return UUID(read_cursor(listing, cursor))
    except (ValueError, TypeError, AttributeError):
        raise ProblemError("cursor_invalid") from None


def _check(listing: str, body: bytes) -> bytes:
    return hashlib.sha256(listing.encode() + b"\x00" + body).digest()[:CHECK_BYTES]
