"""JSON that means one thing only."""

import time

import pytest

from api.middleware.strict_json import check_json
from api.problems import ProblemError


def nested(levels: int) -> bytes:
    return b"[" * levels + b"]" * levels


@pytest.mark.parametrize(
    "body",
    [
        nested(32),
        b'{"a": [1, -9223372036854775808, 9223372036854775807, 1.5e300]}',
        b'{"a": "[[[[\\"[[[{{{"}',
        '{"a": "ü \u202e 😀 \\ud83d\\ude00"}'.encode(),
        b'[{"a": 1}, {"a": 1}]',
        b"null",
    ],
)
def test_plain_json_passes(body: bytes) -> None:
    check_json(body)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (nested(33), "json_too_deep"),
        (nested(100), "json_too_deep"),
        (b"[" * 500_000, "json_too_deep"),
        (b'{"a": 1, "a": 1}', "json_duplicate_key"),
        (b'{"x": {"\\u0061": 1, "a": 2}}', "json_duplicate_key"),
        (b'{"a": NaN}', "json_invalid"),
        (b"[Infinity]", "json_invalid"),
        (b"[-Infinity]", "json_invalid"),
        (b"[9223372036854775808]", "json_number_range"),
        (b"[-9223372036854775809]", "json_number_range"),
        (b"[" + b"9" * 100_000 + b"]", "json_number_range"),
        (b"[1e999]", "json_number_range"),
        (b'["\\ud800"]', "json_text_invalid"),
        (b'{"\\udc00": 1}', "json_text_invalid"),
        (b'["a\\u0000b"]', "json_text_invalid"),
        (b'["a\x00b"]', "json_invalid"),
        (b"\xff\xfe[\x00]\x00", "json_invalid"),
        (b'["\xed\xa0\x80"]', "json_invalid"),
        (b"\xef\xbb\xbf[]", "json_invalid"),
        (b"[1,]", "json_invalid"),
        (b"{'a': 1}", "json_invalid"),
        (b" ", "json_invalid"),
    ],
)
def test_what_two_parsers_might_read_differently_is_refused(body: bytes, code: str) -> None:
    with pytest.raises(ProblemError) as refused:
        check_json(body)
    assert refused.value.kind.code == code


@pytest.mark.parametrize("body", [b'"' + b'\\"' * 500_000, b'"' * 1_000_000, b"[]" * 500_000, b'["' + b"a" * 1_000_000])
def test_no_body_of_a_megabyte_takes_long(body: bytes) -> None:
    started = time.process_time()
    with pytest.raises(ProblemError):
        check_json(body)
    assert time.process_time() - started < 2
