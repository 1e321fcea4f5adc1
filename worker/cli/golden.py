"""`zoomin golden …`: images whose answer is known, by which reviewers are measured."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import Commands
from worker.cli.services import locate_services
from worker.cli.terminal import console, report, say, untrusted
from worker.moderation.identifiers import item_id, parse_item_id
from worker.moderation.outcomes import Verdict

if TYPE_CHECKING:
    from worker.moderation.boxes import Box
    from worker.store.models import GoldenItemRow

golden = typer.Typer(cls=Commands, no_args_is_help=True, help="Images whose answer is known, to measure reviewers: add, list, retire.")
ItemArgument = Annotated[str, typer.Argument(metavar="ITEM", help="An item's id, item_…; results and the API name them.")]
TenantOption = Annotated[str | None, typer.Option(help="Whose. (default: ZOOMIN_TENANT)", show_default=False)]
PAGE = 500  # rows per query


@golden.command()
def add(
    item: ItemArgument,
    verdict: Annotated[Verdict, typer.Option(help="What the answer is.")],
    box: Annotated[
        list[str] | None, typer.Option("--box", metavar="X0,Y0,X1,Y1", help="Where, in pixels of the original; again for more.")
    ] = None,
    note: Annotated[str, typer.Option(help="How it is known.")] = "",
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add an image that was judged to the golden set, or correct what is known of it. Queues with a golden share ask about it."""
    place, boxes = parse_item_id(item), tuple(_box(text) for text in box or [])
    services = locate_services()
    from worker.store.golden_items import Known, put_golden
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        row, created = put_golden(
            session, tenant or services.settings.tenant, place, Known(verdict=verdict, boxes=boxes, note=note), actor=actor()
        )
    _tell([row], as_json=as_json, line=f"{item} is golden: {row.verdict}." if created else f"{item} is known as {row.verdict} now.")


@golden.command("list")
def list_all(
    everything: Annotated[bool, typer.Option("--all", help="Retired ones too.")] = False,
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the golden set."""
    services = locate_services()
    from worker.store.golden_items import list_golden
    from worker.store.session import transaction

    rows: list[GoldenItemRow] = []
    with transaction(services.engine) as session:
        while True:
            after = (rows[-1].batch_id, rows[-1].ordinal) if rows else None
            page = list_golden(session, tenant or services.settings.tenant, retired=everything, after=after, limit=PAGE)
            rows += page
            if len(page) < PAGE:
                break
    _tell(rows, as_json=as_json, line=None if rows else "No golden items.")


@golden.command()
def retire(item: ItemArgument, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """Ask nobody about an image any more. It stays on record, and so do the answers."""
    place = parse_item_id(item)
    services = locate_services()
    from worker.store.golden_items import retire_golden
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        row = retire_golden(session, tenant or services.settings.tenant, place, actor=actor())
    _tell([row], as_json=as_json, line=f"{item} is retired.")


@golden.command("import")
def import_file(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help='Lines of {"item": "item_…", "verdict": "real", "boxes"?: [[x0, y0, x1, y1]], "note"?: "…"}.'),
    ],
    tenant: TenantOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add or correct many, as a file says: all of its lines, or none when one is wrong."""
    from worker.cli.golden_files import read_golden

    answers = read_golden(file)
    services = locate_services()
    from worker.exports.jsonl import json_line
    from worker.moderation.errors import RejectedError
    from worker.store.golden_items import put_golden
    from worker.store.session import transaction

    added = 0
    with transaction(services.engine) as session:
        for answer in answers:
            try:
                _, created = put_golden(session, tenant or services.settings.tenant, answer.place, answer.known, actor=actor())
            except RejectedError as error:
                raise RejectedError(error.code, f"{file}, line {answer.line}: {error.message} Nothing was imported.") from None
            added += created
    if as_json:
        sys.stdout.write(json_line({"lines": len(answers), "added": added}))
    else:
        report(f"{len(answers):,} golden items, {added:,} of them new.")
        say("Queues ask about them as their golden_share says: PATCH /v1/queues/NAME.")


def _box(text: str) -> "Box":
    from worker.moderation.boxes import Box

    if not re.fullmatch("[0-9]{1,6}(,[0-9]{1,6}){3}", text):
        raise typer.BadParameter(f"{text!r}: write the four sides in pixels, say 10,20,200,180.", param_hint="--box")
    return Box(*map(int, text.split(",")))


def _tell(rows: "Sequence[GoldenItemRow]", *, as_json: bool, line: str | None) -> None:
    from rich.table import Table

    from worker.exports.jsonl import json_line

    if as_json:
        for row in rows:
            sys.stdout.write(json_line(_facts(row)))
    elif line is not None:
        report(line)
    else:
        table = Table("item", "verdict", "boxes", "since (UTC)", "by", "retired", "note", box=None, header_style="bold")
        for row in rows:
            retired = f"{row.retired_at:%Y-%m-%d %H:%M}" if row.retired_at else ""
            name, since = item_id(row.batch_id, row.ordinal), f"{row.added_at:%Y-%m-%d %H:%M}"
            table.add_row(name, row.verdict, str(len(row.boxes)), since, untrusted(row.added_by), retired, untrusted(row.note))
        console().print(table)


def _facts(row: "GoldenItemRow") -> dict[str, Any]:
    return {
        "item": item_id(row.batch_id, row.ordinal),
        "tenant": row.tenant_id,
        "revision": row.revision,
        "verdict": row.verdict,
        "boxes": row.boxes,
        "note": row.note,
        "added_by": row.added_by,
        "added_at": row.added_at.isoformat(),
        "retired_by": row.retired_by,
        "retired_at": row.retired_at.isoformat() if row.retired_at else None,
    }
