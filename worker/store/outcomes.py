"""Recording outcomes: fenced, exactly once per item and revision, with their regions, traces, evidence, routing and audit event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.moderation.policy import Route, Routing, retention_class
from worker.moderation.release import Release, Training
from worker.store import audit, outbox
from worker.store.chunks import Lease, Tally, fence, progress
from worker.store.evidence import keep_evidence
from worker.store.models import OutcomeRow, RegionRow, TraceRow
from worker.store.models.intake import BatchState
from worker.store.outcome_rows import OutcomeRows, Place, outcome_rows
from worker.store.policies import in_force
from worker.store.routing import route_outcomes, write_routings


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """Who judged, and what the scores are worth. `release` is None where no model was asked."""

    actor: str
    release: Release | None = None
    evidence_bucket: str = ""

    @property
    def scores_mean_something(self) -> bool:
        """Whether thresholds may decide by them."""
        return self.release is not None and self.release.training is Training.TRAINED


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a write did."""

    tally: Tally
    duplicates: int  # outcomes that were there already: discarded
    batch_state: BatchState  # as it was when the write was fenced


def record_outcomes(session: Session, lease: Lease, outcomes: Sequence[Outcome], judgement: Judgement) -> Recorded:
    """Writes outcomes in the caller's transaction, whose first statement must be this fence. Raises FencedError."""
    batch_state = fence(session, lease)
    place = Place(batch_id=lease.batch_id, revision=lease.revision, chunk_id=lease.chunk_id)
    tally = insert_outcomes(session, place, outcomes, judgement)
    if tally.total:
        progress(session, lease, tally)
    return Recorded(tally, len(outcomes) - tally.total, batch_state)


def insert_outcomes(session: Session, place: Place, outcomes: Sequence[Outcome], judgement: Judgement) -> Tally:
    """Inserts those outcomes whose item has none at this revision, and everything that hangs on them: how many of which kind."""
    if not outcomes:
        return Tally()
    rows = {outcome.ordinal: outcome_rows(outcome, place) for outcome in outcomes}
    written = _insert_new(session, [rows[ordinal].outcome for ordinal in sorted(rows)])
    fresh = [outcome for ordinal, outcome in {outcome.ordinal: outcome for outcome in outcomes}.items() if ordinal in written]
    routed = route_outcomes(fresh, in_force(session, place.batch_id), scores_mean_something=judgement.scores_mean_something)
    kept = [rows[ordinal] for ordinal in sorted(written)]
    _insert(session, RegionRow, [region for row in kept for region in row.regions])
    _insert(session, TraceRow, [trace for row in kept for trace in row.traces])
    wanted = [(facts, retention_class(routed.live[outcome.ordinal])) for outcome in fresh for facts in outcome.evidence]
    keep_evidence(session, wanted, bucket=judgement.evidence_bucket)
    write_routings(session, place, fresh, routed)
    audit.record_all(session, [_event(place, row, judgement.actor) for row in kept])
    outbox.publish_outcomes(session, place, fresh)
    return _tally(fresh, routed.live)


def _insert_new(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[int]:
    statement = postgresql.insert(_table(OutcomeRow)).on_conflict_do_nothing().returning(_table(OutcomeRow).c.ordinal)
    return set(session.connection().execute(statement, [dict(row) for row in rows]).scalars())


def _insert(session: Session, model: type[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.connection().execute(insert(_table(model)), [dict(row) for row in rows])


def _event(place: Place, rows: OutcomeRows, actor: str) -> audit.AuditEvent:
    return audit.AuditEvent(
        actor=actor,
        action="outcome.recorded",
        batch_id=place.batch_id,
        ordinal=rows.outcome["ordinal"],
        revision=place.revision,
        payload_digest=rows.digest,
        detail={"kind": rows.outcome["kind"], "release": rows.outcome["release_id"]},
    )


def _tally(outcomes: Sequence[Outcome], routings: Mapping[int, Routing | None]) -> Tally:
    def count(kind: OutcomeKind) -> int:
        return sum(outcome.kind is kind for outcome in outcomes)

    flagged = sum(routing is not None and routing.route is Route.FLAG for routing in routings.values())
    return Tally(
        verdicts=count(OutcomeKind.VERDICT),
        flagged=flagged,
        unreadable=count(OutcomeKind.UNREADABLE),
        failed=count(OutcomeKind.FAILED),
        cancelled=count(OutcomeKind.CANCELLED),
    )


def _table(model: type[Any]) -> Table:
    table: Table = model.__table__
    return table
