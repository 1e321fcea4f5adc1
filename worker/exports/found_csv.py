"""What a search found as CSV for spreadsheets: one row per item, as the page shows it."""

from collections.abc import Iterable, Iterator
from itertools import chain

from worker.exports.csv import Cell, csv_lines, guarded
from worker.moderation.identifiers import item_id
from worker.store.search_results import Found

COLUMNS = (
    "id",
    "custom_id",
    "batch",
    "source",
    "outcome",
    "verdict",
    "p_generated",
    "route",
    "decided",
    "action",
    "reviewers",
    "release",
    "revision",
    "judged_at",
    "decided_at",
    "text",
    "erased",
)


def found_csv_pieces(found: Iterable[Found]) -> Iterator[str]:
    """The header, then a row for each item."""
    return csv_lines(chain([COLUMNS], map(_cells, found)))


def _cells(found: Found) -> tuple[Cell, ...]:
    decision = found.decision
    return (
        item_id(found.batch_id, found.ordinal),
        guarded(found.custom_id),
        str(found.batch_id),
        guarded(found.source),
        found.outcome,
        found.verdict,
        found.p_generated,
        found.route,
        decision.verdict if decision else None,
        decision.action if decision else None,
        guarded(" ".join(found.reviewers)),
        guarded(found.release or ""),
        found.revision,
        found.judged_at.isoformat(),
        decision.decided_at.isoformat() if decision else None,
        guarded(found.headline.text),
        "true" if found.erased else "",
    )
