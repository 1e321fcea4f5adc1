"""JSON as the API takes it: what two parsers might read differently, or a database cannot hold, is refused."""

import json
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from api.problems import ProblemError

MAX_DEPTH = 32
MAX_INTEGER, MIN_INTEGER = 2**63 - 1, -(2**63)
MAX_DIGITS = 20  # of an integer: longer ones are not even converted, which takes quadratic time
_TOKENS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]', re.DOTALL)  # a text that never ends is one token: linear in any body
_UNUSABLE = re.compile("[\x00\ud800-\udfff]")


def check_json(body: bytes) -> None:
    """Returns when the body is JSON that means one thing. Raises ProblemError with one of the json_* codes."""
    _check_depth(body)
    try:
        text = body.decode()
        json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse_constant,
            parse_int=_checked_integer,
            parse_float=_checked_float,
        )
    except (ValueError, RecursionError):
        raise ProblemError("json_invalid") from None
    # The decoder joins escaped surrogate pairs, so what is left of them is halves; a raw NUL is no JSON and was refused before.
    if "\\u" in text:
        _check_texts(json.loads(text))


def _check_depth(body: bytes) -> None:
    """Before any parser recurses."""
    depth = 0
    for token in _TOKENS.finditer(body):
        first = body[token.start()]
        if first in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ProblemError("json_too_deep")
        elif first in b"]}":
            depth -= 1


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ProblemError("json_duplicate_key")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise ProblemError("json_invalid")


def _checked_integer(text: str) -> int:
    if len(text) > MAX_DIGITS or not MIN_INTEGER <= (number := int(text)) <= MAX_INTEGER:
        raise ProblemError("json_number_range")
    return number


def _checked_float(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ProblemError("json_number_range")
    return number


def _check_texts(value: Any) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, str):
            if _UNUSABLE.search(part):
                raise ProblemError("json_text_invalid")
        elif isinstance(part, dict):
            waiting.extend(part)
            waiting.extend(part.values())
        elif isinstance(part, list):
            waiting.extend(part)
