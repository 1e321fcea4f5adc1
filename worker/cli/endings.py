"""How commands end: every error becomes one line on stderr and an exit code, here and nowhere else."""

import errno
import os
import signal
import sys
import traceback
from contextlib import suppress
from enum import IntEnum
from typing import Any

import typer
from typer.core import TyperGroup

from worker.cli.terminal import say
from worker.moderation.errors import MisconfiguredError, RejectedError, TransientError, ZoomInError
from worker.moderation.settings import load_settings
from worker.moderation.text import clean


class ExitCode(IntEnum):
    """What the exit code of a command tells."""

    DONE = 0
    FAULT = 1  # of zoomin itself
    USAGE = 2  # wrong usage, input or settings; also what Typer exits with
    ITEMS_FAILED = 3  # the batch finished, but rows were rejected, or items failed or were unreadable
    UNAVAILABLE = 4  # a service does not answer, or the batch is paused
    TAMPERED = 5  # the audit trail does not verify
    INTERRUPTED = 130  # 128 + SIGINT
    PIPE_CLOSED = 141  # 128 + SIGPIPE: the reader, say `head`, has seen enough


EXIT_CODES_HELP = (
    "Exit codes: 0 done · 1 a fault of zoomin itself · 2 wrong usage, input or settings · 3 finished, but rows were rejected, or items "
    "failed or were unreadable · 4 a service is unavailable, or the batch is paused · 5 the audit trail does not verify · 130 interrupted."
)


class Commands(TyperGroup):
    """A group of commands whose errors are told to people. Usage errors stay Typer's own."""

    def invoke(self, ctx: Any) -> Any:
        """Runs the command. Raises typer.Exit for whatever went wrong."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # a full disk or a closed pipe behind stdout shows here, not while Python exits
        except (typer.Exit, typer.Abort, typer.TyperException):
            raise
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(ExitCode.INTERRUPTED) from None
        except BrokenPipeError:
            _abandon_stdout()
            raise typer.Exit(ExitCode.PIPE_CLOSED) from None
        except Exception as error:  # noqa: BLE001  the last door before the user
            raise typer.Exit(_end(error)) from None
        return result


def interrupt_on_termination() -> None:
    """Lets SIGTERM leave as Ctrl-C does: through every `finally`, so that what was started is stopped."""
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell starts its background jobs with SIGINT ignored
        signal.signal(number, signal.default_int_handler)


def _end(error: Exception) -> ExitCode:
    if _debugging():
        traceback.print_exception(error, file=sys.stderr)
    if isinstance(error, OSError):
        _abandon_stdout()
    known = error if isinstance(error, ZoomInError) else _from_database(error)
    lines = f"zoomin: {_in_words(known or error)}".splitlines()  # more than one only where the end of a log is quoted
    say("\n".join(clean(line) for line in lines))
    return _exit_code(known or error)


def _in_words(error: Exception) -> str:
    if isinstance(error, ZoomInError):
        return f"{error.message} [{error.code}]"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        remedy = " Free some space, then run the command again." if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return f"{place}{error.strerror or error}.{remedy}"
    return f"unexpected {type(error).__name__}: {error}. This is a fault of zoomin; ZOOMIN_LOG_LEVEL=DEBUG shows where it happened."


def _exit_code(error: Exception) -> ExitCode:
    match error:
        case RejectedError() | MisconfiguredError() | OSError():
            return ExitCode.USAGE
        case TransientError():
            return ExitCode.UNAVAILABLE
        case _:
            return ExitCode.FAULT


def _from_database(error: Exception) -> ZoomInError | None:
    """What a driver's error that no transaction has translated means to a person; None for other errors."""
    if not type(error).__module__.startswith("sqlalchemy"):  # asked by name, since SQLAlchemy may not even be loaded
        return None
    state = getattr(getattr(error, "orig", None), "sqlstate", None)
    reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
    if state == "42P01":  # undefined_table
        return MisconfiguredError("database_not_migrated", "The database lacks tables of zoomin: run `zoomin db upgrade`.")
    if state == "42501":  # insufficient_privilege
        return MisconfiguredError("database_denied", f"Postgres: {reason}. Connect as a member of the role `zoomin_app`.")
    if state is None and getattr(error, "orig", None) is None:
        return MisconfiguredError(
            "database_url_invalid", "ZOOMIN_DATABASE_URL must look like postgresql+psycopg://user:password@host/name."
        )
    if state is None or state.startswith(("08", "53", "57")):  # connection lost, out of disk or memory, cancelled or going down
        return TransientError("database_unavailable", f"Postgres: {reason}")
    return None


def _debugging() -> bool:
    with suppress(ZoomInError):
        return load_settings().log_level == "DEBUG"
    return False


def _abandon_stdout() -> None:
    # What is still buffered cannot be written; Python would say so once more at its exit, with a traceback.
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
