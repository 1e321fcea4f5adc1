"""Audit events as the JSON that machines rely on, and as a table."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.cli.terminal import untrusted
from worker.exports.jsonl import json_line
from worker.store.audit_trail import RecordedEvent


def event_object(event: RecordedEvent) -> dict[str, Any]:
    """Plain JSON; times are UTC, in microseconds."""
    return {
        "id": event.id,
        "occurred_at": f"{event.occurred_at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "actor": event.actor,
        "action": event.action,
        "tenant": event.tenant_id,
        "batch": str(event.batch_id) if event.batch_id else None,
        "ordinal": event.ordinal,
        "revision": event.revision,
        "payload_digest": event.payload_digest,
        "detail": event.detail,
    }


def print_events(events: Iterable[RecordedEvent], console: Console) -> None:
    """One row per event."""
    table = Table(header_style="bold", pad_edge=False, box=None, padding=(0, 2, 0, 0))
    for name in ("event", "when (UTC)", "action", "item", "revision"):
        table.add_column(name, no_wrap=True, justify="right" if name in {"event", "revision"} else "left")
    table.add_column("actor", overflow="fold")
    table.add_column("detail", overflow="fold")
    for event in events:
        item = "" if event.batch_id is None else f"{event.batch_id}" + ("" if event.ordinal is None else f" {event.ordinal}")
        table.add_row(
            str(event.id),
            f"{event.occurred_at:%Y-%m-%d %H:%M:%S}",
            untrusted(event.action),
            item,
            "" if event.revision is None else str(event.revision),
            untrusted(event.actor),
            untrusted(json_line(event.detail) if event.detail else ""),
        )
    console.print(table)
