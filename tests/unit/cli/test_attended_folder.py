from pathlib import Path

import pytest

from worker.cli.attended import Entry, find_entry, keep_entry, request_key

ENTRY = Entry({"logprob_gap": 0.01}, {"a.png": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"})


def test_the_same_request_finds_what_was_kept(tmp_path: Path) -> None:
    key = request_key({"image": "x", "method": "y"})
    assert key == request_key({"method": "y", "image": "x"})
    assert find_entry(tmp_path, key) is None
    keep_entry(tmp_path, key, ENTRY, {"a.png": b"a"})
    assert find_entry(tmp_path, key) == ENTRY
    assert find_entry(tmp_path, request_key({"image": "z", "method": "y"})) is None


@pytest.mark.parametrize("harm", ["altered", "missing", "entry"])
def test_what_no_longer_is_what_was_kept_is_made_anew(tmp_path: Path, harm: str) -> None:
    key = request_key({})
    keep_entry(tmp_path, key, ENTRY, {"a.png": b"a"})
    match harm:
        case "altered":
            (tmp_path / "a.png").write_bytes(b"b")
        case "missing":
            (tmp_path / "a.png").unlink()
        case "entry":
            (tmp_path / ".attended" / f"{key}.json").write_text('["not", "an", "entry"]')
    assert find_entry(tmp_path, key) is None
