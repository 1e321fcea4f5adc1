"""One image with all of its life, as the page shows it: pure, made from its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from api.review_page.statement_view import StatementView, view_statement
from api.review_page.task_view import RegionView, ScoreView, clean_lines, region_view, score_view
from api.review_page.timeline import Entry, timeline
from worker.moderation.identifiers import item_id
from worker.moderation.policy import Clause
from worker.moderation.sentences import Sentence, sentences
from worker.moderation.statement_of_reasons import Violation
from worker.moderation.text import clean
from worker.store.item_life import ItemLife
from worker.store.models import AppealRow, DecisionRow, OutcomeRow, ReleaseRow, StatementRow
from worker.store.models.decisions import StatementState
from worker.store.statements_of_reasons import broken_rules, waits_for

BRIEF = 1_500  # characters
LIVE_STATEMENTS = frozenset({StatementState.DRAFT, StatementState.HELD, StatementState.SUBMITTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionView:
    """What one revision said, and the pixels it said it of. `image` is None when the model was sent none."""

    revision: int
    outcome: OutcomeRow
    release: ReleaseRow | None
    regions: Sequence[RegionView]
    explanation: Sequence[Sentence]
    score: ScoreView | None
    image: str | None
    policy: str | None

    @property
    def brief(self) -> bool:
        """Whether the explanation is short enough to stand open."""
        return sum(len(sentence.text) for sentence in self.explanation) <= BRIEF

    @property
    def boxes(self) -> list[dict[str, object]]:
        """As the viewer element reads them."""
        return [
            {"position": region.position, "box": list(region.box), "label": clean(region.finding or region.reason, 120)}
            for region in self.regions
        ]


@dataclass(frozen=True, slots=True)
class AppealView:
    """An appeal beside what it contests, frozen as it was decided on: all its regions, or the contested one alone."""

    row: AppealRow
    contested: DecisionRow
    revision: RevisionView | None
    regions: Sequence[RegionView]
    settled: DecisionRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseView:
    """Everything that `case.html` shows. `shown` is the revision whose boxes are drawn; None before the first outcome."""

    item_id: str
    life: ItemLife
    shown: RevisionView | None
    appeals: Sequence[AppealView]
    statements: Sequence[StatementView]
    earlier_statements: int  # withdrawn or refused before one of those shown
    superseded_by: Mapping[UUID, UUID]
    entries: Sequence[Entry]

    @property
    def clauses(self) -> Sequence[Clause]:
        """What a decision about the newest outcome can rest on."""
        newest = self.life.outcomes[0].revision if self.life.outcomes else None
        live = next((row.policy_version for row in self.life.routings if row.mode == "live" and row.revision == newest), "")
        policy = self.life.policies.get(live)
        return policy.clauses if policy is not None else ()

    def clause(self, named: str) -> str:
        """What a clause says, by whichever version it was routed under; its id when none of them has it any more."""
        known = {clause.id: clause.title for policy in self.life.policies.values() for clause in policy.clauses}
        return known.get(named, named)

    @property
    def contestable(self) -> DecisionRow | None:
        """The standing decision, when no appeal against it was ever opened."""
        standing = self.life.decision
        contested = {appeal.row.decision_id for appeal in self.appeals}
        return standing if standing is not None and standing.id not in contested and self.life.erasure is None else None

    @property
    def statable(self) -> DecisionRow | None:
        """The standing decision, when it restricts the image and has no statement."""
        standing = self.life.decision
        stated = {view.row.decision_id for view in self.statements if view.row.state in LIVE_STATEMENTS}
        restricts = standing is not None and standing.action != "none" and standing.id not in stated
        return standing if restricts and self.life.erasure is None else None


def view_case(life: ItemLife, *, revision: int | None, now: datetime, sends: bool) -> CaseView:
    """The view of a life. `revision` is whose boxes are drawn, by default the newest's; `sends`: whether statements go anywhere."""
    revisions = {outcome.revision: _revision(life, outcome) for outcome in life.outcomes}
    decisions = {decision.id: decision for decision in life.decisions}
    known = {decision.id: {row.position for row in life.regions.get(decision.revision, ())} for decision in life.decisions}
    statements = [
        view_statement(row, decisions[row.decision_id], known[row.decision_id], _broken(row), waits_for(row, now=now, configured=sends))
        for row in reversed(life.statements)
    ]
    latest = list({view.row.decision_id: view for view in reversed(statements)}.values())[::-1]
    return CaseView(
        item_id=item_id(life.item.batch_id, life.item.ordinal),
        life=life,
        shown=revisions.get(revision or life.item.revision or 0) or next(iter(revisions.values()), None),
        appeals=[_appeal(row, decisions, revisions) for row in reversed(life.appeals)],
        statements=latest,
        earlier_statements=len(statements) - len(latest),
        superseded_by={decision.supersedes: decision.id for decision in life.decisions if decision.supersedes is not None},
        entries=timeline(life),
    )


def _revision(life: ItemLife, outcome: OutcomeRow) -> RevisionView:
    place = item_id(outcome.batch_id, outcome.ordinal)
    regions = [region_view(row) for row in life.regions.get(outcome.revision, ())]
    live = next((row for row in life.routings if row.revision == outcome.revision and row.mode == "live"), None)
    kept = outcome.sent_sha256 is not None and life.erasure is None
    return RevisionView(
        revision=outcome.revision,
        outcome=outcome,
        release=life.releases.get(outcome.release_id or ""),
        regions=regions,
        explanation=sentences(clean_lines(outcome.explanation), {region.position for region in regions}),
        score=score_view(outcome, life.policies.get(live.policy_version) if live else None),
        image=f"/v1/items/{place}/image?revision={outcome.revision}" if kept else None,
        policy=live.policy_version if live else None,
    )


def _appeal(row: AppealRow, decisions: Mapping[UUID, DecisionRow], revisions: Mapping[int, RevisionView]) -> AppealView:
    contested = decisions[row.decision_id]
    revision = revisions.get(contested.revision)
    regions = [each for each in revision.regions if row.region_position in {None, each.position}] if revision else []
    return AppealView(row, contested, revision, regions, decisions.get(row.settled_by) if row.settled_by else None)


def _broken(row: StatementRow) -> Sequence[Violation]:
    return broken_rules(row) if row.state == StatementState.DRAFT else ()
