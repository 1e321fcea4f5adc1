"""`zoomin retention …`, `zoomin erase`, `zoomin hold …`: what is kept how long, and what must go or must stay."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from worker.cli.batches import JsonOption, actor, parse_batch
from worker.cli.endings import Commands, ExitCode
from worker.cli.services import Services, locate_services
from worker.cli.terminal import console, report, say, untrusted
from worker.moderation.errors import RejectedError
from worker.moderation.identifiers import item_id, parse_item_id
from worker.moderation.retention import DEFAULT_REASON, TERMS, TermKind

if TYPE_CHECKING:
    from worker.store.models import LegalHoldRow

retention = typer.Typer(cls=Commands, no_args_is_help=True, help="What is kept how long: show the terms, change one, end what is due.")
hold = typer.Typer(cls=Commands, no_args_is_help=True, help="Legal holds: of what is held, nothing is purged or erased.")
SUBJECT_HELP = "An item's id (item_…) or a batch's."
TenantOption = Annotated[str | None, typer.Option(help="Whose. (default: ZOOMIN_TENANT)", show_default=False)]


@retention.command()
def show(as_json: JsonOption = False) -> None:
    """List every term: what ends after how many days, and why then. What is not listed is kept."""
    services = locate_services()
    from rich.table import Table

    from worker.exports.jsonl import json_line
    from worker.store.retention import read_terms
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        days = read_terms(session)
    if as_json:
        for term in TERMS:
            sys.stdout.write(json_line({"term": term.kind, "days": days[term.kind], "what": term.what, "why": term.why}))
        return
    table = Table("term", "days", "what ends", "why then", box=None, header_style="bold")
    for term in TERMS:
        table.add_row(term.kind, str(days[term.kind]), term.what, term.why)
    console().print(table)


@retention.command("set")
def set_days(
    term: Annotated[TermKind, typer.Argument(help="Which, as `zoomin retention show` names it.")],
    days: Annotated[int, typer.Argument(min=1, max=36_500, help="How many.")],
) -> None:
    """Change a term, as the owner of the database (ZOOMIN_OWNER_URL): no process of the application may."""
    services = locate_services()
    from worker.store.retention import set_term
    from worker.store.session import connect, transaction

    owned = services.settings.model_copy(update={"database_url": services.settings.owner_url or services.settings.database_url})
    engine = connect(owned, application="zoomin-cli")
    try:
        with transaction(engine) as session:
            set_term(session, term, days, actor=actor())
    finally:
        engine.dispose()
    report(f"{term} is kept for {days:,} days.")


@retention.command()
def run(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would end.")] = False,
    as_json: JsonOption = False,
) -> None:
    """End what is due, now. The dispatcher does it once a day. Safe to interrupt, and beside another run."""
    services = locate_services()
    from worker.cli.retention_progress import shown_run
    from worker.exports.jsonl import json_line
    from worker.retention.run import rehearse_retention, run_retention

    bucket = services.settings.evidence_bucket
    with shown_run() as watch:
        if dry_run:
            done = rehearse_retention(services.engine, services.storage, bucket, watch=watch)
        else:
            done = run_retention(services.engine, services.storage, bucket, actor=actor(), watch=watch)
    if as_json:
        sys.stdout.write(json_line({"dry_run": dry_run, **asdict(done)}))
    else:
        said = ", ".join(f"{number:,} {step}" for step, number in done.ended.items() if number)
        report(f"{'Would end' if dry_run else 'Ended'}: {said or 'nothing'}.")
    if done.refused:
        say(f"{done.refused:,} objects stay: the store refuses to remove them (Object Lock, or s3:DeleteObject is missing).")
        raise typer.Exit(ExitCode.UNAVAILABLE)


def erase(
    items: Annotated[list[str], typer.Argument(metavar="ITEM…", help="Items' ids, item_…; the API and `zoomin audit events` name them.")],
    reason: Annotated[str, typer.Option(help="A code that stays with the tombstone: nothing about a person.")] = DEFAULT_REASON,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase images: crops, boxes, words, traces, metadata, names, our uploads. For good. Counts still add up, the audit trail verifies."""
    places = [parse_item_id(item) for item in items]
    services = locate_services()
    if not yes:
        _ask(len(places))
    from worker.exports.jsonl import json_line
    from worker.retention.run import remove_let_go
    from worker.store.erasures import Erasing, erase_item
    from worker.store.session import transaction

    erasing = Erasing(actor(), reason, services.settings.upload_bucket)
    for batch_id, ordinal in places:
        with transaction(services.engine) as session:
            tombstone = erase_item(session, tenant or services.settings.tenant, batch_id, ordinal, erasing)
        name = item_id(batch_id, ordinal)
        if as_json:
            sys.stdout.write(json_line({"item": name, "erased_at": tombstone.erased_at.isoformat(), "reason": tombstone.reason}))
        else:
            report(f"{name} is erased.")
    removed = remove_let_go(services.engine, services.storage, actor=actor())
    if removed.refused:
        say(f"{removed.refused:,} objects are out of reach, and wait for the store to let go of them (Object Lock, or s3:DeleteObject).")
        raise typer.Exit(ExitCode.UNAVAILABLE)


@hold.command()
def add(
    subject: Annotated[str, typer.Argument(metavar="ITEM|BATCH", help=SUBJECT_HELP)],
    reason: Annotated[str, typer.Option(help="Why, for people.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Hold an item, or a whole batch, until it is released."""
    batch_id, ordinal = _subject(subject)
    services = locate_services()
    from worker.store.legal_holds import place_hold
    from worker.store.session import transaction

    if not reason.strip():
        raise RejectedError("hold_reason_missing", "Say why it is held: --reason.")
    with transaction(services.engine) as session:
        row = place_hold(session, _tenant(services, tenant), batch_id, ordinal, reason=reason, actor=actor())
    _tell([row], as_json=as_json, line=f"Hold {row.id} stands on {_named(row)}.")


@hold.command()
def release(
    hold_id: Annotated[UUID, typer.Argument(metavar="HOLD", help="As `zoomin hold list` names it.")],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Release a hold. What is past its term goes within two days."""
    services = locate_services()
    from worker.store.legal_holds import release_hold
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        row = release_hold(session, _tenant(services, tenant), hold_id, actor=actor())
    _tell([row], as_json=as_json, line=f"Hold {row.id} on {_named(row)} is released.")


@hold.command("list")
def list_all(
    everything: Annotated[bool, typer.Option("--all", help="Released ones too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 100,
    tenant: Annotated[str | None, typer.Option(help="Only this tenant's. (default: everybody's)", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List holds, newest first."""
    services = locate_services()
    from worker.store.legal_holds import list_holds
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        rows = list_holds(session, tenant, standing=not everything, limit=limit)
    _tell(rows, as_json=as_json, line=None if rows else "No holds.")


def _ask(number: int) -> None:
    """Raises RejectedError where nobody can be asked, typer.Abort when the answer is no."""
    if not sys.stdin.isatty():
        raise RejectedError("confirmation_missing", "Erasing is for good. Add --yes to do it without being asked.")
    typer.confirm(f"Erase {number:,} image{'s' if number > 1 else ''} for good?", abort=True, err=True)


def _subject(text: str) -> tuple[UUID, int | None]:
    """Raises RejectedError."""
    return parse_item_id(text) if text.startswith("item_") else (parse_batch(text), None)


def _tenant(services: Services, tenant: str | None) -> str:
    return tenant or services.settings.tenant


def _named(row: "LegalHoldRow") -> str:
    return f"batch {row.batch_id}" if row.ordinal is None else item_id(row.batch_id, row.ordinal)


def _tell(rows: "Sequence[LegalHoldRow]", *, as_json: bool, line: str | None) -> None:
    from rich.table import Table

    from worker.exports.jsonl import json_line

    if as_json:
        for row in rows:
            sys.stdout.write(json_line(_facts(row)))
    elif line is not None:
        report(line)
    else:
        table = Table("hold", "tenant", "on", "since", "by", "released", "reason", box=None, header_style="bold")
        for row in rows:
            released = f"{row.released_at:%Y-%m-%d %H:%M}" if row.released_at else ""
            since = f"{row.placed_at:%Y-%m-%d %H:%M}"
            table.add_row(str(row.id), row.tenant_id, _named(row), since, untrusted(row.placed_by), released, untrusted(row.reason))
        console().print(table)


def _facts(row: "LegalHoldRow") -> dict[str, Any]:
    return {
        "hold": str(row.id),
        "tenant": row.tenant_id,
        "batch": str(row.batch_id),
        "item": None if row.ordinal is None else item_id(row.batch_id, row.ordinal),
        "reason": row.reason,
        "placed_by": row.placed_by,
        "placed_at": row.placed_at.isoformat(),
        "released_by": row.released_by,
        "released_at": row.released_at.isoformat() if row.released_at else None,
    }
