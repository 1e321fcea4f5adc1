import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.intake.manifest import ManifestFormat, manifest_format, read_manifest
from worker.intake.rows import Row, RowError
from worker.moderation.errors import RejectedError

JSON, CSV = ManifestFormat.JSON_LINES, ManifestFormat.CSV


def read(data: bytes | str, form: ManifestFormat = JSON) -> list[Row | RowError]:
    return list(read_manifest(io.BytesIO(data if isinstance(data, bytes) else data.encode()), form))


def codes(data: bytes | str, form: ManifestFormat = JSON) -> list[tuple[int, str]]:
    return [(row.line, row.code if isinstance(row, RowError) else "row") for row in read(data, form)]


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("a.jsonl", JSON),
        ("A.JSONL.GZ", JSON),
        ("a.manifest", JSON),
        ("a.csv", CSV),
        ("a.csv.gz", CSV),
        ("a.jpg", None),
        ("a.gz", None),
        ("a", None),
    ],
)
def test_format_is_told_by_the_name(name: str, form: ManifestFormat | None) -> None:
    assert manifest_format(name) is form


def test_manifest_of_aws_rekognition_is_read_unchanged() -> None:
    assert read('{"source-ref": "s3://b/1.jpg"}\n{"source-ref": "s3://b/2.jpg", "other-tool": {"x": 1}, "line": "L"}\n') == [
        Row("s3://b/1.jpg", line=1),
        Row("s3://b/2.jpg", line=2),
    ]


def test_every_field_is_read_from_both_formats() -> None:
    row = Row("s3://b/1.jpg", "one", "v1", {"a": [1, "x"]}, line=1)
    assert read('{"source-ref":"s3://b/1.jpg","custom_id":"one","version_id":"v1","metadata":{"a":[1,"x"]}}') == [row]
    row.line = 2
    assert read('custom_id,source-ref,metadata,version_id\none,s3://b/1.jpg,"{""a"":[1,""x""]}",v1\n', CSV) == [row]


def test_empty_cells_of_a_csv_are_missing_fields() -> None:
    assert read("source-ref,custom_id,version_id,metadata\ns3://b/1.jpg,,,\n", CSV) == [Row("s3://b/1.jpg", line=2)]


def test_gzipped_csv_with_a_bom_is_read() -> None:
    assert read(gzip.compress("\ufeffsource-ref\r\ns3://b/1.jpg\r\n".encode()), CSV) == [Row("s3://b/1.jpg", line=2)]


def test_blank_lines_are_skipped_but_counted() -> None:
    assert codes('\n{"source-ref":"a"}\r\n  \r\n{"source-ref":"b"}') == [(2, "row"), (4, "row")]
    assert codes("source-ref\n\na\n\nb\n", CSV) == [(3, "row"), (5, "row")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "json_invalid"),
        ('{"source-ref":"a"}{"source-ref":"b"}', "json_invalid"),
        ('{"source-ref":"a","metadata":{"x":NaN}}', "json_invalid"),
        ("[" * 100_000, "json_invalid"),
        ('{"source-ref":"\\ud800"}', "json_invalid"),
        ("[]", "row_invalid"),
        ('"s3://b/1.jpg"', "row_invalid"),
        ("{}", "source_ref_missing"),
        ('{"source-ref":null}', "source_ref_missing"),
        ('{"source-ref":["a"]}', "source_ref_missing"),
        ('{"source-ref":"a","custom_id":7}', "custom_id_invalid"),
        ('{"source-ref":"a","version_id":7}', "version_id_invalid"),
        ('{"source-ref":"a","metadata":"x"}', "metadata_invalid"),
        ('{"source-ref":"a","metadata":{"x":1e999}}', "json_invalid"),
        ('{"source-ref":"' + "a" * 1_000_000 + '"}', "line_too_long"),
    ],
)
def test_a_bad_line_is_an_error_of_its_own_and_harms_no_other(text: str, code: str) -> None:
    good = '{"source-ref":"a"}'
    assert codes(f"{good}\n{text}\n{good}\n") == [(1, "row"), (2, code), (3, "row")]


def test_bytes_that_are_not_utf8_are_an_error_of_their_line() -> None:
    assert codes(b'{"source-ref":"\xff"}\n{"source-ref":"a"}\n') == [(1, "json_invalid"), (2, "row")]
    assert codes(b"source-ref\n\xff\nb\n", CSV) == [(2, "encoding_invalid"), (3, "row")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n", [(2, "columns_mismatch")]),
        ("a,b,c,d\n", [(2, "columns_mismatch")]),
        (",one,\n", [(2, "source_ref_missing")]),
        ("a,one,[1]\n", [(2, "metadata_invalid")]),
        ("a,one,{\n", [(2, "metadata_invalid")]),
        ('a,"one"x,\n', [(2, "csv_invalid")]),
        ('a,"two\nlines",\nb,two,\n', [(2, "row"), (4, "row")]),
        ('b,two,\na,"never closed,\n', [(2, "row"), (3, "csv_invalid")]),
        ("x" * 1_000_001 + "\nb,two,\n", [(2, "line_too_long"), (3, "row")]),
    ],
)
def test_a_bad_csv_line_is_an_error_of_its_own(text: str, expected: list[tuple[int, str]]) -> None:
    assert codes(f"source-ref,custom_id,metadata\n{text}", CSV) == expected


def test_a_quote_that_never_closes_swallows_little() -> None:
    rows = "".join(f"s3://b/{n}.jpg,{n}\n" for n in range(20_000))
    found = codes(f'source-ref,custom_id\na,"open\n{rows}', CSV)
    assert found[0] == (2, "csv_invalid")
    assert len(found) > 10_000


@pytest.mark.parametrize(("header", "code"), [("s3://b/1.jpg", "column_missing"), ("source-ref,custom_id,custom_id", "column_repeated")])
def test_a_csv_without_a_proper_header_is_rejected(header: str, code: str) -> None:
    with pytest.raises(RejectedError) as refused:
        read(f"{header}\ns3://b/2.jpg\n", CSV)
    assert refused.value.code == code


@given(st.lists(st.binary(max_size=40)), st.sampled_from(ManifestFormat))
def test_no_bytes_raise_anything_but_a_rejection_and_no_line_is_told_of_twice(data: list[bytes], form: ManifestFormat) -> None:
    try:
        found = read(b"source-ref\n" + b"\n".join(data), form)
    except RejectedError:
        return
    numbers = [row.line for row in found]
    assert len(set(numbers)) == len(numbers)


@given(st.dictionaries(st.text(), st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63 - 1), st.text()), max_size=4))
def test_any_metadata_comes_through(metadata: dict[str, object]) -> None:
    (row,) = read(json.dumps({"source-ref": "a", "metadata": metadata}))
    assert isinstance(row, Row)
    assert row.metadata == metadata
