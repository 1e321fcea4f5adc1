"""The README is what a newcomer types: its commands and tables must be true."""

import re
from pathlib import Path

from typer.main import get_command
from typer.testing import CliRunner

from worker.cli.app import app
from worker.moderation.retention import markdown

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")


def test_the_settings_table_is_the_one_the_code_prints() -> None:
    printed = CliRunner().invoke(app, ["settings", "--markdown"])
    assert printed.exit_code == 0
    assert printed.stdout.strip() in README, "run `zoomin settings --markdown` and paste it between the comments"


def test_the_table_of_terms_is_the_one_in_code() -> None:
    assert markdown() in README, "paste what `worker.moderation.retention.markdown()` gives between the comments"


def test_every_zoomin_command_of_the_readme_exists() -> None:
    named = set(re.findall(r"(?:^|`|bin/)zoomin ([a-z]+)", README, flags=re.MULTILINE))
    assert named <= set(get_command(app).commands), named  # type: ignore[attr-defined]
    assert {"scan", "results", "batches", "up"} <= named


def test_the_readme_names_both_commands() -> None:
    assert "make demo" in README
    assert "make test" in README
