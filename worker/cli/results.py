"""`zoomin results` and `zoomin errors`: what became of a batch."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO
from uuid import UUID

import typer

from worker.cli.batches import BatchArgument, actor, parse_batch
from worker.cli.output import open_output
from worker.cli.services import locate_services
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
    LABELSTUDIO = "labelstudio"


NEED_SIZES = frozenset({Format.COCO, Format.LABELSTUDIO})


def results(
    batch: BatchArgument,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            "-f",
            help="table: for the eye. jsonl: one JSON object per item. csv: for spreadsheets. coco: boxes for annotation tools. "
            "labelstudio: tasks with predictions to import into Label Studio.",
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
    from worker.cli.installation.choosing import installation, require_at_hand

    if pictures is not None:
        require_at_hand("--pictures reads the originals from S3")
    batch_id, batches = parse_batch(batch), installation().batches
    accepted = batches.progress(batch_id).accepted
    most = TABLE_ROWS if limit is None and form is Format.TABLE else limit
    with open_output(output) as out:
        written = write_results(batches.export(batch_id, form, revision, most), form, out)
    if form is Format.TABLE and accepted > written:
        say(f"\nThe first {written:,} of {accepted:,}. All of them: zoomin results {batch_id} --format jsonl")
    if output is not None:
        say(f"{written:,} images are in {output}.")
    if form in NEED_SIZES and written < min(accepted, limit or accepted):
        say("Images without a decoded size are not in it: boxes need one.")
    if form is Format.LABELSTUDIO:
        _tell_labeling()
    if pictures is not None:
        _draw(batch_id, revision, limit, pictures)


def errors(
    batch: BatchArgument,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per row: line, code, message.")] = False,
) -> None:
    """List the rows of a source that could not become items: line, code, and what to do about it."""
    from worker.cli.installation.choosing import installation
    from worker.exports.jsonl import json_line

    batch_id, batches = parse_batch(batch), installation().batches
    if not as_json and batches.progress(batch_id).rejected == 0:
        say(f"Every row became an item. Items that failed later are among the results: zoomin results {batch_id}")
    out, screen = sys.stdout, console()
    for error in batches.export_errors(batch_id):
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
    from worker.exports.labelstudio import write_labelstudio

    match form:
        case Format.JSONL:
            return write_jsonl(items, out)
        case Format.CSV:
            return write_csv(items, out)
        case Format.COCO:
            return write_coco(items, out)
        case Format.LABELSTUDIO:
            return write_labelstudio(items, out)
        case Format.TABLE:
            return print_results(items, Console(file=out, highlight=False, emoji=False))


def _tell_labeling() -> None:
    from worker.exports.labelstudio import LABELING_CONFIG

    say(
        "In Label Studio: create a project with the labeling interface below; connect the images' bucket as a source storage with "
        f"pre-signed URLs, so that s3:// addresses open; then import the file.\n\n{LABELING_CONFIG}"
    )


def _draw(batch_id: UUID, revision: int | None, limit: int | None, folder: Path) -> None:
    services = locate_services()
    from worker.cli.pictures import draw_pictures
    from worker.store import audit
    from worker.store.results import stream_results
    from worker.store.session import transaction

    with transaction(services.engine) as session:  # before anything is read
        audit.record(session, actor=actor(), action="images.read", batch_id=batch_id, detail={"by": "results --pictures"})
    items = islice(stream_results(services.engine, batch_id, revision), limit)
    drawn = draw_pictures(items, folder, services.storage, services.settings)
    say(f"{len(drawn):,} annotated pictures are in {folder}.")
