import itertools
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake import slicing
from worker.intake.reference import AllowedSources
from worker.intake.rows import Row, RowError
from worker.intake.slicing import SLICE_ROWS, check_row, cut_slices
from worker.store.slices import NewItem, NewRowError, Slice

ALLOWED = AllowedSources({"photos"})


def row(line: int, custom_id: str | None = None, **more: Any) -> Row:
    return Row(f"s3://photos/{line}.jpg", custom_id, line=line, **more)


def cut(rows: Iterable[Row | RowError]) -> list[Slice]:
    return list(cut_slices(rows, ALLOWED, start={}, cursor=lambda last: {"line": last.line}))


def test_a_row_without_custom_id_is_named_by_its_line() -> None:
    item = check_row(row(7), ALLOWED)
    assert isinstance(item, NewItem)
    assert item.custom_id == "line:7"


@pytest.mark.parametrize("custom_id", ["", "a\x00", "a\tb", "x" * 1025, "é" * 513, "\ud800"])
def test_a_custom_id_that_cannot_be_kept_is_a_row_error(custom_id: str) -> None:
    error = check_row(row(1, custom_id), ALLOWED)
    assert isinstance(error, NewRowError)
    assert error.code == "custom_id_invalid"


@pytest.mark.parametrize(
    "value", ["\x00", "\ud800", float("inf"), 10**5000, object(), "x" * 20_000], ids=lambda value: type(value).__name__
)
def test_metadata_that_postgres_cannot_keep_is_a_row_error(value: object) -> None:
    error = check_row(row(1, metadata={"a": value}), ALLOWED)
    assert isinstance(error, NewRowError)
    assert error.code == "metadata_invalid"


@pytest.mark.parametrize("value", ["\\u0000", "\\", "🐈", None, {"deep": [1.5]}])
def test_metadata_that_only_looks_dangerous_is_kept(value: object) -> None:
    item = check_row(row(1, metadata={"a": value}), ALLOWED)
    assert isinstance(item, NewItem)
    assert item.metadata is not None
    assert json.loads(item.metadata) == {"a": value}


def test_a_duplicate_within_a_slice_names_the_first_line() -> None:
    (part,) = cut([row(1, "a"), row(2, "b"), row(5, "a"), row(6, "line:7"), row(7)])
    assert [item.line for item in part.items] == [1, 2, 6]
    assert [(error.line, error.code) for error in part.errors] == [(5, "duplicate_custom_id"), (7, "duplicate_custom_id")]
    assert "line 1" in part.errors[0].message


def test_slices_follow_one_another_by_their_cursors() -> None:
    parts = cut(row(n) if n % 3 else RowError(n, "bad", "Bad.") for n in range(1, SLICE_ROWS * 2 + 2))
    assert [len(part.items) + len(part.errors) for part in parts] == [SLICE_ROWS, SLICE_ROWS, 1]
    assert [part.after for part in parts] == [{}, {"line": SLICE_ROWS}, {"line": 2 * SLICE_ROWS}]
    assert parts[-1].cursor == {"line": 2 * SLICE_ROWS + 1}


def test_a_slow_source_hands_over_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(0, slicing.SLICE_SECONDS * 0.6)
    monkeypatch.setattr(slicing, "monotonic", lambda: next(clock))
    assert [len(part.items) for part in cut(row(n) for n in range(1, 71))] == [32, 32, 6]


def test_no_rows_are_no_slices() -> None:
    assert cut([]) == []


@given(st.lists(st.tuples(st.sampled_from([None, "a", "b", "line:3", "\x01"]), st.booleans()), max_size=20))
def test_every_row_is_either_accepted_or_refused(rows: list[tuple[str | None, bool]]) -> None:
    made = [row(n, name) if good else RowError(n, "bad", "Bad.") for n, (name, good) in enumerate(rows, 1)]
    parts = cut(made)
    lines = sorted([item.line for part in parts for item in part.items] + [error.line for part in parts for error in part.errors])
    assert lines == list(range(1, len(rows) + 1))
    names = [item.custom_id for part in parts for item in part.items]
    assert len(set(names)) == len(names)
