"""Rows as every reader yields them: one that names an image, or one that says why it cannot."""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Row(NamedTuple):
    """One image reference, not yet checked. A tuple, not a dataclass: ten million are made per large batch."""

    line: int  # from 1
    source_ref: str
    custom_id: str | None = None
    version_id: str | None = None
    metadata: Mapping[str, Any] | None = None


class RowError(NamedTuple):
    """A row that cannot become an item. `message` is for people."""

    line: int
    code: str
    message: str
