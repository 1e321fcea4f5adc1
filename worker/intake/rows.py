"""Rows as every reader yields them: one that names an image, or one that says why it cannot."""

from typing import Any, NamedTuple

import msgspec


class Row(msgspec.Struct, gc=False, rename={"source_ref": "source-ref", "line": "zoomin:line"}):
    """One image reference, not yet checked. A msgspec struct: JSON becomes one, types verified, ten times faster than by `json`."""

    source_ref: str
    custom_id: str | None = None
    version_id: str | None = None
    metadata: dict[str, Any] | None = None
    line: int = 0  # from 1; set by the reader, not by the submitter


class RowError(NamedTuple):
    """A row that cannot become an item. `message` is for people."""

    line: int
    code: str
    message: str
