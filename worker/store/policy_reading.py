"""Reading policies: what there is, in which state, and what a version watched in shadow would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from worker.moderation.errors import RejectedError
from worker.moderation.policy import PolicyVersion, Route
from worker.store.models import BatchRow, PolicyRow, PolicyVersionRow
from worker.store.models.policies import VersionState
from worker.store.policies import values_of

COMPARE = text(
    """
    -- compare: how outcomes that the version was watched on were routed by it, and by the live version of the moment
    SELECT live.route AS live, shadow.route AS shadow, count(*) AS outcomes
      FROM routings AS shadow
      JOIN batches AS b ON b.id = shadow.batch_id AND b.tenant_id = :tenant_id
      JOIN routings AS live ON (live.batch_id, live.ordinal, live.revision) = (shadow.batch_id, shadow.ordinal, shadow.revision)
                           AND live.mode = 'live'
     WHERE shadow.policy_version = :version AND shadow.mode = 'shadow'
     GROUP BY 1, 2 ORDER BY 1, 2
    """
)
ROUTED_BY = text(
    """
    -- routed by: the version that was live when the outcome was judged. Routings name it policy@version
    SELECT v.tenant_id, v.policy, v.version
      FROM routings AS r
      JOIN policy_versions AS v ON v.tenant_id = :tenant_id AND v.policy = split_part(r.policy_version, '@', 1)
                               AND v.version = split_part(r.policy_version, '@', 2)::integer
     WHERE r.batch_id = :batch_id AND r.ordinal = :ordinal AND r.revision = :revision AND r.mode = 'live'
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A policy by name, and which of its versions decides; None before the first was promoted."""

    name: str
    description: str
    live: int | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenVersion:
    """A version with all that is known of it. `in_force_since` is None for one that never was."""

    version: PolicyVersion
    state: VersionState
    note: str
    created_by: str
    created_at: datetime
    in_force_since: datetime | None


@dataclass(frozen=True, slots=True)
class Change:
    """So many outcomes were routed `live`, and would have been routed `shadow`."""

    live: Route
    shadow: Route
    outcomes: int


def list_policies(session: Session, tenant_id: str, *, after: str = "", limit: int) -> list[Policy]:
    """By name, those behind `after`."""
    query = select(PolicyRow).filter_by(tenant_id=tenant_id).where(PolicyRow.name > after).order_by(PolicyRow.name).limit(limit)
    rows = session.execute(query).scalars().all()
    live = select(PolicyVersionRow.policy, PolicyVersionRow.version).filter_by(tenant_id=tenant_id, state=VersionState.LIVE)
    versions = {row.policy: row.version for row in session.execute(live)}
    return [Policy(name=row.name, description=row.description, live=versions.get(row.name), created_at=row.created_at) for row in rows]


def find_policy(session: Session, tenant_id: str, name: str) -> Policy:
    """The policy. Raises RejectedError `policy_missing`."""
    row = session.get(PolicyRow, (tenant_id, name))
    if row is None:
        raise RejectedError("policy_missing", f"There is no policy {name[:80]!r}.")
    live = select(PolicyVersionRow.version).filter_by(tenant_id=tenant_id, policy=name, state=VersionState.LIVE)
    version = session.execute(live).scalar_one_or_none()
    return Policy(name=row.name, description=row.description, live=version, created_at=row.created_at)


def list_versions(session: Session, tenant_id: str, policy: str, *, before: int | None = None, limit: int) -> list[WrittenVersion]:
    """Newest first, those older than `before`. Raises RejectedError `policy_missing`."""
    find_policy(session, tenant_id, policy)
    query = select(PolicyVersionRow).filter_by(tenant_id=tenant_id, policy=policy).order_by(PolicyVersionRow.version.desc()).limit(limit)
    if before is not None:
        query = query.where(PolicyVersionRow.version < before)
    return _written(session, session.execute(query).scalars().all())


def read_version(session: Session, tenant_id: str, policy: str, version: int) -> WrittenVersion:
    """One version. Raises RejectedError `version_missing`."""
    row = session.get(PolicyVersionRow, (tenant_id, policy, version), populate_existing=True)
    if row is None:
        raise RejectedError("version_missing", f"There is no {policy[:80]}@{version}.")
    return _written(session, [row])[0]


def routed_by(session: Session, tenant_id: str, *, batch_id: UUID, ordinal: int, revision: int) -> PolicyVersion | None:
    """The version that routed an outcome; None when none did, as of cancelled items."""
    place = {"batch_id": batch_id, "ordinal": ordinal, "revision": revision}
    key = session.execute(ROUTED_BY, {"tenant_id": tenant_id, **place}).one_or_none()
    return None if key is None else values_of(session, [session.get_one(PolicyVersionRow, tuple(key))])[0]


def listed_languages(session: Session, batch_id: UUID) -> tuple[str, ...]:
    """The languages that the batch's policy lists, by its live version; none without one."""
    batch = select(BatchRow.tenant_id, BatchRow.policy).filter_by(id=batch_id).subquery()
    mine = (PolicyVersionRow.tenant_id == batch.c.tenant_id) & (PolicyVersionRow.policy == batch.c.policy)
    query = select(PolicyVersionRow).join(batch, mine).where(PolicyVersionRow.state == VersionState.LIVE)
    live = values_of(session, session.execute(query).scalars().all())
    return live[0].explaining.languages if live else ()


def compare(session: Session, tenant_id: str, policy: str, version: int) -> list[Change]:
    """What the version would have routed otherwise or alike, as far as it was watched in shadow. Raises RejectedError `version_missing`."""
    watched = read_version(session, tenant_id, policy, version).version
    rows = session.execute(COMPARE, {"tenant_id": tenant_id, "version": watched.name})
    return [Change(Route(row.live), Route(row.shadow), row.outcomes) for row in rows]


def _written(session: Session, rows: Sequence[PolicyVersionRow]) -> list[WrittenVersion]:
    return [
        WrittenVersion(
            version=version,
            state=VersionState(row.state),
            note=row.note,
            created_by=row.created_by,
            created_at=row.created_at,
            in_force_since=row.in_force_since,
        )
        for row, version in zip(rows, values_of(session, rows), strict=True)
    ]
