"""`zoomin audit …`: who did what, and whether anybody has changed the record since."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
from dataclasses import asdict
from itertools import islice
from typing import Annotated

import typer

from worker.cli.batches import JsonOption, parse_batch
from worker.cli.endings import Commands, ExitCode
from worker.cli.services import locate_services
from worker.cli.terminal import console, report, say

audit = typer.Typer(cls=Commands, no_args_is_help=True, help="The audit trail: list its events, seal it, verify it.")
TABLE_ROWS = 100


@audit.command()
def events(
    batch: Annotated[str | None, typer.Option(metavar="BATCH", help="Only this batch's.", show_default=False)] = None,
    after: Annotated[int, typer.Option(min=0, metavar="EVENT", help="Only those behind this one. None is ever added before it.")] = 0,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"Stop after so many. (default: {TABLE_ROWS}, with --json all)", show_default=False)
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List audit events, oldest first: when, who, what, on which item and revision. With --json, one object per line."""
    services = locate_services()
    from worker.cli.audit_tables import event_object, print_events
    from worker.exports.jsonl import json_line
    from worker.store.audit_trail import stream_events

    batch_id = parse_batch(batch) if batch is not None else None
    most = TABLE_ROWS if limit is None and not as_json else limit
    found = islice(stream_events(services.engine, batch_id=batch_id, after=after), most)
    if as_json:
        for event in found:
            sys.stdout.write(json_line(event_object(event)))
        return
    listed = list(found)
    print_events(listed, console())
    if not listed:
        say("No such events.")
    elif len(listed) == most:
        say(f"\nMore: --after {listed[-1].id}")


@audit.command()
def seal(as_json: JsonOption = False) -> None:
    """Export the head of the hash chain to the evidence bucket. The dispatcher does it every ZOOMIN_SEAL_SECONDS."""
    services = locate_services()
    from worker.audit.seals import export_seal, seal_key
    from worker.exports.jsonl import json_line

    bucket = services.settings.evidence_bucket
    head = export_seal(services.engine, services.storage, bucket)
    if as_json:
        made = {"link": head.link, "events": head.events, "head": head.head, "bucket": bucket, "key": seal_key(head.link)} if head else None
        sys.stdout.write(json_line({"sealed": made}))
    elif head is None:
        report("Nothing to seal: the newest seal covers every event.")
    else:
        report(f"Sealed {head.events:,} events up to link {head.link}, head {head.head}: s3://{bucket}/{seal_key(head.link)}")


@audit.command()
def verify(
    from_seals: Annotated[
        bool, typer.Option("--from-seals", help="Trust the newest seal in the bucket, and check only what came after it.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check the whole audit trail: every event, the hash chain over them, and every seal, in the database and in the bucket.

    Exit code 5 when something was changed, added or taken away.
    """
    services = locate_services()
    from worker.audit.check import check_trail
    from worker.cli.audit_progress import shown_check
    from worker.exports.jsonl import json_line
    from worker.store.audit_trail import count_events

    with shown_check(count_events(services.engine)) as watch:
        verified = check_trail(services.engine, services.storage, services.settings.evidence_bucket, from_seals=from_seals, watch=watch)
    broken = verified.broken
    if as_json:
        counts = {"events": verified.events, "links": verified.links, "seals": verified.seals, "ok": broken is None}
        sys.stdout.write(json_line({**counts, "break": asdict(broken) if broken else None}))
    elif broken is None:
        report(f"The audit trail verifies: {verified.events:,} events in {verified.links:,} links, {verified.seals:,} seals.")
        if not verified.seals:
            say("Nothing is sealed yet: an owner of the database could still shorten the trail unseen. Seal it: zoomin audit seal")
    else:
        report(f"The audit trail does NOT verify: {broken.message} [{broken.code}]")
        report(f"Before it, {verified.events:,} events in {verified.links:,} links and {verified.seals:,} seals are as they were written.")
    if broken is not None:
        raise typer.Exit(ExitCode.TAMPERED)
