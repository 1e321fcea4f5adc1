"""`zoomin statements …`: statements of reasons, from draft to the DSA transparency database."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import signal
import sys
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import Commands
from worker.cli.services import Services, locate_services, located
from worker.cli.terminal import console, report, say
from worker.moderation.errors import RejectedError
from worker.moderation.settings import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.store.models import StatementRow
    from worker.store.models.decisions import StatementState

StatementArgument = Annotated[str, typer.Argument(metavar="STATEMENT", help="The id that `zoomin statements list` shows.")]
TenantOption = Annotated[str | None, typer.Option("--tenant", help="Whose. (default: ZOOMIN_TENANT)", show_default=False)]
PAGE = 200

statements = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    help="Statements of reasons: see them, sign or withdraw drafts, send them to the DSA transparency database.",
)


@statements.command("list")
def list_all(
    state: Annotated[str | None, typer.Option(help="Only these: draft, held, submitted, refused or withdrawn.", show_default=False)] = None,
    format: Annotated[str, typer.Option(help="table; jsonl: the payloads alone, one a line, to upload by hand.")] = "table",  # noqa: A002  the option's name
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """List statements, newest first. `--state held --format jsonl` writes what would be sent."""
    services = locate_services()
    from worker.cli.statement_tables import print_statements, statement_json
    from worker.exports.jsonl import json_line
    from worker.store.models.decisions import StatementState

    if state is not None and state not in set(StatementState):
        raise typer.BadParameter(f"{state!r}: choose from {', '.join(StatementState)}.", param_hint="--state")
    if format not in {"table", "jsonl"}:
        raise typer.BadParameter(f"{format!r}: choose from table, jsonl.", param_hint="--format")
    found = _all(services, _tenant(services, tenant), StatementState(state) if state else None)
    if format == "jsonl" or as_json:
        for row in found:
            sys.stdout.write(json_line(row.payload if format == "jsonl" else statement_json(row)))
    elif rows := list(found):
        print_statements(rows, console())
    else:
        say("No such statements. They are drafted over HTTP: POST /v1/statements-of-reasons")
    _tell_sending(services)


@statements.command()
def show(statement: StatementArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Show a statement: exactly what is sent, and every rule that it breaks."""
    services = locate_services()
    from worker.cli.statement_tables import print_statement, statement_json
    from worker.exports.jsonl import json_line
    from worker.store.session import transaction
    from worker.store.statements_of_reasons import broken_rules, find_statement

    with transaction(services.engine) as session:
        row = find_statement(session, _parse(statement), tenant_id=_tenant(services, tenant))
    if as_json:
        broken = [{"field": rule.field, "code": rule.code, "message": rule.message} for rule in broken_rules(row)]
        sys.stdout.write(json_line({**statement_json(row), "payload": row.payload, "violations": broken}))
        return
    print_statement(row, broken_rules(row), console())
    _tell_sending(services)


@statements.command()
def submit(
    statement: StatementArgument,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be sent, and every rule it breaks.")] = False,
    signed_by: Annotated[
        str | None, typer.Option(help="The person who answers for it. (default: this account)", show_default=False)
    ] = None,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Sign a draft. It is sent ZOOMIN_DSA_HOLD_HOURS later, unless it is withdrawn or its decision superseded before."""
    if dry_run:
        show(statement, tenant=tenant, as_json=as_json)
        return
    services = locate_services()
    from worker.store.session import transaction
    from worker.store.statements_of_reasons import sign_statement

    with transaction(services.engine) as session:
        row = sign_statement(
            session,
            _parse(statement),
            tenant_id=_tenant(services, tenant),
            signed_by=signed_by or actor(),
            hold=timedelta(hours=services.settings.dsa_hold_hours),
            actor=actor(),
        )
        until, state = row.hold_until, row.state
    _tell(row.id, state, as_json=as_json)
    say(f"Not sent before {until:%Y-%m-%d %H:%M} UTC. Take it back: zoomin statements withdraw {row.id}")
    _tell_sending(services)


@statements.command()
def withdraw(statement: StatementArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Take an unsent statement back."""
    services = locate_services()
    from worker.store.session import transaction
    from worker.store.statements_of_reasons import withdraw_statement

    with transaction(services.engine) as session:
        row = withdraw_statement(session, _parse(statement), tenant_id=_tenant(services, tenant), actor=actor())
        state = row.state
    _tell(row.id, state, as_json=as_json)


@statements.command()
def run(once: Annotated[bool, typer.Option("--once", help="Send what is due, and end.")] = False, as_json: JsonOption = False) -> None:
    """Run the sender until SIGINT or SIGTERM. Several may run; needs ZOOMIN_DSA_URL and ZOOMIN_DSA_TOKEN."""
    settings = located(load_settings())
    from worker.exports.jsonl import json_line
    from worker.queue.logs import configure_logs
    from worker.statements.sender import run_sender, send_due
    from worker.store.session import connect, transaction
    from worker.store.statement_queue import waiting

    configure_logs(settings.log_level)
    if not once:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        run_sender(settings, stop)
        return
    engine = connect(settings.require("dsa_url", "dsa_token"), application="zoomin-statements")
    sent = send_due(settings, engine)
    with transaction(engine) as session:
        left = waiting(session)
    if as_json:
        sys.stdout.write(json_line({"attempted": sent, "held": left.held, "due": left.due}))
    else:
        report(f"{sent} tried; {left.held} held, of which {left.due} could go now.")


def _all(services: Services, tenant: str, state: "StatementState | None") -> "Iterator[StatementRow]":
    """Page by page: a platform has millions."""
    from worker.store.session import transaction
    from worker.store.statements_of_reasons import list_statements

    before: UUID | None = None
    while True:
        with transaction(services.engine) as session:
            page = list_statements(session, tenant, state=state, before=before, limit=PAGE)
        yield from page
        if len(page) < PAGE:
            return
        before = page[-1].id


def _tell(statement_id: UUID, state: str, *, as_json: bool) -> None:
    from worker.exports.jsonl import json_line

    if as_json:
        sys.stdout.write(json_line({"statement": str(statement_id), "state": state}))
    else:
        report(f"Statement {statement_id} is {state}.")


def _tell_sending(services: Services) -> None:
    if services.settings.dsa_url is None:
        say("ZOOMIN_DSA_URL is not set: signed statements stay held, and nothing is sent.")


def _tenant(services: Services, tenant: str | None) -> str:
    return tenant or services.settings.tenant


def _parse(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise RejectedError(
            "statement_id_malformed", f"{text[:80]!r} is not a statement's id. `zoomin statements list` has them."
        ) from None
