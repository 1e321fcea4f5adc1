"""Policies of an installation whose database is at hand; of the tenant that ZOOMIN_TENANT names."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from worker.cli.batches import actor
from worker.cli.installation.asking import Backtested
from worker.cli.services import Services
from worker.store import policies as store
from worker.store import policy_reading as reading
from worker.store.backtests import START, Place, Reach, backtest
from worker.store.models.policies import VersionState
from worker.store.session import transaction
from worker.store.tenants import ensure_tenant

PAGE = 200  # rows per query


@dataclass(frozen=True, slots=True)
class LocalPolicies:
    """See `Policies`."""

    services: Services

    def known(self) -> Iterator[reading.Policy]:
        """By name."""
        after = ""
        while True:
            with self._session() as session:
                page = reading.list_policies(session, self._tenant, after=after, limit=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].name

    def versions(self, policy: str) -> Iterator[reading.WrittenVersion]:
        """Newest first."""
        before = None
        while True:
            with self._session() as session:
                page = reading.list_versions(session, self._tenant, policy, before=before, limit=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            before = page[-1].version.version

    def version(self, policy: str, version: int) -> reading.WrittenVersion:
        """One of them."""
        with self._session() as session:
            return reading.read_version(session, self._tenant, policy, version)

    def create(self, name: str, description: str) -> None:
        """Makes a policy."""
        with self._session() as session:
            store.create_policy(session, self._tenant, name, description=description, actor=actor())

    def write(self, policy: str, draft: store.Draft) -> reading.WrittenVersion:
        """Writes the next version."""
        with self._session() as session:
            made = store.write_version(session, self._tenant, policy, draft, actor=actor())
            return reading.read_version(session, self._tenant, policy, made.version)

    def move(self, policy: str, version: int, state: VersionState) -> None:
        """Puts a version into shadow, makes it live, or retires it."""
        with self._session() as session:
            store.move_version(session, self._tenant, policy, version, state, actor=actor())

    def compare(self, policy: str, version: int) -> list[reading.Change]:
        """What the version would change."""
        with self._session() as session:
            return reading.compare(session, self._tenant, policy, version)

    def backtest(self, policy: str, version: int, reach: Reach, cursor: str | None) -> Backtested:
        """Routes a stretch. The cursor is the place as text."""
        after = START
        if cursor is not None:
            batch_id, _, ordinal = cursor.partition(":")
            after = Place(UUID(batch_id), int(ordinal))
        with self._session() as session:
            stretch = backtest(session, self._tenant, policy, version, reach=reach, after=after, actor=actor())
        reached = stretch.after
        return Backtested(stretch.outcomes, stretch.routed, f"{reached.batch_id}:{reached.ordinal}" if reached else None)

    @property
    def _tenant(self) -> str:
        return self.services.settings.tenant

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with transaction(self.services.engine) as session:
            ensure_tenant(session, self._tenant)
            yield session
