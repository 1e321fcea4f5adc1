import csv
import io
import json

import pytest

from tests.unit.exports.builders import failed, judged, pending
from worker.exports.csv import COLUMNS, guarded, write_csv
from worker.store.results import ItemResult


def rows_of(*results: ItemResult) -> list[dict[str, str]]:
    out = io.StringIO(newline="")
    assert write_csv(results, out) == len(results)
    return list(csv.DictReader(io.StringIO(out.getvalue(), newline="")))


def test_every_row_has_every_column() -> None:
    rows = rows_of(judged(), failed(), pending())
    assert all(tuple(row) == COLUMNS and None not in row.values() for row in rows)
    assert [row["outcome"] for row in rows] == ["verdict", "failed", ""]
    assert rows[1]["error_code"] == "image_corrupt"


def test_regions_are_json() -> None:
    assert json.loads(rows_of(judged())[0]["regions"])[0]["box"] == [10, 20, 110, 70]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝"])
def test_no_cell_starts_a_formula(start: str) -> None:
    formula = f'{start}HYPERLINK("http://evil.example","x")'
    row = rows_of(judged(custom_id=formula, explanation=formula))[0]
    assert row["custom_id"].startswith("'")
    assert row["explanation"].startswith("'")


def test_ordinary_text_is_left_alone() -> None:
    assert guarded("photos/a-b+c=d.jpg") == "photos/a-b+c=d.jpg"


def test_commas_quotes_and_line_breaks_stay_in_their_cell() -> None:
    row = rows_of(judged(custom_id='a,"b"\nc'))[0]
    assert row["custom_id"] == 'a,"b" c'


def test_terminal_escapes_are_gone() -> None:
    assert "\x1b" not in rows_of(judged(explanation="a\x1b[2Jb"))[0]["explanation"]
