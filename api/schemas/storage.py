"""Storage checks."""

from typing import Annotated

from pydantic import Field

from api.schemas.base import Answer, RequestBody

Target = Annotated[str, Field(min_length=6, max_length=2_048, pattern="^s3://")]


class StorageCheck(RequestBody):
    """Prefixes (ending in /) and objects to try."""

    targets: list[Target] = Field(min_length=1, max_length=10, examples=[["s3://zoomin-uploads/2026/", "s3://zoomin-uploads/a.jpg"]])


class TargetResult(Answer):
    """What came of one."""

    target: str
    ok: bool
    code: str = Field(description="`ok`, or the code of a problem")
    detail: str


class StorageCheckResult(Answer):
    """In the order of the request."""

    ok: bool = Field(description="Whether all are")
    checks: list[TargetResult]
