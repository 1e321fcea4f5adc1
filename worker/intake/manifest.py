"""Reads manifests, JSON Lines or CSV, gzipped or not, as rows in constant memory.

A row is `{"source-ref": "s3://…", "custom_id"?, "version_id"?, "metadata"?}`; AWS Rekognition's bulk manifests are read
unchanged. Fields that we do not know are ignored: those of other tools stand beside ours.
"""

import csv
from collections.abc import Iterator
from enum import StrEnum
from typing import IO, Any

import msgspec

from worker.intake.lines import MAX_LINE_BYTES, Line, lines
from worker.intake.rows import Row, RowError
from worker.moderation.errors import RejectedError

SOURCE_REF, CUSTOM_ID, VERSION_ID, METADATA = "source-ref", "custom_id", "version_id", "metadata"


class ManifestFormat(StrEnum):
    """What a manifest's name says it is."""

    JSON_LINES = "jsonl"
    CSV = "csv"


def manifest_format(name: str) -> ManifestFormat | None:
    """By the name's ending, `.gz` aside; None when it is not a manifest's."""
    stem = name.lower().removesuffix(".gz")
    if stem.endswith((".jsonl", ".ndjson", ".json", ".manifest")):
        return ManifestFormat.JSON_LINES
    return ManifestFormat.CSV if stem.endswith(".csv") else None


def read_manifest(stream: IO[bytes], form: ManifestFormat) -> Iterator[Row | RowError]:
    """Rows and row errors by line; blank lines are skipped but counted.

    Raises RejectedError: manifest_encoding, manifest_bomb, manifest_damaged, column_missing.
    """
    return _csv_rows(stream) if form is ManifestFormat.CSV else _json_rows(stream)


def row_of(line: int, fields: object) -> Row | RowError:
    """A row from decoded JSON, or what is wrong with it."""
    try:
        row = msgspec.convert(fields, Row)
    except msgspec.ValidationError as error:
        return _explained(line, fields, error)
    row.line = line
    return row


def _json_rows(stream: IO[bytes]) -> Iterator[Row | RowError]:
    decode = msgspec.json.Decoder(Row).decode
    for number, text in lines(stream):
        if text is None:
            yield _too_long(number)
        elif text and not text.isspace():
            try:
                row = decode(text)
            except (ValueError, RecursionError):
                yield _refused(number, text)
            else:
                row.line = number
                yield row


def _refused(number: int, text: bytes) -> Row | RowError:
    try:
        return row_of(number, msgspec.json.decode(text))
    except (ValueError, RecursionError) as error:
        return RowError(number, "json_invalid", f"The line is not JSON: {error}.")


def _explained(line: int, fields: object, error: msgspec.ValidationError) -> RowError:
    if not isinstance(fields, dict):
        return RowError(line, "row_invalid", 'The row is not a JSON object. Write {"source-ref": "s3://bucket/key"}.')
    if not isinstance(fields.get(SOURCE_REF), str):
        return RowError(line, "source_ref_missing", f'The row has no text under "{SOURCE_REF}".')
    name = next((name for name in (CUSTOM_ID, VERSION_ID, METADATA) if f"`$.{name}" in str(error)), "row")
    return RowError(line, f"{name}_invalid", f"{error}.")


def _too_long(number: int) -> RowError:
    return RowError(number, "line_too_long", f"The line is longer than {MAX_LINE_BYTES:,} bytes.")


class _CsvFeed:
    """Text lines for `csv.reader`. Knows on which line a record began, and keeps the errors of lines it cannot pass on."""

    def __init__(self, source: Iterator[Line]) -> None:
        self._source = source
        self.began = 0  # the first line of the record being read
        self.errors: list[RowError] = []

    def __iter__(self) -> Iterator[str]:
        for number, raw in self._source:
            if (text := self._decoded(number, raw)) is not None:
                self.began = self.began or number
                yield text + "\n"

    def next_record(self) -> list[RowError]:
        """Forgets the last record; the errors since it began."""
        errors, self.errors, self.began = self.errors, [], 0
        return errors

    def _decoded(self, number: int, raw: bytes | None) -> str | None:
        try:
            if raw is not None and b"\x00" not in raw:
                return raw.decode()
            error = _too_long(number) if raw is None else RowError(number, "row_invalid", "The line has a NUL byte.")
        except UnicodeDecodeError:
            error = RowError(number, "encoding_invalid", "The line is not UTF-8.")
        self.errors.append(error)
        return None


def _csv_rows(stream: IO[bytes]) -> Iterator[Row | RowError]:
    feed = _CsvFeed(lines(stream))
    records = csv.reader(feed, strict=True)
    header: list[str] | None = None
    while True:
        try:
            record = next(records, None)
        except csv.Error as error:
            # A quote that never closes swallows lines up to csv's own field limit (128 KiB); it starts afresh after that.
            record = []
            feed.errors.append(RowError(feed.began, "csv_invalid", f"From this line on, not CSV: {error}."))
        line = feed.began
        yield from feed.next_record()
        if record is None:
            return
        if not record:
            continue
        if header is None:
            header = _checked_header(record)
        else:
            yield _csv_row(line, header, record)


def _checked_header(record: list[str]) -> list[str]:
    header = [name.strip() for name in record]
    if SOURCE_REF not in header:
        raise RejectedError("column_missing", f"The CSV's first line names no column {SOURCE_REF}. It must be a header.")
    if len(set(header)) < len(header):
        raise RejectedError("column_repeated", "The CSV's header names a column twice.")
    return header


def _csv_row(line: int, header: list[str], record: list[str]) -> Row | RowError:
    if len(record) != len(header):
        return RowError(line, "columns_mismatch", f"The line has {len(record)} columns; the header has {len(header)}.")
    fields: dict[str, Any] = dict(zip(header, record, strict=True))
    if metadata := fields.pop(METADATA, ""):
        try:
            fields[METADATA] = msgspec.json.decode(metadata)
        except (ValueError, RecursionError) as error:
            return RowError(line, "metadata_invalid", f'"metadata" is not JSON: {error}.')
    return row_of(line, {name: value for name, value in fields.items() if value != ""})
