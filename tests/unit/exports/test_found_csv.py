"""What a search found, as CSV."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

from tests.unit.exports.builders import BATCH_ID
from worker.exports.found_csv import COLUMNS, found_csv_pieces
from worker.moderation.headlines import Headline
from worker.moderation.outcomes import OutcomeKind, Verdict
from worker.moderation.policy import Action, Route
from worker.moderation.release import Training
from worker.moderation.review import DecisionBasis
from worker.store.search_results import Found, FoundDecision

MOMENT = datetime(2026, 11, 25, 12, tzinfo=UTC)
FOUND = Found(
    batch_id=BATCH_ID,
    ordinal=17,
    revision=1,
    custom_id="cat.jpg",
    source="s3://photos/cat.jpg",
    outcome=OutcomeKind.VERDICT,
    verdict=Verdict.GENERATED,
    p_generated=0.75,
    route=Route.FLAG,
    release="nano-0123456789ab",
    training=Training.TRAINED,
    decision=FoundDecision(id=BATCH_ID, verdict=Verdict.REAL, action=Action.NONE, basis=DecisionBasis.REVIEW, decided_at=MOMENT),
    reviewers=("key:a", "person:b"),
    judged_at=MOMENT,
    headline=Headline("six fingers", ((4, 11),)),
    pictured=True,
    erased=False,
)


def rows_of(*found: Found) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(found_csv_pieces(found)), newline="")))


def test_every_row_has_every_column() -> None:
    rows = rows_of(FOUND, replace(FOUND, decision=None, verdict=None, p_generated=None, route=None, release=None, reviewers=()))
    assert all(tuple(row) == COLUMNS and None not in row.values() for row in rows)
    assert rows[0]["id"] == f"item_{BATCH_ID.hex}_17"
    assert [row["decided"] for row in rows] == ["real", ""]
    assert rows[0]["reviewers"] == "key:a person:b"


def test_no_cell_of_somebody_else_starts_a_formula() -> None:
    formula = '=HYPERLINK("http://evil.example","x")'
    row = rows_of(replace(FOUND, custom_id=formula, source=formula, release=formula, reviewers=(formula,), headline=Headline(formula)))[0]
    assert all(row[name].startswith("'=") for name in ("custom_id", "source", "release", "reviewers", "text"))
