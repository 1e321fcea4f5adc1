"""`zoomin dataset from-reviews`: what reviewers decided, as data that the lab reads."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.batches import JsonOption, actor
from worker.cli.endings import interrupt_on_termination
from worker.cli.lab import require_lab, shown_parts
from worker.cli.services import locate_services
from worker.cli.terminal import report, say

if TYPE_CHECKING:
    from worker.lab.dataset.from_reviews import Export

MODULES = ("numpy",)


def from_reviews(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A new or empty folder, or one that the same command began: then it goes on.")],
    since: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE", formats=["%Y-%m-%d"], help="Only what was decided since then (UTC). (default: ever)", show_default=False
        ),
    ] = None,
    queue: Annotated[str | None, typer.Option(help="Only what was reviewed in this queue. (default: in any)", show_default=False)] = None,
    policy: Annotated[
        str | None,
        typer.Option(metavar="NAME[@VERSION]", help="Only what this policy had routed. (default: any)", show_default=False),
    ] = None,
    min_reviewers: Annotated[int, typer.Option(min=1, help="Leave out what fewer people decided so.")] = 1,
    tenant: Annotated[str | None, typer.Option(help="Whose reviews. (default: ZOOMIN_TENANT)", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """Collect what reviewers decided, and the boxes they left: the very bytes that were judged, labels, and what was left out and why.

    Goes on where it stopped. What was erased or decided otherwise since goes from OUT when the command is repeated.
    """
    require_lab(*MODULES)
    interrupt_on_termination()
    from worker.lab.dataset.from_reviews import begin, export
    from worker.lab.dataset.progress import BuildProgress
    from worker.lab.dataset.reviewed import take
    from worker.store.reviewed_pictures import Wanted, note_reviewed_export, stream_reviewed

    services = locate_services()
    day = since.replace(tzinfo=UTC) if since else None
    wanted = Wanted(tenant_id=tenant or services.settings.tenant, since=day, queue=queue, policy=policy)
    identity = {"reviews_of": wanted.tenant_id, "since": day, "queue": queue, "policy": policy, "min_reviewers": min_reviewers}
    begin(out, identity)
    try:
        with shown_parts("reading decisions") as show:
            pictures = []
            for picture in stream_reviewed(services.engine, wanted):
                pictures.append(picture)
                show(BuildProgress(doing="reading decisions", done=len(pictures), total=0))
            note_reviewed_export(services.engine, wanted, decisions=len(pictures), actor=actor())
            found = list(take(pictures, min_reviewers))
            written = export(found, out, services.storage, services.settings, show)
    except KeyboardInterrupt:
        say("What is fetched is kept: the same command goes on from there.")
        raise
    _tell(written, out, as_json)


def _tell(written: "Export", out: Path, as_json: bool) -> None:
    counts = written.counts()
    if as_json:
        from worker.exports.jsonl import json_line

        sys.stdout.write(json_line({"out": str(out), **counts}))
        return
    for split, number in counts["by_split"].items():
        report(f"{split}: {number:,} pictures")
    boxes = counts["boxes"]
    report(f"Boxes: {boxes['right']:,} right, {boxes['wrong']:,} wrong, {boxes['unjudged']:,} that nobody judged")
    for code, number in counts["rejected"].items():
        say(f"Left out: {number:,} {code}")
    report(f"{counts['pictures']:,} of {counts['decisions']:,} decisions are in {out}; what was left out and why: {out / 'rejected.jsonl'}")
