"""Problem bodies (RFC 9457) as errors for people: title, detail, each fault with its place, and the request's id for operators."""

import httpx
import msgspec

from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError, ZoomInError
from worker.moderation.text import clean

LONGEST_TEXT = 500  # characters
MOST_FAULTS = 20  # lines on a terminal
GATEWAY = frozenset({httpx.codes.BAD_GATEWAY, httpx.codes.SERVICE_UNAVAILABLE, httpx.codes.GATEWAY_TIMEOUT})


class Fault(msgspec.Struct):
    """One thing that is wrong with a request."""

    detail: str
    pointer: str = ""
    line: int | None = None


class Problem(msgspec.Struct):
    """The body of a problem."""

    title: str
    code: str
    detail: str = ""
    request_id: str = ""
    retryable: bool = False
    errors: list[Fault] = []


def retryable(answer: httpx.Response) -> bool:
    """Whether the same request may succeed later; a proxy's own answers do not say, so their status does."""
    problem = _problem(answer)
    return problem.retryable if problem else answer.status_code in GATEWAY


def error_of(answer: httpx.Response) -> ZoomInError:
    """What an answer that is no success means to whoever runs a command."""
    problem, status = _problem(answer), answer.status_code
    if problem is None:
        return _unexplained(status)
    return _kind(status)(clean(problem.code, LONGEST_TEXT), _in_words(problem))


def _kind(status: int) -> type[ZoomInError]:
    if status in {httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN}:
        return MisconfiguredError
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status in {httpx.codes.TOO_MANY_REQUESTS, httpx.codes.REQUEST_TIMEOUT}:
        return TransientError
    return RejectedError


def _in_words(problem: Problem) -> str:
    lines = [f"{clean(problem.title, LONGEST_TEXT)}: {clean(problem.detail, LONGEST_TEXT)}"]
    lines += [_fault(fault) for fault in problem.errors[:MOST_FAULTS]]
    if len(problem.errors) > MOST_FAULTS:
        lines.append(f"  … and {len(problem.errors) - MOST_FAULTS} more")
    if problem.code == "unauthenticated":
        lines[0] = "The API does not accept ZOOMIN_API_KEY: it is wrong, expired or revoked. `zoomin keys create` makes one."
    lines[-1] += f" Request id: {clean(problem.request_id, LONGEST_TEXT)}." if problem.request_id else ""
    return "\n".join(lines)


def _fault(fault: Fault) -> str:
    place = f"line {fault.line}" if fault.line is not None else clean(fault.pointer, LONGEST_TEXT)
    return f"  {place}: {clean(fault.detail, LONGEST_TEXT)}"


def _unexplained(status: int) -> ZoomInError:
    """Answers that no zoomin API gives: a proxy's, or of another server."""
    if status >= httpx.codes.INTERNAL_SERVER_ERROR or status == httpx.codes.TOO_MANY_REQUESTS:
        return TransientError("api_unavailable", f"Something in front of the API answered {status}.")
    return MisconfiguredError(
        "not_the_api", f"ZOOMIN_API_URL answers {status}, and not as the API of zoomin does. Is it the right address?"
    )


def _problem(answer: httpx.Response) -> Problem | None:
    if not answer.headers.get("Content-Type", "").startswith("application/problem+json"):
        return None
    try:
        return msgspec.json.decode(answer.content, type=Problem)
    except msgspec.MsgspecError:
        return None
