"""What a path names and is not there is a missing resource; what a body names, a fault of the body."""

from collections.abc import Callable
from typing import Any, TypeVar

from api.problems import ProblemError
from worker.moderation.errors import RejectedError

Found = TypeVar("Found")


def found(look: Callable[..., Found], *arguments: Any, **named: Any) -> Found:
    """What `look` gives; errors `…_missing` become `not_found`."""
    try:
        return look(*arguments, **named)
    except RejectedError as error:
        if error.code.endswith("_missing"):
            raise ProblemError("not_found") from None
        raise
