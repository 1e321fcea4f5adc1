import io
import json
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from tests.unit.exports.builders import failed, judged, pending
from worker.exports.labelstudio import BOXES, FINDING, IMAGE, LABELING_CONFIG, VERDICT, write_labelstudio
from worker.moderation.outcomes import OutcomeKind
from worker.store.results import ItemResult


def tasks(*results: ItemResult) -> list[dict[str, Any]]:
    out = io.StringIO()
    written = write_labelstudio(results, out)
    found: list[dict[str, Any]] = json.loads(out.getvalue())
    assert written == len(found)
    return found


def test_a_box_is_in_percent_of_the_upright_original() -> None:
    (task,) = tasks(judged())
    assert task["data"]["image"] == "s3://photos/2026/cat.jpg"
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("nano-0123456789ab", 0.75)
    box, finding, verdict = prediction["result"]
    assert (box["type"], box["original_width"], box["original_height"], box["image_rotation"]) == ("rectanglelabels", 640, 480, 0)
    assert box["value"] == {
        "x": pytest.approx(100 * 10 / 640),
        "y": pytest.approx(100 * 20 / 480),
        "width": pytest.approx(100 * 100 / 640),
        "height": pytest.approx(100 * 50 / 480),
        "rotation": 0,
        "rectanglelabels": ["looked at"],
    }
    assert (finding["id"], finding["value"]["text"]) == (box["id"], ["six fingers"])
    assert verdict["value"] == {"choices": ["generated"]}


def test_what_was_never_decoded_stays_out_and_what_nobody_could_read_has_no_prediction() -> None:
    unreadable = judged(ordinal=3, outcome=OutcomeKind.UNREADABLE, verdict=None, p_generated=None, regions=())
    assert [task["predictions"] for task in tasks(failed(), pending(), unreadable)] == [[]]
    assert tasks() == []


def test_every_part_of_a_prediction_is_known_to_the_labeling_config() -> None:
    tags = {tag.get("name"): tag for tag in ET.fromstring(LABELING_CONFIG).iter() if tag.get("name")}  # noqa: S314  our own
    assert set(tags) == {IMAGE, BOXES, VERDICT, FINDING}
    (task,) = tasks(judged())
    for part in task["predictions"][0]["result"]:
        assert tags[part["from_name"]].tag.lower() == part["type"]
        assert tags[part["from_name"]].get("toName") == part["to_name"] == IMAGE
        offered = {child.get("value") for child in tags[part["from_name"]]}
        assert set(part["value"].get(part["type"], ())) <= offered
