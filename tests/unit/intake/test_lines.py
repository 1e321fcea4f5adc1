import gzip
import io
import tracemalloc
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake import lines as module
from worker.intake.lines import MAX_LINE_BYTES, lines
from worker.moderation.errors import RejectedError


class Zeros(io.RawIOBase):
    """A stream of one endless line, then a good one."""

    def __init__(self, size: int, end: bytes) -> None:
        super().__init__()
        self._left = size
        self._end = end

    def read(self, size: int = -1) -> bytes:
        if self._left:
            piece = min(size, self._left)
            self._left -= piece
            return b"x" * piece
        end, self._end = self._end, b""
        return end


def texts(data: bytes) -> list[bytes | None]:
    return [text for _, text in lines(io.BytesIO(data))]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"a", [b"a"]),
        (b"a\n", [b"a"]),
        (b"a\r\nb\rc\nd", [b"a", b"b", b"c", b"d"]),
        (b"a\n\n\nb\n", [b"a", b"", b"", b"b"]),
        (b"\xef\xbb\xbfa\n", [b"a"]),
    ],
)
def test_lines_end_in_any_way(data: bytes, expected: list[bytes]) -> None:
    assert texts(data) == expected


@given(st.lists(st.sampled_from([b"a", b"bcd", b"\n", b"\r", b"\r\n"])).map(b"".join), st.integers(1, 7))
def test_lines_are_the_same_wherever_blocks_end(data: bytes, size: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_BYTES", size)
        assert texts(data) == data.splitlines()


def test_gzip_is_recognised_by_content_and_members_are_joined() -> None:
    assert texts(gzip.compress(b"a\nb") + gzip.compress(b"c\nd\n")) == [b"a", b"bc", b"d"]


def test_overlong_line_is_passed_over_without_being_held() -> None:
    tracemalloc.start()
    found = list(lines(Zeros(50 * MAX_LINE_BYTES, b"\ngood\n")))  # type: ignore[arg-type]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == [(1, None), (2, b"good")]
    assert peak < 8 * MAX_LINE_BYTES


@pytest.mark.parametrize("size", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_the_longest_line_is_the_limit(size: int) -> None:
    expected = b"x" * size if size <= MAX_LINE_BYTES else None
    assert texts(b"x" * size + b"\nb") == [expected, b"b"]
    assert texts(b"a\n" + b"x" * size) == [b"a", expected]


@pytest.mark.parametrize("data", ['{"a": 1}'.encode("utf-16"), '{"a": 1}\n'.encode("utf-16-le"), b"\x89PNG\x00\x00", b"PK\x03\x04\x14\x00"])
def test_what_is_not_utf8_text_is_rejected_whole(data: bytes) -> None:
    with pytest.raises(RejectedError, match="UTF-"):
        texts(data)


def test_gzip_bomb_is_refused_early() -> None:
    bomb = gzip.compress(b"x" * (module.RATIO_FROM_BYTES + 2 * module.BLOCK_BYTES))

    with pytest.raises(RejectedError) as refused:
        deque(lines(io.BytesIO(bomb)), maxlen=0)
    assert refused.value.code == "manifest_bomb"


@pytest.mark.parametrize("cut", [12, 40])
def test_damaged_gzip_is_a_rejection(cut: int) -> None:
    with pytest.raises(RejectedError) as refused:
        texts(gzip.compress(bytes(range(1, 200)))[:cut])
    assert refused.value.code == "manifest_damaged"
