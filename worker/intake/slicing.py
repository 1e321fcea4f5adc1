"""Checks rows and cuts them into slices: what one transaction of the intake writes."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import monotonic
from typing import Any

from worker.intake.reference import AllowedSources, checked_version, parse_reference, shown
from worker.intake.rows import Row, RowError
from worker.moderation.errors import RejectedError
from worker.store.slices import NewItem, NewRowError, Slice, duplicate

SLICE_ROWS = 10_240  # forty full chunks; a tenth of a second to write, two megabytes to hold
SLICE_SECONDS = 2.0  # a slow source (uploads, a listing) hands over what it has, so that judging begins
LOOK_AT_CLOCK_ROWS = 16  # a handful of uploads
MAX_CUSTOM_ID_BYTES = 1_024  # of UTF-8: a key fits, and an index entry of Postgres too
MAX_METADATA_CHARACTERS = 16_384


def check_row(row: Row, allowed: AllowedSources) -> NewItem | NewRowError:
    """The item that a row asks for, or what is wrong with it."""
    line, custom_id, version_id, metadata = row.line, row.custom_id, row.version_id, row.metadata
    try:
        reference = parse_reference(row.source_ref, allowed)
        return NewItem(
            line,
            f"line:{line}" if custom_id is None else _checked_custom_id(custom_id),
            reference.bucket,
            reference.key,
            reference.version_id if version_id is None else checked_version(version_id),
            None if metadata is None else _metadata_text(metadata),
        )
    except RejectedError as error:
        return NewRowError(line, error.code, error.message)


def cut_slices(
    rows: Iterable[Row | RowError], allowed: AllowedSources, *, start: Mapping[str, Any], cursor: Callable[[Row | RowError], dict[str, Any]]
) -> Iterator[Slice]:
    """Slices in order. `start` is the cursor before the first row, `cursor` gives that behind a row."""
    after, last, count = start, None, 0
    items: list[NewItem] = []
    errors: list[NewRowError] = []
    lines: dict[str, int] = {}  # of the slice's custom ids; those of earlier slices are the database's to find
    due = monotonic() + SLICE_SECONDS
    for row in rows:
        checked = check_row(row, allowed) if isinstance(row, Row) else NewRowError(*row)
        if isinstance(checked, NewItem):
            first_line = lines.setdefault(checked.custom_id, checked.line)
            if first_line == checked.line:
                items.append(checked)
            else:
                errors.append(duplicate(checked.line, checked.custom_id, first_line))
        else:
            errors.append(checked)
        last, count = row, count + 1
        if count == SLICE_ROWS or (count % LOOK_AT_CLOCK_ROWS == 0 and monotonic() > due):
            part = Slice(items=items, errors=errors, after=after, cursor=cursor(row))
            yield part
            after, last, count, items, errors, lines = part.cursor, None, 0, [], [], {}
            due = monotonic() + SLICE_SECONDS
    if last is not None:
        yield Slice(items=items, errors=errors, after=after, cursor=cursor(last))


def _checked_custom_id(custom_id: str) -> str:
    if custom_id.isascii() and custom_id.isprintable() and 0 < len(custom_id) <= MAX_CUSTOM_ID_BYTES:
        return custom_id
    try:
        length = len(custom_id.encode())
    except UnicodeEncodeError:
        length = 0
    if not 0 < length <= MAX_CUSTOM_ID_BYTES or any(character < " " or character == "\x7f" for character in custom_id):
        raise RejectedError(
            "custom_id_invalid",
            f"custom_id {shown(custom_id)} is empty, longer than {MAX_CUSTOM_ID_BYTES:,} bytes, or has control characters in it.",
        )
    return custom_id


def _metadata_text(metadata: Mapping[str, Any]) -> str:
    """JSON that Postgres takes: without infinities, NUL, and halves of surrogate pairs."""
    try:
        text = json.dumps(metadata, allow_nan=False, separators=(",", ":"))
    except (ValueError, TypeError, RecursionError):
        raise RejectedError("metadata_invalid", "metadata has a number out of range, or something that is not JSON.") from None
    if len(text) > MAX_METADATA_CHARACTERS:
        raise RejectedError("metadata_invalid", f"metadata is longer than {MAX_METADATA_CHARACTERS:,} characters of JSON.")
    if "\\u0000" in text.replace("\\\\", "") or ("\\ud" in text and not _encodes(metadata)):
        raise RejectedError("metadata_invalid", "metadata has a NUL character or half a surrogate pair in it.")
    return text


def _encodes(metadata: Mapping[str, Any]) -> bool:
    try:
        json.dumps(metadata, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
