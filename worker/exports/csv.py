"""CSV for spreadsheets: one row per item, and no cell that a spreadsheet would run as a formula."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from itertools import chain
from typing import TextIO

from worker.exports.jsonl import json_line, region_object
from worker.exports.pieces import write_pieces
from worker.store.results import ItemResult

Cell = str | float | None
COLUMNS = (
    "custom_id",
    "source",
    "outcome",
    "verdict",
    "p_generated",
    "regions",
    "explanation",
    "path",
    "release",
    "revision",
    "error_code",
    "error_message",
    "erased",
)
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # the wide ones count in East Asian locales
_CONTROL = dict.fromkeys([*range(0x20), *range(0x7F, 0xA0)], " ")  # a terminal that shows the file would obey them


def write_csv(results: Iterable[ItemResult], out: TextIO) -> int:
    """A header and one row per item: how many items. `regions` is a JSON array. Raises OSError."""
    pieces = csv_pieces(results)
    out.write(next(pieces))
    return write_pieces(pieces, out)


def csv_pieces(results: Iterable[ItemResult]) -> Iterator[str]:
    """The header, then a row for each item."""
    return csv_lines(chain([COLUMNS], map(_cells, results)))


def csv_lines(rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """A line for each row. Texts of others must be `guarded`."""
    row = StringIO(newline="")
    writer = csv.writer(row, lineterminator="\r\n")  # RFC 4180
    for cells in rows:
        writer.writerow(cells)
        yield row.getvalue()
        row.seek(0)
        row.truncate()


def guarded(cell: str) -> str:
    """The text, led by an apostrophe where a spreadsheet would take it for a formula, without control characters."""
    return ("'" if cell.startswith(FORMULA_STARTS) else "") + cell.translate(_CONTROL)


def _cells(result: ItemResult) -> tuple[Cell, ...]:
    error = result.error
    return (
        guarded(result.custom_id),
        guarded(result.source),
        result.outcome,
        result.verdict,
        result.p_generated,
        json_line([region_object(region) for region in result.regions]).rstrip(),
        guarded(result.explanation or ""),
        result.path,
        guarded(result.release or ""),
        result.revision,
        guarded(error.code) if error else "",
        guarded(error.message) if error else "",
        "true" if result.erased else "",
    )
