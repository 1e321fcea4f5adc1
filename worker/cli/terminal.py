"""Two streams: results go to stdout, everything about them to stderr. Texts of models and submitters are cleaned on the way."""

import os
import sys
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

PIPED_COLUMNS = 160  # where no terminal says: cells of a table stay on one line, for whatever reads it


def say(message: str) -> None:
    """A line for people, on stderr."""
    typer.echo(message, err=True)


def report(line: str) -> None:
    """A line of the result, on stdout."""
    typer.echo(line)


def people_watch() -> bool:
    """Whether stderr is a terminal, so that progress can be drawn instead of told line by line."""
    return sys.stderr.isatty()


def console(*, stderr: bool = False) -> "Console":
    """Rich's console on stdout or stderr, without its guesses at what to colour."""
    from rich.console import Console  # noqa: PLC0415  `--help` does without

    piped = not (sys.stderr if stderr else sys.stdout).isatty() and "COLUMNS" not in os.environ  # noqa: TID251  the terminal's own
    return Console(stderr=stderr, highlight=False, emoji=False, width=PIPED_COLUMNS if piped else None)


def untrusted(text: str, style: str = "", limit: int | None = None) -> "Text":
    """Text of a model or a submitter as a cell: cleaned, and never read as markup."""
    from rich.text import Text  # noqa: PLC0415

    from worker.moderation.text import clean  # noqa: PLC0415

    return Text(clean(text, limit), style=style)
