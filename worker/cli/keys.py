"""`zoomin keys …`: keys of machines that call the API."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import Commands
from worker.cli.services import locate_services
from worker.cli.terminal import console, report, say, untrusted
from worker.moderation.scopes import Scope

if TYPE_CHECKING:
    from worker.store.models import ApiKeyRow

keys = typer.Typer(cls=Commands, no_args_is_help=True, help="Keys of machines that call the API: make, list, rotate, revoke.")
UNITS = {"d": "days", "h": "hours", "m": "minutes"}
PrefixArgument = Annotated[str, typer.Argument(metavar="PREFIX", help="The key's public part, between `zk_` and the secret.")]


def lifetime(value: str) -> timedelta:
    """`90d`, `12h` or `30m`. Raises typer.BadParameter."""
    if not (match := re.fullmatch(r"([1-9][0-9]{0,5})([dhm])", value)):
        raise typer.BadParameter(f"{value!r}: write a number of days, hours or minutes, say 90d, 12h or 30m.")
    return timedelta(**{UNITS[match[2]]: int(match[1])})


ExpiresOption = Annotated[str | None, typer.Option(metavar="90d", help="Refused after this. (default: never)", show_default=False)]
GraceOption = Annotated[str, typer.Option(metavar="24h", help="How long the old key still works.")]


@keys.command()
def create(
    name: Annotated[str, typer.Option(help="What it is for.")],
    scope: Annotated[list[Scope], typer.Option(help="What it may do; repeat for more.")],
    expires: ExpiresOption = None,
    tenant: Annotated[str | None, typer.Option(help="Whose data it opens. (default: ZOOMIN_TENANT)", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key. Its text is printed once and can never be shown again."""
    ends_after = lifetime(expires) if expires else None
    services = locate_services()
    from worker.store.api_keys import create_key
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        owner = tenant or services.settings.tenant
        made = create_key(session, tenant_id=owner, name=name, scopes=set(scope), lifetime=ends_after, actor=actor())
    _print_once(made.row, made.text, as_json=as_json)


@keys.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's. (default: everybody's)", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List keys, newest first, without their secrets."""
    services = locate_services()
    from rich.table import Table

    from worker.exports.jsonl import json_line
    from worker.store.api_keys import list_keys
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        rows = list_keys(session, tenant_id=tenant)
    if as_json:
        for row in rows:
            sys.stdout.write(json_line(_facts(row)))
        return
    table = Table("prefix", "tenant", "name", "scopes", "expires", "revoked", "last used", box=None, header_style="bold")
    for row in rows:
        times = (_day(row.expires_at) or "never", _day(row.revoked_at), _day(row.last_used_at) or "never")
        table.add_row(row.prefix, row.tenant_id, untrusted(row.name), ",".join(row.scopes), *times)
    console().print(table)


@keys.command()
def revoke(prefix: PrefixArgument) -> None:
    """End a key at once."""
    services = locate_services()
    from worker.store.api_keys import revoke_key
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        row = revoke_key(session, prefix, actor=actor())
    report(f"Key {row.prefix} is revoked.")


@keys.command()
def rotate(prefix: PrefixArgument, grace: GraceOption = "24h", as_json: JsonOption = False) -> None:
    """Make a new key in the place of an old one, which expires after the grace."""
    works_on = lifetime(grace)
    services = locate_services()
    from worker.store.api_keys import rotate_key
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        made = rotate_key(session, prefix, grace=works_on, actor=actor())
    _print_once(made.row, made.text, as_json=as_json)


def _print_once(row: "ApiKeyRow", text: str, *, as_json: bool) -> None:
    from worker.exports.jsonl import json_line

    if as_json:
        sys.stdout.write(json_line({"key": text, **_facts(row)}))
    else:
        report(text)
        say("This is the only time the key is shown. Send it as `Authorization: Bearer …`.")


def _facts(row: "ApiKeyRow") -> dict[str, Any]:
    times = {"created_at": row.created_at, "expires_at": row.expires_at, "revoked_at": row.revoked_at, "last_used_at": row.last_used_at}
    return {
        "prefix": row.prefix,
        "tenant": row.tenant_id,
        "name": row.name,
        "scopes": list(row.scopes),
        **{name: value.isoformat() if value else None for name, value in times.items()},
    }


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
