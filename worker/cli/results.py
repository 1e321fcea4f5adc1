"""`zoomin results` and `zoomin errors`: what became of a batch."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO
from uuid import UUID

import typer

from worker.cli.batches import BatchArgument, actor, find
from worker.cli.output import open_output
from worker.cli.services import Services, locate_services
from worker.cli.terminal import console, say, untrusted

if TYPE_CHECKING:
    from worker.store.results import ItemResult

TABLE_ROWS = 100  # a table beyond this is read by nobody


class Format(StrEnum):
    """How results are written."""

    TABLE = "table"
    JSONL = "jsonl"
    CSV = "csv"
    COCO = "coco"


def results(
    batch: BatchArgument,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="table: for the eye. jsonl: one JSON object per item. csv: for spreadsheets. coco: boxes for annotation tools.",
        ),
    ] = Format.TABLE,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of to stdout; replaced only when complete.")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Also write every judged image there, its boxes and zoom crops drawn on it, as JPEG."),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Stop after so many items. (default: {TABLE_ROWS} for table, else all)", show_default=False)
    ] = None,
    revision: Annotated[int | None, typer.Option(min=1, help="Outcomes of this revision. (default: each item's newest)")] = None,
) -> None:
    """Write the results of a batch, finished or not: verdict, P(generated), boxes and explanation of each image."""
    services = locate_services()
    found = find(services, batch)
    from worker.store.results import stream_results

    if form is not Format.TABLE:
        _note(services, "results.exported", found.id, {"format": form.value})
    most = TABLE_ROWS if limit is None and form is Format.TABLE else limit
    items = islice(stream_results(services.engine, found.id, revision), most)
    with open_output(output) as out:
        written = write_results(items, form, out)
    if form is Format.TABLE and found.items_accepted > written:
        say(f"\nThe first {written:,} of {found.items_accepted:,}. All of them: zoomin results {found.id} --format jsonl")
    if output is not None:
        say(f"{written:,} images are in {output}.")
    if form is Format.COCO and written < min(found.items_accepted, limit or found.items_accepted):
        say("Images without a decoded size are not in it: COCO needs one.")
    if pictures is not None:
        _note(services, "images.read", found.id, {"by": "results --pictures"})
        _draw(services, islice(stream_results(services.engine, found.id, revision), limit), pictures)


def errors(
    batch: BatchArgument,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per row: line, code, message.")] = False,
) -> None:
    """List the rows of a source that could not become items: line, code, and what to do about it."""
    services = locate_services()
    found = find(services, batch)
    from worker.exports.jsonl import json_line
    from worker.store.results import stream_row_errors

    if not as_json and found.rows_rejected == 0:
        say("Every row became an item. Items that failed later are among the results: zoomin results " + str(found.id))
    out, screen = sys.stdout, console()
    for error in stream_row_errors(services.engine, found.id):
        if as_json:
            out.write(json_line({"line": error.line, "code": error.code, "message": error.message}))
        else:
            screen.print(untrusted(f"line {error.line}: {error.message} [{error.code}]"), soft_wrap=True)


def write_results(items: Iterable["ItemResult"], form: Format, out: TextIO) -> int:
    """Writes the items: how many. Raises OSError."""
    from rich.console import Console

    from worker.cli.tables import print_results
    from worker.exports.coco import write_coco
    from worker.exports.csv import write_csv
    from worker.exports.jsonl import write_jsonl

    match form:
        case Format.JSONL:
            return write_jsonl(items, out)
        case Format.CSV:
            return write_csv(items, out)
        case Format.COCO:
            return write_coco(items, out)
        case Format.TABLE:
            return print_results(items, Console(file=out, highlight=False, emoji=False))


def _note(services: Services, action: str, batch_id: UUID, detail: Mapping[str, str]) -> None:
    """In the audit trail, and before anything is handed out."""
    from worker.store import audit
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        audit.record(session, actor=actor(), action=action, batch_id=batch_id, detail=detail)


def _draw(services: Services, items: Iterable["ItemResult"], folder: Path) -> None:
    from worker.cli.pictures import draw_pictures

    drawn = draw_pictures(items, folder, services.storage, services.settings)
    say(f"{len(drawn):,} annotated pictures are in {folder}.")
