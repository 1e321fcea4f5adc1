import subprocess
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import typer

from worker.cli.app import app

HEAVY = ("torch", "vllm", "celery", "boto3", "sqlalchemy", "psycopg", "PIL", "numpy")


def commands(group: Any, path: str = "zoomin") -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


def test_help_loads_no_engine_no_queue_and_no_driver() -> None:
    script = f"""
        import sys
        from worker.cli.app import app
        app(["--help"], prog_name="zoomin", standalone_mode=False)
        sys.exit(",".join(sys.modules.keys() & {HEAVY!r}))
    """
    ended = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, timeout=60, check=False)
    assert ended.stderr.strip() == ""
    assert "Usage: zoomin" in ended.stdout


def test_every_command_and_every_option_is_explained() -> None:
    group = typer.main.get_command(app)
    found = dict(commands(group))
    assert {"zoomin scan", "zoomin results", "zoomin db upgrade", "zoomin bench intake", "zoomin demo"} <= set(found)
    for path, command in found.items():
        assert command.help, path
        assert all(parameter.help for parameter in command.params), path
