from pathlib import Path

from tests.unit.cli.invoke import zoomin
from worker.moderation.settings import PREFIX, Settings


def test_secrets_are_said_to_be_set_and_not_shown(tmp_path: Path) -> None:
    ended = zoomin("settings", home=tmp_path, settings={"ZOOMIN_S3_SECRET_KEY": "hunter2", "ZOOMIN_TENANT": "acme"})
    assert ended.code == 0
    assert "hunter2" not in ended.out
    assert "(set)" in ended.out
    assert "acme" in ended.out


def test_the_markdown_table_has_every_setting_once(tmp_path: Path) -> None:
    lines = zoomin("settings", "--markdown", home=tmp_path).out.splitlines()[2:]
    assert [line.split("`")[1] for line in lines] == [PREFIX + name.upper() for name in Settings.model_fields]
    assert all(line.count("|") == 4 for line in lines)
