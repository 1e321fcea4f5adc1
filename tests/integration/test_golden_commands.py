"""`zoomin golden` as a lead types it."""

import json
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.integration.golden_world import FLAGGED, GoldenWorld
from tests.unit.cli.invoke import Ended, zoomin
from worker.local.addresses import environment
from worker.moderation.identifiers import item_id
from worker.moderation.settings import Settings


@pytest.fixture
def gold(engine: Engine) -> GoldenWorld:
    return GoldenWorld.apart(engine)


def typed(gold: GoldenWorld, settings: Settings, *arguments: str) -> Ended:
    settings = settings.model_copy(update={"tenant": gold.tenant})
    return zoomin("golden", *arguments, home=settings.home, settings=environment(settings))


def test_an_image_is_added_corrected_listed_and_retired(gold: GoldenWorld, settings: Settings) -> None:
    item = item_id(gold.judged(FLAGGED), 0)
    assert typed(gold, settings, "list").out == "No golden items.\n"
    added = typed(gold, settings, "add", item, "--verdict", "generated", "--box", "1,2,30,40", "--note", "made by us")
    assert (added.code, added.out) == (0, f"{item} is golden: generated.\n")
    assert typed(gold, settings, "add", item, "--verdict", "real").out == f"{item} is known as real now.\n"
    listed = json.loads(typed(gold, settings, "list", "--json").out)
    assert (listed["item"], listed["verdict"], listed["boxes"], listed["retired_at"]) == (item, "real", [], None)
    assert typed(gold, settings, "retire", item).out == f"{item} is retired.\n"
    assert typed(gold, settings, "list").out == "No golden items.\n"
    assert item in typed(gold, settings, "list", "--all").out


def test_a_file_is_imported_whole_or_not_at_all(gold: GoldenWorld, settings: Settings, tmp_path: Path) -> None:
    batch_id, file = gold.judged(FLAGGED, FLAGGED), tmp_path / "known.jsonl"
    lines = [{"item": item_id(batch_id, n), "verdict": "generated", "boxes": [[1, 2, 30, 40]]} for n in range(2)]
    file.write_text("\n".join(map(json.dumps, [*lines, {"item": item_id(batch_id, 2), "verdict": "real"}])))
    ended = typed(gold, settings, "import", str(file))
    assert (ended.code, "line 3" in ended.err, "Nothing was imported" in ended.err) == (2, True, True)
    assert typed(gold, settings, "list").out == "No golden items.\n"
    file.write_text("\n\n".join(map(json.dumps, lines)))
    assert json.loads(typed(gold, settings, "import", str(file), "--json").out) == {"lines": 2, "added": 2}
    again = tmp_path / "again.jsonl"
    again.write_text(typed(gold, settings, "list", "--json").out)
    assert typed(gold, settings, "import", str(again)).out == "2 golden items, 0 of them new.\n"


@pytest.mark.parametrize("box", ["1,2,3", "a,b,c,d", "1,2,3,4,5", "-1,2,3,4"])
def test_a_box_that_is_none_is_refused(gold: GoldenWorld, settings: Settings, box: str) -> None:
    ended = typed(gold, settings, "add", f"item_{'0' * 32}_0", "--verdict", "real", f"--box={box}")
    assert (ended.code, "four sides" in ended.err) == (2, True)


def test_an_item_that_is_not_there_is_named(gold: GoldenWorld, settings: Settings) -> None:
    item = f"item_{'0' * 32}_0"
    assert "[item_missing]" in typed(gold, settings, "add", item, "--verdict", "real").err
    assert "[golden_missing]" in typed(gold, settings, "retire", item).err
