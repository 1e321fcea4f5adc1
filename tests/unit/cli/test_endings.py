import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import typer
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError
from typer.testing import CliRunner

from tests.unit.cli.invoke import zoomin
from worker.cli.endings import Commands, ExitCode
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError


class UndefinedTableError(Exception):
    sqlstate = "42P01"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (RejectedError("batch_missing", "There is no batch x."), ExitCode.USAGE, "There is no batch x. [batch_missing]"),
        (MisconfiguredError("setting_missing", "Set ZOOMIN_MODEL."), ExitCode.USAGE, "Set ZOOMIN_MODEL."),
        (TransientError("database_unavailable", "Postgres: gone"), ExitCode.UNAVAILABLE, "Postgres: gone"),
        (FileNotFoundError(2, "No such file or directory", "out/x.csv"), ExitCode.USAGE, "out/x.csv: No such file or directory."),
        (OSError(28, "No space left on device", "x.csv"), ExitCode.USAGE, "Free some space"),
        (KeyboardInterrupt(), ExitCode.INTERRUPTED, "Interrupted."),
        (ProgrammingError("SELECT 1", {}, UndefinedTableError("relation")), ExitCode.USAGE, "zoomin db upgrade"),
        (OperationalError("SELECT 1", {}, Exception("connection refused")), ExitCode.UNAVAILABLE, "connection refused"),
        (ArgumentError("Could not parse"), ExitCode.USAGE, "postgresql+psycopg://"),
        (ZeroDivisionError("division by zero"), ExitCode.FAULT, "ZOOMIN_LOG_LEVEL=DEBUG"),
    ],
)
def test_every_error_is_one_line_and_an_exit_code(error: BaseException, code: ExitCode, words: str) -> None:
    app = typer.Typer(cls=Commands)

    @app.command()
    def fail() -> None:
        raise error

    @app.command()
    def other() -> None: ...

    result = CliRunner().invoke(app, ["fail"])
    assert result.exit_code == code
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert "Traceback" not in result.stderr


def test_no_stack_and_no_settings_say_how_to_get_one(tmp_path: Path) -> None:
    ended = zoomin("batches", home=tmp_path)
    assert ended.code == 2
    assert "zoomin up" in ended.err
    assert str(tmp_path) in ended.err


def test_a_misspelt_setting_is_refused_with_the_right_name(tmp_path: Path) -> None:
    ended = zoomin("batches", home=tmp_path, settings={"ZOOMIN_DATABASE_URLL": "x"})
    assert ended.code == 2
    assert "Did you mean ZOOMIN_DATABASE_URL?" in ended.err


def test_a_database_that_is_away_is_exit_4_without_its_password(tmp_path: Path) -> None:
    ended = zoomin("batches", home=tmp_path, settings={"ZOOMIN_DATABASE_URL": "postgresql+psycopg://me:hunter2@127.0.0.1:9/none"})
    assert ended.code == 4
    assert "hunter2" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_half_a_production_configuration_names_what_is_missing(tmp_path: Path) -> None:
    ended = zoomin("batches", home=tmp_path, settings={"ZOOMIN_MODE": "production", "ZOOMIN_DATABASE_URL": "postgresql+psycopg://h/d"})
    assert ended.code == 2
    assert "ZOOMIN_BROKER_URL" in ended.err


@pytest.mark.parametrize("arguments", [["scna"], ["scan"], ["scan", ".", "--wiat"], ["results", "x", "--format", "xml"]])
def test_wrong_usage_is_exit_2(arguments: list[str], tmp_path: Path) -> None:
    ended = zoomin(*arguments, home=tmp_path)
    assert ended.code == 2
    assert "Usage: zoomin" in ended.err


def test_a_full_disk_behind_stdout_is_told_once(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        ended = zoomin("settings", home=tmp_path, stdout=full.fileno())
    assert ended.code == 2
    assert ended.err.strip() == "zoomin: No space left on device. Free some space, then run the command again."


def test_a_reader_that_leaves_ends_the_command_quietly() -> None:
    app = """
        import typer
        from worker.cli.endings import Commands
        app = typer.Typer(cls=Commands)
        @app.command()
        def chatter():
            for _ in range(20_000): print("x" * 100)
        @app.command()
        def other(): ...
        app(["chatter"])
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(app)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout is not None
        command.stdout.readline()
        command.stdout.close()
        assert command.stderr is not None
        assert command.stderr.read() == ""
        assert command.wait(timeout=30) == ExitCode.PIPE_CLOSED


def test_debugging_shows_the_traceback(tmp_path: Path) -> None:
    ended = zoomin("batches", home=tmp_path, settings={"ZOOMIN_LOG_LEVEL": "DEBUG"})
    assert "Traceback" in ended.err
    assert ended.err.strip().splitlines()[-1].startswith("zoomin: No stack is running")
