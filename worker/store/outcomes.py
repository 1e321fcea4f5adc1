"""Recording outcomes: fenced, exactly once per item and revision, with their regions, traces, evidence, routing and audit event."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Table, insert
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from worker.moderation.calibration import UNMEASURED, Accuracies, measured_accuracies
from worker.moderation.outcomes import Outcome, OutcomeKind
from worker.moderation.policy import Route, Routing
from worker.moderation.release import Release, Training
from worker.store import audit, outbox
from worker.store.attention_maps import sample_maps
from worker.store.chunks import Lease, Tally, fence, progress
from worker.store.coverage import keep_coverage
from worker.store.evidence import keep_evidence, let_go
from worker.store.faithfulness import digest_of, write_checks
from worker.store.models import OutcomeRow, RegionRow, TraceRow
from worker.store.models.intake import BatchState
from worker.store.outcome_rows import OutcomeRows, Place, outcome_rows
from worker.store.outcome_words import keep_words
from worker.store.policies import in_force
from worker.store.routing import route_outcomes, write_routings
from worker.store.stage_tallies import tally_stages


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

    @property
    def accuracies(self) -> Accuracies:
        """How often the release was right, by band of degradation."""
        return measured_accuracies(self.release.facts.get("degradation", {}).get("bands")) if self.release else UNMEASURED


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a write did."""

    tally: Tally
    duplicates: int  # outcomes that were there already: discarded
    unkept: int  # outcomes whose evidence was removed while they were judged: not recorded, to be judged again
    batch_state: BatchState  # as it was when the write was fenced


@dataclass(frozen=True, slots=True)
class Inserted:
    """What was written, and how many outcomes were not because their evidence had been removed."""

    tally: Tally
    unkept: int


def record_outcomes(session: Session, lease: Lease, outcomes: Sequence[Outcome], judgement: Judgement) -> Recorded:
    """Writes outcomes in the caller's transaction, whose first statement must be this fence. Raises FencedError."""
    batch_state = fence(session, lease)
    place = Place(batch_id=lease.batch_id, revision=lease.revision, chunk_id=lease.chunk_id)
    inserted = insert_outcomes(session, place, outcomes, judgement, stored_since=lease.claimed_at)
    tally = inserted.tally
    if tally.total:
        progress(session, lease, tally)
    return Recorded(tally, len(outcomes) - tally.total - inserted.unkept, inserted.unkept, batch_state)


def insert_outcomes(
    session: Session, place: Place, outcomes: Sequence[Outcome], judgement: Judgement, *, stored_since: datetime | None = None
) -> Inserted:
    """Inserts those outcomes whose item has none at this revision and whose evidence is there, and everything that hangs on them.

    `stored_since` is as for `keep_evidence`. Evidence is asked first: from then on its rows are ours until the commit.
    """
    if not outcomes:
        return Inserted(Tally(), 0)
    newest = {outcome.ordinal: outcome for outcome in outcomes}
    policies = in_force(session, place.batch_id)
    means, accuracies = judgement.scores_mean_something, judgement.accuracies
    routed = route_outcomes(list(newest.values()), policies, place, scores_mean_something=means, accuracies=accuracies)
    wanted = [(facts, routed.retention(outcome.ordinal)) for outcome in newest.values() for facts in outcome.evidence]
    leaving = keep_evidence(session, wanted, bucket=judgement.evidence_bucket, stored_since=stored_since)
    kept = [outcome for outcome in newest.values() if leaving.isdisjoint(facts.sha256 for facts in outcome.evidence)]
    rows = {outcome.ordinal: outcome_rows(outcome, place) for outcome in kept}
    written = _insert_new(session, [rows[ordinal].outcome for ordinal in sorted(rows)])
    fresh = [outcome for outcome in kept if outcome.ordinal in written]
    let_go(session, [facts for outcome in kept if outcome.ordinal not in written for facts in outcome.evidence])
    checks = {outcome.ordinal: digest_of(outcome.faithfulness) for outcome in fresh if outcome.faithfulness is not None}
    _write_all(session, place, [rows[ordinal] for ordinal in sorted(written)], checks, judgement)
    write_checks(session, place, fresh)
    write_routings(session, place, fresh, routed.only(written))
    keep_coverage(session, place, fresh)
    sample_maps(session, place, fresh, policies.live)
    tally_stages(session, place, fresh)
    outbox.publish_outcomes(session, place, fresh)
    return Inserted(_tally(fresh, routed.live), len(newest) - len(kept))


def _write_all(session: Session, place: Place, rows: Sequence[OutcomeRows], checks: Mapping[int, str], judgement: Judgement) -> None:
    _insert(session, RegionRow, [region for row in rows for region in row.regions])
    _insert(session, TraceRow, [trace for row in rows for trace in row.traces])
    keep_words(session, place, rows)
    audit.record_all(session, [_event(place, row, checks, judgement.actor) for row in rows])


def _insert_new(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[int]:
    if not rows:
        return set()
    statement = postgresql.insert(_table(OutcomeRow)).on_conflict_do_nothing().returning(_table(OutcomeRow).c.ordinal)
    return set(session.connection().execute(statement, [dict(row) for row in rows]).scalars())


def _insert(session: Session, model: type[Any], rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        session.connection().execute(insert(_table(model)), [dict(row) for row in rows])


def _event(place: Place, rows: OutcomeRows, checks: Mapping[int, str], actor: str) -> audit.AuditEvent:
    """`checks` are digests of what tested the explanations, by ordinal: a route may rest on it."""
    check = checks.get(rows.outcome["ordinal"])
    return audit.AuditEvent(
        actor=actor,
        action="outcome.recorded",
        batch_id=place.batch_id,
        ordinal=rows.outcome["ordinal"],
        revision=place.revision,
        payload_digest=rows.digest,
        detail={
            "kind": rows.outcome["kind"],
            "release": rows.outcome["release_id"],
            **({"faithfulness": check} if check is not None else {}),
        },
    )


def _tally(outcomes: Sequence[Outcome], routings: Mapping[int, Routing | None]) -> Tally:
    def count(kind: OutcomeKind) -> int:
        return sum(outcome.kind is kind for outcome in outcomes)

    routes = [routing.route for outcome in outcomes if (routing := routings[outcome.ordinal]) is not None]
    return Tally(
        verdicts=count(OutcomeKind.VERDICT),
        flagged=routes.count(Route.FLAG),
        unreadable=count(OutcomeKind.UNREADABLE),
        failed=count(OutcomeKind.FAILED),
        cancelled=count(OutcomeKind.CANCELLED),
    )


def _table(model: type[Any]) -> Table:
    table: Table = model.__table__
    return table
