"""How far a batch is: as the JSON that machines rely on, and in words."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.cli.endings import ExitCode
from worker.cli.installation.asking import Listed
from worker.cli.terminal import untrusted
from worker.store.models.intake import BatchState
from worker.store.progress import BatchProgress

TERMINAL = frozenset({BatchState.FINISHED, BatchState.CANCELLED, BatchState.REJECTED})
LONGEST_SOURCE = 60  # characters


def summary(batch: BatchProgress) -> dict[str, Any]:
    """Plain JSON. Counts are of the newest revision; shares are null without data; several models join their names by commas."""
    return {
        "batch": str(batch.batch_id),
        "state": batch.state,
        "pause_reason": batch.pause_reason,
        "revision": batch.revision,
        "accepted": batch.accepted,
        "rejected": batch.rejected,
        "verdict": batch.verdicts,
        "flagged": batch.flagged,
        "unreadable": batch.unreadable,
        "failed": batch.failed,
        "cancelled": batch.cancelled,
        "pending": batch.pending,
        "cached_prompt_share": batch.judges.cached_prompt_share,
        "cached_attainable_share": batch.judges.cached_attainable_share,
        "release": ",".join(name for name, _ in batch.judges.releases) or None,
        "training": ",".join(dict.fromkeys(training for _, training in batch.judges.releases)) or None,
    }


def in_words(batch: BatchProgress) -> str:
    """The counts, without those that are nothing."""
    flagged = f" ({batch.flagged:,} flagged)" if batch.flagged else ""
    counts = {
        f"verdicts{flagged}": batch.verdicts,
        "unreadable": batch.unreadable,
        "failed": batch.failed,
        "cancelled": batch.cancelled,
        "pending": batch.pending,
        "rows rejected": batch.rejected,
    }
    return ", ".join(f"{count:,} {name}" for name, count in counts.items() if count) or "nothing yet"


def ending_of(batch: BatchProgress) -> ExitCode:
    """The exit code that a batch's standing calls for."""
    if batch.state is BatchState.PAUSED:
        return ExitCode.UNAVAILABLE
    if batch.state in (BatchState.REJECTED, BatchState.CANCELLED) or batch.rejected or batch.failed or batch.unreadable:
        return ExitCode.ITEMS_FAILED
    return ExitCode.DONE


def print_batches(listed: Iterable[Listed], console: Console) -> None:
    """One row per batch."""
    table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    table.add_column("batch", no_wrap=True)
    table.add_column("submitted (UTC)", no_wrap=True)
    table.add_column("state", no_wrap=True)
    table.add_column("done", justify="right", no_wrap=True)
    table.add_column("outcomes", overflow="fold")
    table.add_column("source", overflow="fold")
    for row in listed:
        batch = row.progress
        share = f"{1 - batch.pending / batch.scope:.0%}" if batch.scope else "—"
        words = in_words(batch) + (f"; paused: {batch.pause_reason}" if batch.pause_reason else "")
        source = untrusted(row.source, limit=LONGEST_SOURCE)
        table.add_row(str(batch.batch_id), f"{row.created_at:%Y-%m-%d %H:%M}", batch.state, share, untrusted(words), source)
    console.print(table)
