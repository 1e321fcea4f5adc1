"""Policies: writing versions, moving them through shadow to live, and finding those in force for a batch.

A version is written once. One is live per policy; any number are watched in shadow. Every move is an audit event.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from worker.moderation.errors import MisconfiguredError, RejectedError
from worker.moderation.outcomes import Verdict
from worker.moderation.policy import (
    NAME,
    PLAIN,
    UNEXPLAINED,
    Action,
    AutomaticAction,
    Band,
    Clause,
    Explaining,
    Opening,
    PolicyVersion,
    Said,
)
from worker.store import audit
from worker.store.models import BatchRow, PolicyBandRow, PolicyClauseRow, PolicyRow, PolicyVersionRow, ReviewQueueRow
from worker.store.models.policies import VersionState

IN_FORCE = (VersionState.LIVE, VersionState.SHADOW)
MOVES = {  # to → from
    VersionState.SHADOW: (VersionState.DRAFT, VersionState.RETIRED),
    VersionState.LIVE: (VersionState.DRAFT, VersionState.SHADOW, VersionState.RETIRED),
    VersionState.RETIRED: (VersionState.SHADOW,),
}


@dataclass(frozen=True, slots=True)
class PoliciesInForce:
    """What routes a batch's outcomes: the live version decides, those in shadow are only watched."""

    live: PolicyVersion
    shadows: tuple[PolicyVersion, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A version to be written."""

    bands: Mapping[Said, Band]
    queue: str
    automatic: AutomaticAction | None = None
    clauses: tuple[Clause, ...] = ()
    reason_required: bool = False
    four_eyes: frozenset[Action] = frozenset()
    note: str = ""
    opening: Opening = PLAIN
    explaining: Explaining = UNEXPLAINED
    accuracy_floor: float | None = None

    def version(self, policy: str, number: int) -> PolicyVersion:
        """As it will be. Raises RejectedError as `PolicyVersion`."""
        return PolicyVersion(
            policy=policy,
            version=number,
            bands=self.bands,
            queue=self.queue,
            automatic=self.automatic,
            clauses=self.clauses,
            reason_required=self.reason_required,
            four_eyes=self.four_eyes,
            opening=self.opening,
            explaining=self.explaining,
            accuracy_floor=self.accuracy_floor,
        )


def create_policy(session: Session, tenant_id: str, name: str, *, description: str, actor: str) -> None:
    """A policy without versions. Raises RejectedError: policy_name_invalid, policy_exists."""
    if not NAME.fullmatch(name):
        raise RejectedError(
            "policy_name_invalid", f"{name[:80]!r} is no name for a policy: lower-case letters, digits and hyphens, 63 at most."
        )
    if session.get(PolicyRow, (tenant_id, name)) is not None:
        raise RejectedError("policy_exists", f"There is a policy {name} already. Write a new version of it instead.")
    session.execute(insert(PolicyRow).values(tenant_id=tenant_id, name=name, description=description))
    audit.record(session, actor=actor, action="policy.created", tenant_id=tenant_id, detail={"policy": name})


def write_version(session: Session, tenant_id: str, policy: str, draft: Draft, *, actor: str) -> PolicyVersion:
    """The next version of a policy, as a draft. Raises RejectedError: policy_missing, queue_missing, and those of `PolicyVersion`."""
    _lock_policy(session, tenant_id, policy)
    _check_queues(session, tenant_id, draft)
    last = session.execute(select(func.max(PolicyVersionRow.version)).filter_by(tenant_id=tenant_id, policy=policy)).scalar_one()
    version = draft.version(policy, (last or 0) + 1)
    insert_version(session, tenant_id, version, state=VersionState.DRAFT, note=draft.note, actor=actor)
    detail = {
        "version": version.name,
        "automatic": version.automatic.action if version.automatic else None,
        "clauses": len(version.clauses),
        "four_eyes": sorted(version.four_eyes),
    }
    audit.record(session, actor=actor, action="policy.version_written", tenant_id=tenant_id, detail=detail)
    return version


def insert_version(session: Session, tenant_id: str, version: PolicyVersion, *, state: VersionState, note: str = "", actor: str) -> None:
    """Writes the rows of a version, and nothing beside."""
    key = {"tenant_id": tenant_id, "policy": version.policy, "version": version.version}
    opt_in = version.automatic
    session.execute(
        insert(PolicyVersionRow).values(
            **key,
            state=state,
            queue=version.queue,
            automatic_action=opt_in.action if opt_in else None,
            opted_in_by=opt_in.opted_in_by if opt_in else None,
            opted_in_reason=opt_in.reason if opt_in else None,
            reason_required=version.reason_required,
            four_eyes=sorted(version.four_eyes),
            note=note,
            created_by=actor,
            accuracy_floor=version.accuracy_floor,
            **_opening_columns(version.opening),
            **_explaining_columns(version.explaining),
        )
    )
    if version.bands:
        session.execute(insert(PolicyBandRow), [{**key, **_band_columns(said, band)} for said, band in version.bands.items()])
    if version.clauses:
        session.execute(insert(PolicyClauseRow), [{**key, **_clause_columns(*pair)} for pair in enumerate(version.clauses, 1)])


def move_version(session: Session, tenant_id: str, policy: str, version: int, state: VersionState, *, actor: str) -> None:
    """Puts a version into shadow, makes it live (which retires the one before), or retires it from shadow.

    Raises RejectedError: policy_missing, version_missing, version_state.
    """
    _lock_policy(session, tenant_id, policy)
    row = session.get(PolicyVersionRow, (tenant_id, policy, version), populate_existing=True)
    if row is None:
        raise RejectedError("version_missing", f"Policy {policy} has no version {version}.")
    if row.state not in MOVES.get(state, ()):
        raise RejectedError("version_state", f"{policy}@{version} is {row.state}: it cannot become {state}.")
    if state is VersionState.LIVE:
        session.execute(
            update(PolicyVersionRow)
            .filter_by(tenant_id=tenant_id, policy=policy, state=VersionState.LIVE)
            .values(state=VersionState.RETIRED)
        )
    moved = {"state": state, "in_force_since": func.now() if state in IN_FORCE else PolicyVersionRow.in_force_since}
    session.execute(update(PolicyVersionRow).filter_by(tenant_id=tenant_id, policy=policy, version=version).values(**moved))
    detail = {"version": f"{policy}@{version}", "state": state}
    audit.record(session, actor=actor, action="policy.version_moved", tenant_id=tenant_id, detail=detail)


def in_force(session: Session, batch_id: UUID) -> PoliciesInForce:
    """What routes the batch's outcomes at this moment. Raises MisconfiguredError when its policy has no live version."""
    batch = select(BatchRow.tenant_id, BatchRow.policy).filter_by(id=batch_id).subquery()
    mine = (PolicyVersionRow.tenant_id == batch.c.tenant_id) & (PolicyVersionRow.policy == batch.c.policy)
    rows = session.execute(select(PolicyVersionRow).join(batch, mine).where(PolicyVersionRow.state.in_(IN_FORCE))).scalars().all()
    live = [row for row in rows if row.state == VersionState.LIVE]
    if not live:
        raise MisconfiguredError(
            "policy_not_live", f"The policy of batch {batch_id} has no live version. Promote one, then resume the batch."
        )
    return PoliciesInForce(
        values_of(session, live)[0], tuple(values_of(session, [row for row in rows if row.state == VersionState.SHADOW]))
    )


def require_live(session: Session, tenant_id: str, policy: str) -> None:
    """Returns when batches may name the policy. Raises RejectedError: policy_missing, policy_not_live."""
    if session.get(PolicyRow, (tenant_id, policy)) is None:
        raise RejectedError("policy_missing", f"There is no policy {policy[:80]!r}.")
    live = select(PolicyVersionRow.version).filter_by(tenant_id=tenant_id, policy=policy, state=VersionState.LIVE)
    if session.execute(live).first() is None:
        raise RejectedError("policy_not_live", f"Policy {policy} has no live version yet. Promote one first.")


def _lock_policy(session: Session, tenant_id: str, policy: str) -> None:
    """One writer of versions at a time."""
    found = session.execute(select(PolicyRow).filter_by(tenant_id=tenant_id, name=policy).with_for_update()).one_or_none()
    if found is None:
        raise RejectedError("policy_missing", f"There is no policy {policy[:80]!r}.")


def values_of(session: Session, rows: Sequence[PolicyVersionRow]) -> list[PolicyVersion]:
    """Rows of one policy as values, in their order."""
    if not rows:
        return []
    tenant_id, policy = rows[0].tenant_id, rows[0].policy
    numbers = [row.version for row in rows]
    found = select(PolicyBandRow).filter_by(tenant_id=tenant_id, policy=policy).where(PolicyBandRow.version.in_(numbers))
    bands = list(session.execute(found).scalars())
    ordered = select(PolicyClauseRow).filter_by(tenant_id=tenant_id, policy=policy).order_by(PolicyClauseRow.number)
    clauses = list(session.execute(ordered.where(PolicyClauseRow.version.in_(numbers))).scalars())

    def of(row: PolicyVersionRow) -> PolicyVersion:
        number = row.version
        return _value(row, [band for band in bands if band.version == number], [clause for clause in clauses if clause.version == number])

    return [of(row) for row in rows]


def _value(row: PolicyVersionRow, bands: Iterable[PolicyBandRow], clauses: Iterable[PolicyClauseRow]) -> PolicyVersion:
    opt_in = None
    if row.automatic_action is not None:
        opt_in = AutomaticAction(Action(row.automatic_action), row.opted_in_by or "", row.opted_in_reason or "")
    return PolicyVersion(
        policy=row.policy,
        version=row.version,
        bands={Said(Verdict(band.verdict), band.agreed): Band(band.pass_below, band.flag_from) for band in bands},
        queue=row.queue,
        automatic=opt_in,
        clauses=tuple(Clause(clause.clause, clause.title, clause.reason) for clause in clauses),
        reason_required=row.reason_required,
        four_eyes=frozenset(map(Action, row.four_eyes)),
        opening=Opening(
            flag_queue=row.flag_queue,
            disagreement_queue=row.disagreement_queue,
            qa_share=row.qa_share,
            double_share=row.double_share,
            key=row.sampling_key,
        ),
        explaining=Explaining(
            faithfulness_share=row.faithfulness_share,
            least_drop=row.least_drop,
            attention_share=row.attention_share,
            languages=tuple(row.languages),
        ),
        accuracy_floor=row.accuracy_floor,
    )


def _opening_columns(opening: Opening) -> dict[str, object]:
    """All but the key, which the database draws."""
    return {
        "flag_queue": opening.flag_queue,
        "disagreement_queue": opening.disagreement_queue,
        "qa_share": opening.qa_share,
        "double_share": opening.double_share,
    }


def _explaining_columns(explaining: Explaining) -> dict[str, object]:
    return {
        "faithfulness_share": explaining.faithfulness_share,
        "least_drop": explaining.least_drop,
        "attention_share": explaining.attention_share,
        "languages": list(explaining.languages),
    }


def _check_queues(session: Session, tenant_id: str, draft: Draft) -> None:
    for name in (draft.queue, draft.opening.flag_queue, draft.opening.disagreement_queue):
        if name is not None and session.get(ReviewQueueRow, (tenant_id, name)) is None:
            raise RejectedError("queue_missing", f"There is no review queue {name[:80]!r}.")


def _band_columns(said: Said, band: Band) -> dict[str, object]:
    return {"verdict": said.verdict, "agreed": said.agreed, "pass_below": band.pass_below, "flag_from": band.flag_from}


def _clause_columns(number: int, clause: Clause) -> dict[str, object]:
    return {"clause": clause.id, "number": number, "title": clause.title, "reason": clause.reason}
