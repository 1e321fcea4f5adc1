"""`zoomin batches | cancel | resume | rescan`: what was submitted, and what may be done with it."""
# ruff: noqa: PLC0415  imports wait for their command, so that `--help` answers at once

import os
import pwd
import sys
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from worker.cli.services import Services
from worker.cli.terminal import console, report, say
from worker.moderation.errors import RejectedError
from worker.moderation.outcomes import OutcomeKind

if TYPE_CHECKING:
    from worker.store.models import BatchRow

BatchArgument = Annotated[str, typer.Argument(metavar="BATCH", help="The id that `zoomin scan` printed; `zoomin batches` lists them.")]
JsonOption = Annotated[bool, typer.Option("--json", help="For machines: JSON on stdout and nothing else there.")]


def batches(
    as_json: JsonOption = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    tenant: Annotated[
        str | None, typer.Option(help="Only this tenant's. (default: everybody's; over the API, the key's)", show_default=False)
    ] = None,
) -> None:
    """List batches, newest first, and how far each is."""
    from worker.cli.installation.choosing import installation
    from worker.cli.summaries import print_batches, summary
    from worker.exports.jsonl import json_line

    known = installation().batches
    listed = known.newest(tenant, limit)
    if as_json:
        for row in listed:
            standing = known.progress(row.progress.batch_id)
            sys.stdout.write(json_line({**summary(standing), "source": row.source, "tenant": row.tenant}))
    elif listed:
        print_batches(listed, console())
    else:
        say("No batches yet. Submit one: zoomin scan FOLDER --wait")


def cancel(batch: BatchArgument) -> None:
    """Cancel a batch. Images that are being judged are finished; the rest get the outcome `cancelled`."""
    from worker.cli.installation.choosing import installation

    state = installation().batches.cancel(parse_batch(batch))
    report(f"Batch {parse_batch(batch)} is {state}.")


def resume(batch: BatchArgument) -> None:
    """Let a paused batch go on, once what `zoomin batches` names as the reason is mended."""
    from worker.cli.installation.choosing import installation

    state = installation().batches.resume(parse_batch(batch))
    report(f"Batch {parse_batch(batch)} is {state}.")


def rescan(
    batch: BatchArgument,
    only: Annotated[
        str | None, typer.Option(metavar="KINDS", help="Only items whose newest outcome is of these kinds, say: failed,unreadable")
    ] = None,
) -> None:
    """Judge a finished batch again. Earlier outcomes stay; new ones are a new revision."""
    kinds = _kinds(only)
    from worker.cli.installation.choosing import installation

    batch_id = parse_batch(batch)
    items = installation().batches.rescan(batch_id, kinds)
    report(f"{items:,} items of batch {batch_id} are judged again. Follow it: zoomin batches")


def find(services: Services, batch: str) -> "BatchRow":
    """The batch of an id as typed. Raises RejectedError."""
    from worker.store.batches import find_batch
    from worker.store.session import transaction

    with transaction(services.engine) as session:
        return find_batch(session, parse_batch(batch))


def parse_batch(text: str) -> UUID:
    """The id as typed. Raises RejectedError."""
    try:
        return UUID(text)
    except ValueError:
        raise RejectedError("batch_id_malformed", f"{text[:80]!r} is not a batch id. `zoomin batches` lists them.") from None


def actor() -> str:
    """Who acts, for the audit trail: the account as the kernel knows it."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:  # an account without a name, as in containers
        return f"cli:{os.getuid()}"


def _kinds(text: str | None) -> frozenset[OutcomeKind] | None:
    if text is None:
        return None
    try:
        return frozenset(OutcomeKind(name.strip()) for name in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"{text!r}: name some of {', '.join(OutcomeKind)}, separated by commas.", param_hint="--only") from None
