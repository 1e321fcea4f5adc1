"""Which problem an exception becomes. Texts of foreign exceptions never reach a caller."""

import logging
from collections.abc import Sequence
from traceback import format_tb
from typing import Any

from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException

from api.problems import KINDS, RENAMED, Fault, Problem, ProblemError
from api.schemas.base import FORM
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError, ZoomInError
from worker.moderation.text import clean
from worker.store.session import is_retryable

log = logging.getLogger(__name__)

BY_STATUS = {400: "request_malformed", 404: "not_found", 405: "method_not_allowed", 413: "body_too_large", 415: "media_type_unsupported"}
IDEMPOTENCY_KEY = "idempotency-key"
LONGEST_DETAIL = 500  # characters


def problem_of(error: Exception) -> Problem:
    """The problem to answer with. Faults of ours, and what operators must mend, are logged."""
    match error:
        case ProblemError():
            return Problem.of(error)
        case RequestValidationError():
            return _of_validation(error.errors())
        case HTTPException():
            return Problem.of(ProblemError(BY_STATUS.get(error.status_code, "internal_error"), headers=error.headers or {}))
        case ZoomInError():
            return _of_ours(error)
        case PoolTimeoutError():
            return _of_code("database_unavailable")
        case DBAPIError() if is_retryable(error):
            return _of_code("database_unavailable")
        case SQLAlchemyError():
            # Without its text: Postgres repeats values there.
            state = getattr(getattr(error, "orig", None), "sqlstate", None)
            log.error("the database refused a statement: %s %s\n%s", type(error).__name__, state, "".join(format_tb(error.__traceback__)))
        case _:
            log.error("a request failed: %s", type(error).__name__, exc_info=error)
    return _of_code("internal_error")


def _of_code(code: str) -> Problem:
    return Problem.of(ProblemError(code))


def _of_ours(error: ZoomInError) -> Problem:
    if (kind := KINDS.get(RENAMED.get(error.code, error.code))) is None:
        kind = KINDS[_generic(error)]
    if kind.status >= 500 or isinstance(error, MisconfiguredError):
        log.warning("%s: %s", error.code, error.message)
    detail = clean(error.message, LONGEST_DETAIL) if kind.speaks else kind.meaning
    return Problem(kind, detail)


def _generic(error: ZoomInError) -> str:
    match error:
        case RejectedError():
            return "request_rejected"
        case TransientError():
            return "temporarily_unavailable"
        case MisconfiguredError():
            return "misconfigured"
        case _:
            return "internal_error"


def _of_validation(found: Sequence[Any]) -> Problem:
    places = [tuple(fault["loc"]) for fault in found]
    if any(place[0] == "path" for place in places):  # an id that cannot be is an id that is not
        return _of_code("not_found")
    for place, fault in zip(places, found, strict=True):
        if place[0] == "header" and str(place[-1]).lower() == IDEMPOTENCY_KEY:
            return _of_code("idempotency_key_missing" if fault["type"] == "missing" else "idempotency_key_invalid")
    if any(fault["type"] == "json_invalid" for fault in found):
        return _of_code("json_invalid")
    faults = [
        Fault(_pointer(place), str(fault["type"]), clean(str(fault["msg"]), LONGEST_DETAIL))
        for place, fault in zip(places, found, strict=True)
    ]
    return Problem.of(ProblemError("request_invalid", errors=faults[:100]))


def _pointer(place: tuple[str | int, ...]) -> str:
    where, *path = place
    if where == "body":
        path = path[1:] if path and str(path[0]).startswith(FORM) else path
        return "#" + "".join(f"/{clean(str(part), 100).replace('~', '~0').replace('/', '~1')}" for part in path)
    return f"?{path[-1]}" if where == "query" else str(path[-1] if path else where)
