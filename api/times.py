"""Moments in queries: RFC 3339 with its offset, and nothing that merely looks like one."""

import re
from typing import Annotated, Any

from fastapi import Query
from pydantic import AwareDatetime, BeforeValidator

MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def _moment(value: Any) -> Any:
    """Pydantic would take seconds since 1970, too."""
    if isinstance(value, str) and not MOMENT.fullmatch(value):
        raise ValueError("must be a moment of RFC 3339, with its offset")
    return value


Since = Annotated[
    AwareDatetime | None,
    BeforeValidator(_moment),
    Query(description="Only from this moment on, as RFC 3339.", examples=["2026-11-26T00:00:00Z"]),
]
