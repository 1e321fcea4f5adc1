"""Statements of reasons as the JSON that machines rely on, and for the eye."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table

from worker.cli.terminal import untrusted
from worker.moderation.statement_of_reasons import Violation
from worker.store.models import StatementRow


def statement_json(row: StatementRow) -> dict[str, Any]:
    """Plain JSON, without the payload."""
    return {
        "statement": str(row.id),
        "decision": str(row.decision_id),
        "tenant": row.tenant_id,
        "state": row.state,
        "drafted_by": row.drafted_by,
        "signed_by": row.signed_by,
        "hold_until": _time(row.hold_until),
        "attempts": row.attempts,
        "receiver_code": row.receiver_code,
        "receiver_detail": row.receiver_detail,
        "receiver_id": row.receiver_id,
        "created_at": _time(row.created_at),
        "submitted_at": _time(row.submitted_at),
    }


def print_statements(rows: Iterable[StatementRow], console: Console) -> None:
    """One row per statement."""
    table = Table("statement", "state", "signed by", "not before (UTC)", "receiver", header_style="bold", pad_edge=False, box=None)
    for row in rows:
        until = f"{row.hold_until:%Y-%m-%d %H:%M}" if row.hold_until else ""
        table.add_row(str(row.id), row.state, untrusted(row.signed_by or ""), until, untrusted(row.receiver_code or ""))
    console.print(table)


def print_statement(row: StatementRow, broken: Sequence[Violation], console: Console) -> None:
    """The payload, then what is wrong with it."""
    told = f" ({row.receiver_code})" if row.receiver_code else ""
    console.print(untrusted(f"{row.state}{told}; about decision {row.decision_id}", style="bold"))
    for field, value in row.payload.items():
        lines = value.splitlines() if isinstance(value, str) else [json.dumps(value)]
        console.print(untrusted(f"  {field}: {lines[0]}"))
        for line in lines[1:]:
            console.print(untrusted(f"    {line}"))
    for rule in broken:
        console.print(untrusted(f"{rule.field}: {rule.message} [{rule.code}]", style="red"))
    if not broken:
        console.print("It breaks no rule of the transparency database.")


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
