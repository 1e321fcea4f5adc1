"""Policies of an installation behind its API; of the key's tenant."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import msgspec

from worker.cli.installation.answers import reader
from worker.cli.installation.asking import Backtested
from worker.cli.installation.http import Api
from worker.cli.policy_files import AutomaticPart, BandPart, ClausePart, ExplainingPart, draft_body
from worker.moderation.policy import Action, PolicyVersion, Route
from worker.store.backtests import Reach
from worker.store.models.policies import VersionState
from worker.store.policies import Draft
from worker.store.policy_reading import Change, Policy, WrittenVersion

VERBS = {VersionState.SHADOW: "shadow", VersionState.LIVE: "promote", VersionState.RETIRED: "retire"}


class PolicyAnswer(msgspec.Struct):
    name: str
    description: str
    live: int | None
    created_at: datetime


class PolicyPage(msgspec.Struct):
    policies: list[PolicyAnswer]
    next_cursor: str | None


class VersionAnswer(ExplainingPart, kw_only=True):
    """A version, written and moved."""

    policy: str
    version: int
    state: VersionState
    bands: list[BandPart]
    queue: str
    automatic: AutomaticPart | None
    clauses: list[ClausePart]
    reason_required: bool
    four_eyes: list[Action]
    note: str
    created_by: str
    created_at: datetime
    in_force_since: datetime | None

    def value(self) -> WrittenVersion:
        """As commands know it."""
        version = PolicyVersion(
            policy=self.policy,
            version=self.version,
            bands={band.said: band.value for band in self.bands},
            queue=self.queue,
            automatic=self.automatic.value if self.automatic else None,
            clauses=tuple(clause.value for clause in self.clauses),
            reason_required=self.reason_required,
            four_eyes=frozenset(self.four_eyes),
            opening=self.opening,
            explaining=self.explaining,
            accuracy_floor=self.accuracy_floor,
        )
        return WrittenVersion(
            version=version,
            state=self.state,
            note=self.note,
            created_by=self.created_by,
            created_at=self.created_at,
            in_force_since=self.in_force_since,
        )


class VersionPage(msgspec.Struct):
    versions: list[VersionAnswer]
    next_cursor: str | None


class ChangeAnswer(msgspec.Struct):
    live: Route
    shadow: Route
    outcomes: int


class Comparison(msgspec.Struct):
    changes: list[ChangeAnswer]


class BacktestAnswer(msgspec.Struct):
    outcomes: int
    routed: int
    next_cursor: str | None


_read_policies, _read_versions, _read_version = reader(PolicyPage), reader(VersionPage), reader(VersionAnswer)
_read_comparison, _read_backtest = reader(Comparison), reader(BacktestAnswer)


@dataclass(frozen=True, slots=True)
class RemotePolicies:
    """See `Policies`."""

    api: Api

    def known(self) -> Iterator[Policy]:
        """By name."""
        cursor: str | None = ""
        while cursor is not None:
            page = _read_policies(self.api.get("/v1/policies", query=_from(cursor)).content)
            for found in page.policies:
                yield Policy(name=found.name, description=found.description, live=found.live, created_at=found.created_at)
            cursor = page.next_cursor

    def versions(self, policy: str) -> Iterator[WrittenVersion]:
        """Newest first."""
        cursor: str | None = ""
        while cursor is not None:
            page = _read_versions(self.api.get(f"/v1/policies/{policy}/versions", query=_from(cursor)).content)
            yield from (found.value() for found in page.versions)
            cursor = page.next_cursor

    def version(self, policy: str, version: int) -> WrittenVersion:
        """One of them."""
        return _read_version(self.api.get(_place(policy, version)).content).value()

    def create(self, name: str, description: str) -> None:
        """Makes a policy."""
        self.api.post("/v1/policies", {"name": name, "description": description}, repeatable=False)

    def write(self, policy: str, draft: Draft) -> WrittenVersion:
        """Writes the next version."""
        return _read_version(self.api.post(f"/v1/policies/{policy}/versions", draft_body(draft), repeatable=False).content).value()

    def move(self, policy: str, version: int, state: VersionState) -> None:
        """Puts a version into shadow, makes it live, or retires it."""
        self.api.post(f"{_place(policy, version)}:{VERBS[state]}", repeatable=False)

    def compare(self, policy: str, version: int) -> list[Change]:
        """What the version would change."""
        found = _read_comparison(self.api.get(f"{_place(policy, version)}/comparison").content)
        return [Change(change.live, change.shadow, change.outcomes) for change in found.changes]

    def backtest(self, policy: str, version: int, reach: Reach, cursor: str | None) -> Backtested:
        """Routes a stretch. Sent again after a lost answer, it routes nothing twice."""
        asked = {"batch_id": str(reach.batch_id) if reach.batch_id else None, "since_hours": reach.hours, "cursor": cursor}
        query = {name: value for name, value in asked.items() if value is not None}
        done = _read_backtest(self.api.post(f"{_place(policy, version)}:backtest", query=query, repeatable=True).content)
        return Backtested(done.outcomes, done.routed, done.next_cursor)


def _place(policy: str, version: int) -> str:
    return f"/v1/policies/{policy}/versions/{version}"


def _from(cursor: str) -> dict[str, str | int]:
    return {"cursor": cursor} if cursor else {}
