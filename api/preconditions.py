"""Changing only what is still as it was seen: a resource's version as its ETag, asked back by If-Match (RFC 9110, RFC 6585)."""

import re
from typing import Annotated

from fastapi import Depends, Header

from api.problems import ProblemError

VERSION = re.compile(r'"([1-9][0-9]{0,8})"')


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def _seen(if_match: Annotated[str | None, Header(description="The ETag that was seen", max_length=200)] = None) -> int:
    """The version that the caller saw. Raises ProblemError: precondition_missing, precondition_failed."""
    if if_match is None:
        raise ProblemError("precondition_missing")
    if (match := VERSION.fullmatch(if_match.strip())) is None:
        raise ProblemError("precondition_failed")
    return int(match[1])


SeenVersion = Annotated[int, Depends(_seen)]
