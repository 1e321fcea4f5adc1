"""`zoomin settings`: what is set, what is not, and what each setting means."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import SecretStr

from worker.cli.terminal import console, report, untrusted
from worker.moderation.settings import PREFIX, Settings, load_settings

HIDDEN = "(set)"  # stands for a secret's value


def show_settings(
    markdown: Annotated[bool, typer.Option("--markdown", help="Names, defaults and meanings as a Markdown table: the README's.")] = False,
) -> None:
    """Show every setting: its environment variable, its value, its default, its meaning. Secrets are not shown."""
    if markdown:
        report("| variable | default | meaning |\n|---|---|---|")
        for name, field in Settings.model_fields.items():
            report(f"| `{PREFIX}{name.upper()}` | {_default(field.default) or '—'} | {(field.description or '').replace('|', '·')} |")
        return
    settings = load_settings()
    from rich.table import Table

    table = Table("variable", "value", "meaning", box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name, field in Settings.model_fields.items():
        value = _shown(getattr(settings, name))
        changed = name in settings.model_fields_set
        table.add_row(PREFIX + name.upper(), untrusted(value, "bold" if changed else "dim"), field.description)
    console().print(table)


def _default(value: Any) -> str:
    shown = _shown(value)
    return f"`{shown}`" if shown else ""


def _shown(value: Any) -> str:
    match value:
        case None:
            return ""
        case SecretStr():
            return HIDDEN
        case tuple():
            return ",".join(map(str, value))
        case Path():
            return str(value)
        case _:
            return str(value)
