"""`zoomin scan`: images in, a batch id out, and with --wait its end."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from worker.cli.batches import JsonOption
from worker.cli.endings import ExitCode
from worker.cli.terminal import report, say
from worker.moderation.policy import DEFAULT_POLICY
from worker.moderation.text import clean

if TYPE_CHECKING:
    from worker.cli.installation.asking import Batches
    from worker.cli.submitting import Submitted
    from worker.store.progress import BatchProgress


def scan(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="An S3 prefix (s3://bucket/photos/), a manifest (.jsonl or .csv, also .gz; on S3 or local), or a local folder, which is "
            "uploaded first. Each SOURCE becomes one batch.",
        ),
    ],
    wait: Annotated[bool, typer.Option("--wait", help="Stay until every image is judged. Ctrl-C leaves the batch running.")] = False,
    as_json: JsonOption = False,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Idempotency key: the same key and SOURCE again give the same batch, and take up an interrupted intake where it stopped.",
        ),
    ] = None,
    priority: Annotated[int, typer.Option(min=-100, max=100, help="Batches of higher priority are judged first.")] = 0,
    policy: Annotated[str, typer.Option(metavar="NAME", help="The policy that routes what is judged.")] = DEFAULT_POLICY,
    tenant: Annotated[str | None, typer.Option(help="Submit as this tenant. (default: ZOOMIN_TENANT)", show_default=False)] = None,
) -> None:
    """Submit images for judging. Prints the batch id; with --json, one JSON object per SOURCE."""
    if key is not None and len(sources) > 1:
        raise typer.BadParameter("A key names one batch: give it with one SOURCE.", param_hint="--key")
    from worker.cli.installation.choosing import installation
    from worker.cli.submitting import Terms, submit

    batches = installation().batches
    terms = Terms(tenant=tenant, key=key, priority=priority, policy=policy)
    submitted, endings = [], [ExitCode.DONE]
    for source in sources:
        submitted.append(submit(batches, source, terms))
        if not as_json:
            report(str(submitted[-1].batch_id))
        if not wait:  # told at once: should a later SOURCE be refused, this batch is known
            endings.append(_leave(batches, submitted[-1], as_json))
    if wait:
        endings += [_wait(batches, batch, as_json) for batch in submitted]
    raise typer.Exit(max(endings))


def _leave(batches: "Batches", batch: "Submitted", as_json: bool) -> ExitCode:
    from worker.cli.summaries import ending_of

    standing = batches.progress(batch.batch_id)
    if as_json:
        _write_summary(standing, None)
    else:
        say(f"Follow it: zoomin batches\nResults, at any time: zoomin results {batch.batch_id}")
    return ending_of(standing)


def _wait(batches: "Batches", batch: "Submitted", as_json: bool) -> ExitCode:
    from worker.cli.following import follow
    from worker.cli.summaries import ending_of, in_words

    try:
        followed = follow(batches, batch.batch_id, started=batch.started)
    except KeyboardInterrupt:
        say(f"\nBatch {batch.batch_id} goes on without you.\nFollow it: zoomin batches\nResults: zoomin results {batch.batch_id}")
        raise
    if as_json:
        _write_summary(followed.batch, followed.first_verdict_seconds)
    else:
        say(f"{followed.batch.state} after {time.monotonic() - batch.started:.0f} s: {in_words(followed.batch)}.")
        if followed.batch.pause_reason:
            say(f"Paused: {clean(followed.batch.pause_reason)}\nWhen that is mended: zoomin resume {batch.batch_id}")
        say(f"Results: zoomin results {batch.batch_id}")
    return ending_of(followed.batch)


def _write_summary(standing: "BatchProgress", first_verdict_seconds: float | None) -> None:
    from worker.cli.summaries import summary
    from worker.exports.jsonl import json_line

    sys.stdout.write(json_line({**summary(standing), "first_verdict_seconds": first_verdict_seconds}))
