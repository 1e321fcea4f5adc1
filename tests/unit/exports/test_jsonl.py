import io
import json

from tests.unit.exports.builders import failed, judged, pending
from worker.exports.jsonl import write_jsonl
from worker.store.results import ItemResult


def lines_of(*results: ItemResult) -> list[str]:
    out = io.StringIO()
    assert write_jsonl(results, out) == len(results)
    return out.getvalue().splitlines()


def test_a_verdict_has_the_promised_fields() -> None:
    (line,) = lines_of(judged())
    assert json.loads(line) == {
        "id": "item_0198c7a0000070008000000000000000_0",
        "custom_id": "cat.jpg",
        "source": "s3://photos/2026/cat.jpg",
        "outcome": "verdict",
        "verdict": "generated",
        "p_generated": 0.75,
        "regions": [{"box": [10, 20, 110, 70], "reason": "hands", "finding": "six fingers", "crop_sha256": "ab" * 32}],
        "explanation": "The left hand has six fingers.",
        "path": "zoomed",
        "release": "nano-0123456789ab",
        "training": "untrained",
        "size": [640, 480],
        "revision": 1,
        "error": None,
        "erased": False,
    }


def test_a_failure_has_an_error_and_no_verdict() -> None:
    row = json.loads(lines_of(failed())[0])
    assert row["outcome"] == "failed"
    assert row["verdict"] is None
    assert row["error"]["code"] == "image_corrupt"


def test_an_item_without_outcome_is_listed_with_null() -> None:
    row = json.loads(lines_of(pending())[0])
    assert (row["custom_id"], row["outcome"], row["regions"], row["error"]) == ("emu.jpg", None, [], None)


def test_line_breaks_in_texts_do_not_break_lines() -> None:
    lines = lines_of(judged(explanation="one\ntwo\u2028three\x85four"), failed())
    assert len(lines) == 2
    assert json.loads(lines[0])["explanation"] == "one\ntwo\u2028three\x85four"


def test_what_a_terminal_would_obey_is_escaped_and_survives() -> None:
    custom_id = "a\x1b[2Jb\u202ec\x9bd.jpg"
    (line,) = lines_of(judged(custom_id=custom_id))
    assert not set("\x1b\u202e\x9b") & set(line)
    assert json.loads(line)["custom_id"] == custom_id


def test_names_in_other_scripts_stay_readable() -> None:
    assert "写真.jpg" in lines_of(judged(custom_id="写真.jpg"))[0]
