"""`zoomin people …`: who may sign in."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import Commands
from worker.cli.services import locate_services
from worker.cli.terminal import console, report, say, untrusted
from worker.moderation.people import LONGEST_NAME, Role

if TYPE_CHECKING:
    from worker.store.models import PersonRow

MOST_LISTED = 10_000
people = typer.Typer(cls=Commands, no_args_is_help=True, help="People who may sign in: invite, list, give roles, disable.")
PersonArgument = Annotated[str, typer.Argument(metavar="PERSON", help="Their id or e-mail address; `zoomin people list` has both.")]
TenantOption = Annotated[str | None, typer.Option(help="Whose data they work on. (default: ZOOMIN_TENANT)", show_default=False)]


def name_of_a_person(value: str) -> str:
    """Raises typer.BadParameter for a name that shows nothing, or too much."""
    if not value.strip() or len(value) > LONGEST_NAME:
        raise typer.BadParameter(f"a name has 1 to {LONGEST_NAME} characters.")
    return value


@people.command()
def invite(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="The address that their identity provider vouches for.")],
    role: Annotated[Role, typer.Option(help="What they may do.")],
    name: Annotated[str, typer.Option(callback=name_of_a_person, help="How they are called on pages.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let somebody sign in. No message is sent: tell them the address."""
    services = locate_services()
    from worker.store.people import invite_person
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        made = invite_person(session, tenant or services.settings.tenant, email=email, name=name, role=role, actor=actor())
    _tell(made, f"{made.email} may sign in as {made.role}.", as_json=as_json)
    if not as_json:
        say(f"Person {made.id}. No message was sent: tell them to open /v1/sign-in of your API's address.")


@people.command("list")
def list_all(
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's. (default: everybody's)", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List people, newest first, disabled ones too."""
    services = locate_services()
    from rich.table import Table

    from worker.exports.jsonl import json_line
    from worker.store.people import list_people
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        rows = list_people(session, tenant, limit=MOST_LISTED)
    if as_json:
        for row in rows:
            sys.stdout.write(json_line(_facts(row)))
        return
    table = Table(box=None, header_style="bold")
    for heading in ("id", "tenant", "e-mail", "name", "role", "first sign-in", "disabled"):
        table.add_column(heading, overflow="fold")  # ids and addresses are there to be copied
    for row in rows:
        times = (f"{moment:%Y-%m-%d %H:%M}" if moment else "" for moment in (row.bound_at, row.disabled_at))
        table.add_row(str(row.id), row.tenant_id, untrusted(row.email), untrusted(row.name), row.role, *times)
    console().print(table)


@people.command("role")
def give_role(
    person: PersonArgument,
    role: Annotated[Role, typer.Argument(help="What they may do from now on.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give somebody another role, within a second also where they are signed in."""
    services = locate_services()
    from worker.store.people import change_role
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        row = change_role(session, tenant or services.settings.tenant, _who(person), role, actor=actor())
    _tell(row, f"{row.email} is {row.role}.", as_json=as_json)


@people.command()
def disable(person: PersonArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """End somebody's access and sessions at once, for good. To let them in again, invite them again."""
    services = locate_services()
    from worker.store.people import disable_person
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        row = disable_person(session, tenant or services.settings.tenant, _who(person), actor=actor())
    _tell(row, f"{row.email} is disabled.", as_json=as_json)


def _who(text: str) -> UUID | str:
    """An id where it is one, else an address."""
    try:
        return UUID(text)
    except ValueError:
        return text


def _tell(row: "PersonRow", sentence: str, *, as_json: bool) -> None:
    from worker.exports.jsonl import json_line

    if as_json:
        sys.stdout.write(json_line(_facts(row)))
    else:
        report(sentence)


def _facts(row: "PersonRow") -> dict[str, Any]:
    times = {"created_at": row.created_at, "bound_at": row.bound_at, "disabled_at": row.disabled_at}
    return {
        "id": str(row.id),
        "tenant": row.tenant_id,
        "email": row.email,
        "name": row.name,
        "role": row.role,
        "invited_by": row.invited_by,
        **{name: value.isoformat() if value else None for name, value in times.items()},
    }
