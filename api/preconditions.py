"""What a caller has seen before: reads that say "not changed", and changes of only what is still as it was seen (RFC 9110, RFC 6585).

A resource that has a version has that as its ETag; of every other the ETag is a hash of the answer.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Header, Response
from pydantic import BaseModel

from api.describing import Responses, answers
from api.problems import ProblemError

VERSION = re.compile(r'"([1-9][0-9]{0,8})"')
ETAG = "Changes when anything of it does"
LONGEST = 200  # characters of a header

IfNoneMatch = Annotated[str | None, Header(description="An ETag that was seen: 304 when nothing has changed", max_length=LONGEST)]


def etag(version: int) -> str:
    """The ETag of a version."""
    return f'"{version}"'


def etag_of(answer: BaseModel) -> str:
    """The ETag of what has no version."""
    return _hashed(answer.model_dump_json().encode())


def tagged(answer: BaseModel, if_none_match: str | None) -> Response:
    """The answer with its ETag, or 304 when the caller has it. Routes name the model by `response_model`."""
    body = answer.model_dump_json().encode()
    headers = {"ETag": _hashed(body)}
    if if_none_match is not None and _names(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def tagged_answers(description: str, *, links: Mapping[str, Any] | None = None) -> Responses:
    """How a route that answers by `tagged` is described."""
    unchanged = {"description": "As it was at that ETag", "headers": {"ETag": {"schema": {"type": "string"}}}}
    return answers(200, description, headers={"ETag": ETAG}, links=links) | {304: unchanged}


def require_unchanged(if_match: str, current: str) -> None:
    """Raises ProblemError `precondition_failed` unless the header names the resource's present ETag."""
    if not _names(if_match, current, weak=False):
        raise ProblemError("precondition_failed")


def _given(if_match: Annotated[str | None, Header(description="The ETag that was seen", max_length=LONGEST)] = None) -> str:
    """The header. Raises ProblemError `precondition_missing`."""
    if if_match is None:
        raise ProblemError("precondition_missing")
    return if_match


def _seen(if_match: Annotated[str, Depends(_given)]) -> int:
    """The version that the caller saw. Raises ProblemError: precondition_missing, precondition_failed."""
    if (match := VERSION.fullmatch(if_match.strip())) is None:
        raise ProblemError("precondition_failed")
    return int(match[1])


def _names(header: str, current: str, *, weak: bool = True) -> bool:
    """Whether a list of ETags has the present one. What may be compared weakly may bear the mark of proxies that compress."""
    listed = (part.strip() for part in header.split(","))
    return header.strip() == "*" or current in {tag.removeprefix("W/") if weak else tag for tag in listed}


def _hashed(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


SeenVersion = Annotated[int, Depends(_seen)]
IfMatch = Annotated[str, Depends(_given)]
