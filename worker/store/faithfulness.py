"""Checks of explanations, as rows: written with their outcomes, read one by one, and added up over a batch."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import insert, select, text
from sqlalchemy.orm import Session

from worker.moderation.boxes import Box
from worker.moderation.faithfulness import CheckCost, Faithfulness, Fill, Masking
from worker.moderation.outcomes import Outcome
from worker.store.models import FaithfulnessCheckRow, FaithfulnessMaskingRow, OutcomeRow
from worker.store.outcome_rows import Place, canonical, storable

BATCH = text(
    """
    -- checks of a batch's current outcomes: what they found, by the measure of the policy's live version, and what they cost
    SELECT count(c.ordinal) AS checks, count(c.score_drop) AS tested, avg(c.score_drop) AS score_drop, avg(c.control_drop) AS control_drop,
           v.least_drop, count(*) FILTER (WHERE c.score_drop - c.control_drop < v.least_drop) AS unmoved,
           coalesce(sum(c.requests), 0) AS requests, coalesce(sum(c.prompt_tokens), 0) AS prompt_tokens,
           coalesce(sum(c.completion_tokens), 0) AS completion_tokens, coalesce(sum(c.seconds), 0) AS seconds
      FROM batches AS b
      LEFT JOIN policy_versions AS v ON (v.tenant_id, v.policy, v.state) = (b.tenant_id, b.policy, 'live')
      LEFT JOIN faithfulness_checks AS c ON c.batch_id = b.id AND NOT EXISTS (
           SELECT FROM outcomes AS n WHERE (n.batch_id, n.ordinal) = (c.batch_id, c.ordinal) AND n.revision > c.revision)
     WHERE b.id = :batch_id
     GROUP BY v.least_drop
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheck:
    """A check as it was recorded. `p_generated` is the verdict's, which the drops are taken from."""

    revision: int
    p_generated: float | None
    found: Faithfulness
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchChecks:
    """The checks of a batch's current outcomes, an item's newest each. The drops are means over those that were `tested`; None without any.

    `unmoved` is how many of the tested ones drop by less than `least_drop` beyond the control; None where no version of the policy is live.
    """

    checks: int
    tested: int
    unmoved: int | None
    least_drop: float | None
    drop: float | None
    control_drop: float | None
    cost: CheckCost


def write_checks(session: Session, place: Place, outcomes: Sequence[Outcome]) -> None:
    """Writes the checks of new outcomes; most have none."""
    checked = [(outcome.ordinal, outcome.faithfulness) for outcome in outcomes if outcome.faithfulness is not None]
    if not checked:
        return
    session.execute(insert(FaithfulnessCheckRow), [{**_key(place, ordinal), **_columns(found)} for ordinal, found in checked])
    maskings = [{**_key(place, ordinal), **columns} for ordinal, found in checked for columns in _masking_columns(found)]
    if maskings:
        session.execute(insert(FaithfulnessMaskingRow), maskings)


def digest_of(found: Faithfulness) -> str:
    """sha256 (hex) of the canonical JSON of a check's rows without their keys: recomputable from what the tables hold."""
    rows = {"check": _columns(found), "maskings": list(_masking_columns(found))}
    return hashlib.sha256(canonical(rows).encode()).hexdigest()


def read_check(session: Session, batch_id: UUID, ordinal: int, revision: int | None = None) -> StoredCheck | None:
    """The check of an item's newest outcome, or of one revision; None where that was not checked. The item is the caller's to check."""
    place: dict[str, Any] = {"batch_id": batch_id, "ordinal": ordinal}
    query = select(OutcomeRow).filter_by(**place).order_by(OutcomeRow.revision.desc()).limit(1)
    outcome = session.execute(query if revision is None else query.filter_by(revision=revision)).scalar_one_or_none()
    row = session.get(FaithfulnessCheckRow, (batch_id, ordinal, outcome.revision)) if outcome is not None else None
    if outcome is None or row is None:
        return None
    maskings = (
        select(FaithfulnessMaskingRow)
        .filter_by(**place, revision=row.revision)
        .order_by(FaithfulnessMaskingRow.position, FaithfulnessMaskingRow.fill)
    )
    return StoredCheck(
        revision=row.revision,
        p_generated=outcome.p_generated,
        found=Faithfulness(
            drop=row.score_drop,
            control_drop=row.control_drop,
            maskings=tuple(map(_masking, session.execute(maskings).scalars())),
            cost=CheckCost(
                requests=row.requests, prompt_tokens=row.prompt_tokens, completion_tokens=row.completion_tokens, seconds=row.seconds
            ),
            error_code=row.error_code,
            error_message=row.error_message,
        ),
        created_at=row.created_at,
    )


def batch_checks(session: Session, batch_id: UUID) -> BatchChecks:
    """What the checks of a batch found, and what they cost. The batch is the caller's to check."""
    row = session.execute(BATCH, {"batch_id": batch_id}).one()
    return BatchChecks(
        checks=row.checks,
        tested=row.tested,
        unmoved=None if row.least_drop is None else row.unmoved,
        least_drop=row.least_drop,
        drop=row.score_drop,
        control_drop=row.control_drop,
        cost=CheckCost(
            requests=int(row.requests),
            prompt_tokens=int(row.prompt_tokens),
            completion_tokens=int(row.completion_tokens),
            seconds=float(row.seconds),
        ),
    )


def _key(place: Place, ordinal: int) -> dict[str, Any]:
    return {"batch_id": place.batch_id, "ordinal": ordinal, "revision": place.revision}


def _columns(found: Faithfulness) -> dict[str, Any]:
    return {
        "score_drop": found.drop,
        "control_drop": found.control_drop,
        "requests": found.cost.requests,
        "prompt_tokens": found.cost.prompt_tokens,
        "completion_tokens": found.cost.completion_tokens,
        "seconds": found.cost.seconds,
        "error_code": found.error_code,
        "error_message": storable(found.error_message),
    }


def _masking_columns(found: Faithfulness) -> Iterator[dict[str, Any]]:
    for masking in found.maskings:
        yield {
            "position": masking.position,
            "fill": masking.fill.value,
            "p_masked": masking.p_masked,
            "p_control": masking.p_control,
            "controls": [list(box.corners()) for box in masking.controls],
        }


def _masking(row: FaithfulnessMaskingRow) -> Masking:
    return Masking(
        position=row.position,
        fill=Fill(row.fill),
        p_masked=row.p_masked,
        p_control=row.p_control,
        controls=tuple(Box(*corners) for corners in row.controls),
    )
